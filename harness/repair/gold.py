"""The answer that a repair prompt wants: an instance's gold patch as search/replace blocks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.repo.diff import parse_patch, split_lines
from harness.repo.hunk_places import place_hunks


@dataclass(frozen=True)
class Block:
    """One search/replace block; lines without their ends. ``new`` marks the replacement's lines that were put in."""

    path: str
    search: tuple[str, ...]
    replace: tuple[str, ...]
    new: tuple[bool, ...]

    def text(self) -> str:
        """As the prompt asks for it."""
        parts = ("<<<<<<< SEARCH", *self.search, "=======", *self.replace, ">>>>>>> REPLACE")
        return "".join(f"{line}\n" for line in parts)

    def indented(self, change: Callable[[str], str]) -> "Block":
        """With every line changed."""
        return replace(self, search=tuple(map(change, self.search)), replace=tuple(map(change, self.replace)))


def answer_text(blocks: Sequence[Block]) -> str:
    """The blocks as an answer, as the repair prompts ask for it."""
    return "\n".join(f"{block.path}\n{block.text()}" for block in blocks)


def gold_blocks(instance: Instance, snapshot: Snapshot, context: int = 0) -> list[Block]:
    """The gold patch as blocks with at least so many lines of context, and as many as make each one's place unique."""
    blocks = []
    for diff in parse_patch(instance.patch):
        if diff.old_path is None:
            added = tuple(line[1:] for hunk in diff.hunks for line in hunk.lines if line.startswith("+"))
            blocks.append(Block(diff.path, (), added, (True,) * len(added)))
            continue
        data = split_lines(snapshot.read(diff.old_path))
        lines = [line.rstrip(b"\r\n").decode() for line in data]
        changes = [change for hunk in place_hunks(data, diff.hunks) for change in _changes(hunk.old_start, hunk.lines)]
        blocks += [_block(diff.old_path, lines, group, context) for group in _grouped(changes, context)]
    return blocks


Change = tuple[int, int, tuple[str, ...]]  # first line from 0, after the last, what stands there then


def _changes(start: int, lines: Sequence[str]) -> Iterator[Change]:
    position = start - 1
    first, added, removed = position, [], 0
    for line in (*(line for line in lines if not line.startswith("\\")), " "):
        if line.startswith("-"):
            removed += 1
        elif line.startswith("+"):
            added.append(line[1:])
        else:
            if added or removed:
                yield first, first + removed, tuple(added)
            position = first + removed + 1
            first, added, removed = position, [], 0


def _grouped(changes: Sequence[Change], context: int) -> list[list[Change]]:
    groups: list[list[Change]] = []
    for change in changes:
        if groups and change[0] - groups[-1][-1][1] <= 2 * context:
            groups[-1].append(change)
        else:
            groups.append([change])
    return groups


def _block(path: str, lines: Sequence[str], changes: Sequence[Change], context: int) -> Block:
    while True:
        first, last = max(0, changes[0][0] - context), min(len(lines), changes[-1][1] + context)
        search = tuple(lines[first:last])
        if _times(search, lines) == 1 or (first, last) == (0, len(lines)):
            break
        context += 1
    new: list[tuple[str, bool]] = []
    position = first
    for start, end, added in changes:
        new += [(line, False) for line in lines[position:start]] + [(line, True) for line in added]
        position = end
    new += [(line, False) for line in lines[position:last]]
    return Block(path, search, tuple(line for line, _ in new), tuple(put_in for _, put_in in new))


def _times(search: tuple[str, ...], lines: Sequence[str]) -> int:
    return sum(tuple(lines[i : i + len(search)]) == search for i in range(len(lines) - len(search) + 1))
