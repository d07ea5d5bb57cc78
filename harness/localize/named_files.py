"""File-level localization: the model names, from the tree of the snapshot, the files to change."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile

from harness.core.instance import Instance
from harness.core.interfaces import NO_COST, Cost, Model, Sampling, Snapshot
from harness.core.location import Location, resolve_path
from harness.model.answers import read_file_names
from harness.model.ask import Reply, ask
from harness.model.fit_prompt import fit_prompt
from harness.model.prompts import Prompts
from harness.repo.outline import Outlines
from harness.repo.search import relevance

STAGE = "localize_files"

_SOURCE_PATH = re.compile(
    r""".*\.(?: py|pyi|pyx|pxd | js|jsx|mjs|cjs|ts|tsx|mts|cts|vue|svelte | java|kt|kts|scala|groovy|clj
    | go | rs | c|h|cc|cpp|cxx|hh|hpp|hxx|ipp|cu|cuh|m|mm | cs|fs|vb | swift | rb|rake|erb | php | pl|pm | lua | r | jl
    | ex|exs|erl | hs | ml|mli | dart | zig | nim | d | f|f90 | sh|bash|ps1 | sql | proto | html|css|scss|less )""",
    re.IGNORECASE | re.VERBOSE,
)
# A folder named "test" inside a package is often source (django/test), at the root or below src/ it holds tests.
_TEST_PATH = re.compile(
    r"(?:^|.*/)(?:tests|__tests__|specs?|testdata|e2e)/.*"
    r"|(?:.*/)?src/test/.*|(?:test|testing)/.*"
    r"|(?:.*/)?(?:test_[^/]*|[^/]*_test|[^/]*_spec|conftest|[^/]*\.(?:test|spec))\.\w+"
    r"|(?:.*/)?[^/]+Tests?\.(?:java|kt|scala|groovy|cs|php|swift)"
)


class LocalizationReason(StrEnum):
    """Why no file was localized."""

    NO_FILES = "no-files"  # the snapshot holds no source files
    CONTEXT_OVERFLOW = "context-overflow"  # the issue alone leaves no room
    TRUNCATED = "truncated"  # the answer was cut, and nothing before that is whole
    NOT_RECORDED = "not-recorded"  # the recording holds no such answer
    ONLY_REASONING = "only-reasoning"  # the server set all of the answer apart as thinking
    NO_NAMES = "no-names"  # the answer names no file
    UNRESOLVED = "unresolved"  # none of the names stands for one file of the snapshot


@dataclass(frozen=True)
class FileLocalization:
    """What the model localized, and what that cost."""

    locations: tuple[Location, ...]  # whole files, the likeliest first; empty if and only if there is a reason
    reason: LocalizationReason | None = None
    detail: str = ""  # the reason in one line
    unresolved: tuple[str, ...] = ()  # names that stand for no file of the snapshot, or for several
    shown: int = 0  # source files in the prompt
    left_out: int = 0  # source files, the least relevant by their names, that it had no room for
    cost: Cost = NO_COST
    notes: tuple[str, ...] = ()  # "read-before-cut": the answer was cut, and its whole lines were read


async def localize_files(
    model: Model,
    prompts: Prompts,
    sampling: Sampling,
    instance: Instance,
    snapshot: Snapshot,
    outlines: Outlines,
    limit: int,
) -> FileLocalization:
    """At most ``limit`` files of the snapshot that the model names for the issue; none is ever guessed for it.

    Only files whose names the prompt set's template asks for are parsed. Raises InfrastructureError if the
    model can't be asked.
    """
    issue = instance.problem_statement
    ranked = await asyncio.to_thread(lambda: rank_paths(issue, source_paths(snapshot.paths())))
    if not ranked:
        return _nothing(LocalizationReason.NO_FILES, "the snapshot holds no source files")

    root = common_folder(ranked)

    def names(path: str) -> list[str]:
        return [element.name for element in outlines.elements(snapshot, path)]

    def render(count: int) -> str:
        paths = sorted(ranked[:count])
        shown = {"paths": paths, "root": root, "tree": tree(paths), "left_out": len(ranked) - count, "names": names}
        return prompts.render(STAGE, issue=issue, limit=limit, **shown)

    fitted = await fit_prompt(model, sampling, render, len(ranked))
    if fitted is None or not fitted.parts:
        return _nothing(LocalizationReason.CONTEXT_OVERFLOW, "the issue leaves no room for the tree and an answer")
    reply = await ask(model, sampling, fitted.prompt)
    locations, reason, detail, unresolved = _read(reply, snapshot.paths(), root, limit)
    left_out = len(ranked) - fitted.parts
    notes = () if reason else reply.notes
    return FileLocalization(locations, reason, detail, unresolved, fitted.parts, left_out, reply.cost, notes)


def source_paths(paths: Sequence[str]) -> list[str]:
    """The source files among the paths, in any language, tests left out, in the same order."""
    return [path for path in paths if _SOURCE_PATH.fullmatch(path) and not _TEST_PATH.fullmatch(path)]


def rank_paths(issue: str, paths: Sequence[str]) -> list[str]:
    """The paths by the words that they share with the issue, most relevant first; of equals the shallow ones."""
    scores = relevance(issue, paths)
    order = sorted(range(len(paths)), key=lambda i: (-scores[i], paths[i].count("/"), paths[i]))
    return [paths[i] for i in order]


def common_folder(paths: Sequence[str]) -> str:
    """The deepest folder that holds all the paths, with a slash at its end; empty if that is the root."""
    first, last = min(paths, default=""), max(paths, default="")  # what these two share, all in between share
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    return first[: first.rfind("/", 0, shared) + 1]


def tree(paths: Sequence[str]) -> str:
    """Sorted paths as an indented tree, one name a line, folders with a slash at the end."""
    lines: list[str] = []
    above: list[str] = []
    for path in paths:
        *folders, name = path.split("/")
        common = next((i for i, (a, b) in enumerate(zip(above, folders, strict=False)) if a != b), None)
        common = min(len(above), len(folders)) if common is None else common
        lines += ["  " * depth + f"{folders[depth]}/" for depth in range(common, len(folders))]
        lines.append("  " * len(folders) + name)
        above = folders
    return "\n".join(lines)


def _nothing(reason: LocalizationReason, detail: str) -> FileLocalization:
    return FileLocalization((), reason, detail)


def _read(
    reply: Reply, paths: Sequence[str], root: str, limit: int
) -> tuple[tuple[Location, ...], LocalizationReason | None, str, tuple[str, ...]]:
    names = read_file_names(reply.whole_lines)
    if reply.reason and not names:
        return (), LocalizationReason(reply.reason.value), reply.detail, ()
    resolved = {name: root + name if root + name in paths else resolve_path(name, paths) for name in names}
    found = list(dict.fromkeys(path for path in resolved.values() if path))
    unresolved = tuple(name for name, path in resolved.items() if not path)
    locations = tuple(Location(path) for path in found[:limit])
    if locations:
        return locations, None, "", unresolved
    if not names:
        return (), LocalizationReason.NO_NAMES, "the answer names no file", ()
    return (), LocalizationReason.UNRESOLVED, f"no one file of the repository is {unresolved[0][:200]}", unresolved
