"""Gold patches as the search/replace answers that a model might give, in the styles that models drift into."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.common.paths import cache_folder
from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.dataset.instances import load_instances
from harness.errors import InputError
from harness.repair.gold import Block, answer_text
from harness.repo.diff import parse_patch
from harness.repo.snapshot import RebuiltRepository, rebuilt_folder

CONTEXT, WIDE = 3, 12  # lines around a change; in the style that leaves lines out
KEPT = 2  # lines kept on either side of what is left out


def rebuilt_rows(rows: str) -> Iterator[tuple[Instance, Snapshot]]:
    """The rows whose base state was rebuilt on this machine."""
    with RebuiltRepository(rebuilt_folder(cache_folder())) as repository:
        for instance in load_instances(rows):
            try:
                snapshot = repository.snapshot(instance)
            except InputError:
                continue
            yield instance, snapshot


def gold_contents(instance: Instance, snapshot: Snapshot) -> dict[str, bytes | None]:
    """The files that the gold patch touches as git makes them; None for a deleted one."""
    diffs = parse_patch(instance.patch)
    with TemporaryDirectory() as folder:
        for diff in diffs:
            if diff.old_path:
                target = Path(folder, diff.old_path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(snapshot.read(diff.old_path))
        subprocess.run(["git", "apply", "-"], cwd=folder, input=instance.patch.encode(), check=True)
        paths = {path for diff in diffs for path in (diff.old_path, diff.new_path) if path}
        return {path: Path(folder, path).read_bytes() if Path(folder, path).is_file() else None for path in paths}


# The styles: an answer's text from the blocks of a gold patch


def fenced(blocks: Sequence[Block]) -> str:
    """Each block in a fence, with words around it, its path in bold above."""
    parts = (f"**`{b.path}`**\n\n```python\n{b.text()}```\nThat is what was wrong.\n" for b in blocks)
    return "The report is right: it fails.\n\n" + "\n".join(parts) + "\nHope this helps!"


def path_on_fence(blocks: Sequence[Block]) -> str:
    """The path on the fence itself."""
    return "\n".join(f"```python:{block.path}\n{block.text()}```" for block in blocks)


def thinking(blocks: Sequence[Block]) -> str:
    """A draft of another change in thinking tags first."""
    return f"<think>\n{answer_text([replace(b, replace=('no',)) for b in blocks])}\n</think>\n{answer_text(blocks)}"


def carriage_returns(blocks: Sequence[Block]) -> str:
    """Lines that end as on Windows."""
    return answer_text(blocks).replace("\n", "\r\n")


def trailing_spaces(blocks: Sequence[Block]) -> str:
    """Spaces behind every line that the file has."""
    drifted = (
        replace(
            block,
            search=tuple(f"{line}  " for line in block.search),
            replace=tuple(line if new else f"{line}  " for line, new in zip(block.replace, block.new, strict=True)),
        )
        for block in blocks
    )
    return answer_text(list(drifted))


def dedented(blocks: Sequence[Block]) -> str:
    """Without the indentation that all lines have, and four spaces instead where they have none."""
    return answer_text([_moved(block) for block in blocks])


def _moved(block: Block) -> Block:
    indents = [len(line) - len(line.lstrip()) for line in (*block.search, *block.replace) if line.strip()]
    common = min(indents, default=0)
    return block.indented(lambda line: line[common:] if common else (f"    {line}" if line.strip() else line))


def tabs(blocks: Sequence[Block]) -> str:
    """A tab for every four spaces of indentation."""

    def tabbed(line: str) -> str:
        width = len(line) - len(line.lstrip(" "))
        return "\t" * (width // 4) + " " * (width % 4) + line[width:]

    return answer_text([block.indented(tabbed) for block in blocks])


def foreign_folder(blocks: Sequence[Block]) -> str:
    """The repository's own folder before every path."""
    return answer_text([replace(block, path=f"testbed/{block.path}") for block in blocks])


def elided(blocks: Sequence[Block]) -> str:
    """The middle of the lines before the first change left out, with dots in its place."""
    return answer_text([_elided(block) for block in blocks])


def _elided(block: Block) -> Block:
    head = next((i for i, new in enumerate(block.new) if new or block.search[i : i + 1] != block.replace[i : i + 1]), 0)
    if head < 3 * KEPT or not any(map(str.strip, block.search[:head])):
        return block
    indent = re.match(r"\s*", block.search[head - 1])
    dots = f"{indent[0] if indent else ''}# ... existing code ..."
    cut = slice(KEPT, head - KEPT)
    parts = ([*lines[: cut.start], dots, *lines[cut.stop :]] for lines in (block.search, block.replace))
    search, new = map(tuple, parts)
    return Block(block.path, search, new, (False,) * len(new))


def diff(blocks: Sequence[Block]) -> str:
    """Unified diffs with wrong counts, without a/ and b/, in a fence."""
    parts = (f"--- {b.path}\n+++ {b.path}\n@@ -1,1 +1,1 @@\n{_hunk(b)}" for b in blocks)
    return f"```diff\n{''.join(parts)}```\n"


def envelope(blocks: Sequence[Block]) -> str:
    """The apply-patch envelope."""
    parts = (f"*** Update File: {b.path}\n@@\n{_hunk(b)}" for b in blocks)
    return f"*** Begin Patch\n{''.join(parts)}*** End Patch\n"


def _hunk(block: Block) -> str:
    signed = [*(f"-{line}" for line in block.search), *(f"+{line}" for line in block.replace)]
    return "".join(f"{line}\n" for line in signed)


def calls_xml(blocks: Sequence[Block]) -> str:
    """Calls of a str_replace tool as XML."""
    calls = ({"command": "str_replace", **_call(block)} for block in blocks)
    parts = ("".join(f"<parameter={name}>{value}</parameter>\n" for name, value in call.items()) for call in calls)
    return "\n".join(f"<function=str_replace_editor>\n{part}</function>" for part in parts)


def calls_json(blocks: Sequence[Block]) -> str:
    """Calls of a str_replace tool as JSON."""
    calls = ({"name": "str_replace", "arguments": _call(block)} for block in blocks)
    return "\n".join(f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in calls)


def _call(block: Block) -> dict[str, str]:
    old, new = ("".join(f"{line}\n" for line in lines) for lines in (block.search, block.replace))
    return {"path": f"/testbed/{block.path}", "old_str": old, "new_str": new}


def whole_files(contents: Mapping[str, bytes | None]) -> str:
    """Every file with all of its content in a fence."""
    parts = (f"{path}\n`````\n{(data or b'').decode()}`````\n" for path, data in contents.items())
    return "\n".join(parts)


FORMATS: dict[str, Callable[[Sequence[Block]], str]] = {
    "diff": diff,
    "apply-patch": envelope,
    "str-replace as XML": calls_xml,
    "str-replace as JSON": calls_json,
}
WHOLE = "whole-file"

STYLES: dict[str, tuple[Callable[[Sequence[Block]], str], int]] = {
    "plain": (answer_text, CONTEXT),
    "fenced, with prose": (fenced, CONTEXT),
    "path on the fence": (path_on_fence, CONTEXT),
    "after thinking": (thinking, CONTEXT),
    "carriage returns": (carriage_returns, CONTEXT),
    "trailing spaces": (trailing_spaces, CONTEXT),
    "re-indented": (dedented, CONTEXT),
    "tabs for spaces": (tabs, CONTEXT),
    "split into blocks": (answer_text, 0),
    "wrong leading folder": (foreign_folder, CONTEXT),
    "lines left out": (elided, WIDE),
}
