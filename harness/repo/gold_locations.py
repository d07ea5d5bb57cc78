"""Ground-truth locations from the gold patch, for conditions that leave localization out (arXiv 2603.00729, A.3)."""

from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.core.location import Location, merge_intervals
from harness.errors import InputError, PatchError
from harness.repo.diff import FileDiff, parse_patch, split_lines
from harness.repo.hunk_places import place_hunks


def gold_files(instance: Instance, snapshot: Snapshot) -> tuple[Location, ...]:
    """The whole files that the gold patch edits, deletes or moves, in its order; files that it makes are not there.

    Raises InputError where the gold patch is no diff.
    """
    return tuple(Location(path) for path, _ in _edited(instance, snapshot))


def gold_locations(instance: Instance, snapshot: Snapshot, context_lines: int) -> tuple[Location, ...]:
    """The lines that the gold patch changes, with ``context_lines`` lines around each run of them.

    Each hunk counts where git puts it, whatever line its header names. Where lines are only put in, the lines on either
    side count. A file that the patch changes in no line (its name,
    its mode) is meant as a whole. Raises InputError where the gold patch is no diff.
    """
    locations = []
    for path, diff in _edited(instance, snapshot):
        lines = split_lines(snapshot.read(path))
        length, spans = len(lines), []
        for start, count in (run for hunk in place_hunks(lines, diff.hunks) for run in hunk.changed()):
            first, last = (start, start + count - 1) if count else (start - 1, start)
            spans.append((max(1, first - context_lines), min(length, last + context_lines)))
        locations.append(Location(path, merge_intervals(span for span in spans if span[0] <= span[1])))
    return tuple(locations)


def _edited(instance: Instance, snapshot: Snapshot) -> list[tuple[str, FileDiff]]:
    """The files of the snapshot that the gold patch touches, by their path before it."""
    try:
        diffs = parse_patch(instance.patch)
    except PatchError as error:
        raise InputError(f"{instance.instance_id}: the gold patch is {error}") from error
    known = set(snapshot.paths())
    return [(diff.old_path, diff) for diff in diffs if diff.old_path in known]
