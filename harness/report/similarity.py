"""How alike a predicted patch and the gold patch are."""

from harness.errors import PatchError
from harness.repo.diff import parse_patch


def similarity(predicted: str, gold: str) -> float:
    """SWE-RL's change similarity (arXiv 2502.18449) of two patches of one snapshot, from 0 to 1.

    The mean, over the files that either patch changes, of ``difflib.SequenceMatcher(None, a, b,
    autojunk=False).ratio()`` between the two patches' hunks for that file (each headed by a bare ``@@``, for
    the same change may be given with other line numbers; no file headers), 0 for a file that only one changes.

    An empty patch, and one that is no diff, has similarity 0. There ours differs from SWE-RL's reward, which is
    -1 for an answer that can't be read or applied: as a score, nothing is just not alike.
    """
    from cydifflib import SequenceMatcher  # returns what difflib returns, some ten times quicker

    try:
        ours, theirs = _changes(predicted), _changes(gold)
    except PatchError:
        return 0.0
    paths = ours.keys() | theirs.keys()
    if not predicted.strip() or not paths:
        return 0.0
    ratios = [
        SequenceMatcher(None, ours[path], theirs[path], autojunk=False).ratio()
        for path in sorted(ours.keys() & theirs.keys())
    ]
    return float(sum(ratios)) / len(paths)


def _changes(patch: str) -> dict[str, str]:
    """Path -> the text of its hunks."""
    return {
        diff.path: "\n".join(
            line for hunk in diff.hunks for line in ("@@", *(line for line in hunk.lines if not line.startswith("\\")))
        )
        for diff in parse_patch(patch)
    }
