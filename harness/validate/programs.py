"""What reproduction tests are written in: the language of most files if it runs scripts, else bash."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from harness.repo.meaning import source_meaning
from harness.repo.python_syntax import read_syntax
from harness.repo.symbols import language_of


@dataclass(frozen=True)
class Program:
    """How the scripts of one language are asked for and run."""

    language: str  # as the model's fences name it
    name: str  # as the prompt calls it
    interpreter: str  # as the prompt calls it
    path: str  # of the script in the container
    command: str  # runs it from the root of the repository

    def problem(self, source: str) -> str:
        """Why a script can't be run, in one line; empty if nothing is known against it."""
        return read_syntax(source.encode()).problem if self.language == "python" else ""

    def meaning(self, source: str) -> str:
        """Equal for scripts that differ in comments and formatting only, of bash in blank lines and indentation."""
        if self.language == "python":
            return read_syntax(source.encode()).meaning
        lines = "\n".join(filter(None, map(str.strip, source.splitlines())))
        return lines if self.language == "bash" else source_meaning(source.encode(), self.language) or lines


PYTHON = Program(
    "python",
    "Python",
    "python",
    "/harness/reproduce.py",
    # packages that are not installed are found from the repository's root
    'PYTHONPATH="/testbed${PYTHONPATH:+:$PYTHONPATH}" python /harness/reproduce.py',
)
JAVASCRIPT = Program(
    "javascript",
    "JavaScript (CommonJS)",
    "node",
    "/harness/reproduce.cjs",
    # modules are found from where the script lies
    "cp /harness/reproduce.cjs /testbed/harness_reproduce.cjs && node /testbed/harness_reproduce.cjs",
)
RUBY = Program("ruby", "Ruby", "ruby", "/harness/reproduce.rb", "ruby -I/testbed -I/testbed/lib /harness/reproduce.rb")
PHP = Program("php", "PHP", "php", "/harness/reproduce.php", "php -d include_path=.:/testbed /harness/reproduce.php")
BASH = Program("bash", "Bash", "bash", "/harness/reproduce.sh", "bash /harness/reproduce.sh")

_PROGRAMS = {"python": PYTHON, "javascript": JAVASCRIPT, "typescript": JAVASCRIPT, "ruby": RUBY, "php": PHP}
_FAMILIES = {"tsx": "typescript"}


def program_for(paths: Iterable[str]) -> Program:
    """The program for a repository with these files. Compiled languages get bash, which can build and run anything."""
    languages = (language_of(path) for path in paths)
    counts = Counter(_FAMILIES.get(language, language) for language in languages if language)
    [(most, _)] = counts.most_common(1) or [("python", 0)]
    return _PROGRAMS.get(most, BASH)
