"""Files that the commands of a shell write from a text of several lines: ``cat > PATH <<'EOF'``."""

import re
from collections.abc import Sequence

from harness.core.candidate import Edit, EditKind
from harness.reading.blocks import EditReading
from harness.reading.path_names import looks_like_path

HEREDOC = re.compile(  # what stands before and behind the word that ends the text, and the word
    r"[ \t]*(?:[$>#][ \t]+)?(?:sudo[ \t]+)?(?:cat|tee)\b([^\n<]*)<<-?[ \t]*[\"']?(\w+)[\"']?([^\n<]*)"
)
_QUOTED = re.compile(r"<<-?[ \t]*[\"'\\]")  # what comes is as it stands
_CHANGES = re.compile(
    r"[ \t]*(?:[$>#][ \t]+)?(?:sudo[ \t]+)?"
    r"(?:(?:sed|perl)[ \t]+-(?:\w*i|-in-place)|git[ \t]+(?:mv|rm|apply)\b|mv[ \t]|patch[ \t])"
)  # files otherwise
_FILE = re.compile(r"(?:(?<!>)>[ \t]*|^[ \t]*)[\"']?([^\s\"'<>|&;-][^\s\"'<>|&;]*)")


def heredoc_paths(lines: Sequence[str]) -> list[str]:
    """The files that the lines write so."""
    return [path for line in lines if "<<" in line and (path := _path(line))]


def read_heredocs(lines: Sequence[str], cut: bool = False) -> EditReading:
    """The files that are written, each with all of its content; one that is only added to can't be read."""
    edits: list[Edit] = []
    problems: list[str] = []
    unfinished, position = "", 0
    while position < len(lines):
        command = HEREDOC.fullmatch(lines[position]) if "<<" in lines[position] else None
        position += 1
        if not command:
            changes = _CHANGES.match(lines[position - 1])
            problems += [f"line {position} changes a file by another command"] if changes else []
            continue
        path = _path(lines[position - 1])
        end = next((n for n in range(position, len(lines)) if lines[n].strip() == command[2]), len(lines))
        if end == len(lines):
            unfinished = f"the file at line {position} was cut" if cut else ""
            problems += [] if cut else [f"the text at line {position} has no end"]
        elif path:
            edits.append(Edit(path, "", _content(lines[position - 1], lines[position:end]), EditKind.WHOLE))
        elif ">>" in command[1] + command[3]:
            problems.append(f"line {position} adds to a file")
        position = end + 1
    return EditReading(tuple(edits), tuple(problems), unfinished)


def _content(command: str, lines: Sequence[str]) -> str:
    """What the file holds: without tabs ahead of the lines behind ``<<-``, and without what a shell reads itself."""
    plain = "".join(f"{line}\n" for line in lines)
    if "<<-" in command:
        plain = re.sub(r"^\t+", "", plain, flags=re.MULTILINE)
    return plain if _QUOTED.search(command) else re.sub(r"\\([$`])", r"\1", plain)


def _path(line: str) -> str:
    """The file that a line writes; empty if it is no such command, or adds to a file."""
    command = HEREDOC.fullmatch(line)
    if not command or ">>" in command[1] + command[3]:
        return ""
    found = (_FILE.search(part) for part in (command[1], command[3]))
    return next((name[1] for name in found if name and looks_like_path(name[1])), "")
