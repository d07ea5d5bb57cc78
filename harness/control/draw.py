"""Which changes there are in an instance's test files, and those drawn of them.

One or two functions are changed, never all of several: what bends every result, or none, shows. Another value catches
answers that are read from the test; an opposite relation catches checks that an expectation looks natural. So two
changes are one of each, if there are both.
"""

import ast
import random
from collections.abc import Collection, Mapping, Sequence

from harness.control.added_lines import line_changes
from harness.control.change import Change, Rank, changed
from harness.control.expectations import Source, expectations
from harness.control.functions import find_functions, parse

VALUE_SHARE = 0.6  # of draws of one change, if there are both
TWO_FROM = 3  # changed functions are two if there are as many

Pool = Mapping[str, Sequence[Change]]  # test -> its changes


def find_changes(
    files: Mapping[str, bytes], added: Mapping[str, Collection[int]], fail_to_pass: Sequence[str], rng: random.Random
) -> Pool:
    """By test, every change of an expectation of a FAIL_TO_PASS test, each with its new text drawn.

    ``files`` are the test files as the tests see them, ``added`` the numbers (from 0) of their lines that the test
    patch adds. Only if no file of Python holds one of the tests, added lines of other files are taken.
    """
    found = _python_changes(files, fail_to_pass, rng)
    for printed in (False, True):
        if not found:
            changes = [c for path in added for c in line_changes(path, files[path], sorted(added[path]), rng, printed)]
            # each line is as likely as another to be of one of the tests
            found = {f"{change.path}:{change.start}": [change] for change in changes}
    return found


def _python_changes(files: Mapping[str, bytes], fail_to_pass: Sequence[str], rng: random.Random) -> Pool:
    trees = {path: tree for path, text in files.items() if path.endswith(".py") and (tree := parse(text)) is not None}
    pool: dict[str, list[Change]] = {}
    for found in find_functions(trees):
        if not any(found.function.runs_as(test_id) for test_id in fail_to_pass):
            continue
        path = found.function.path
        source = Source(path, files[path])
        changes = expectations(source, found, _imports_pytest(trees[path]), rng)
        if changes:
            pool[f"{path}:{found.node.lineno}"] = changes
    return pool


def draw(pool: Pool, files: Mapping[str, bytes], rng: random.Random, spent: Collection[Change] = ()) -> list[Change]:
    """One or two changes of different tests; ``spent`` ones are not drawn. Empty if none is left.

    A change after which its file can't be read, or says the same, is passed over.
    """
    left = {test: [change for change in changes if change not in spent] for test, changes in pool.items()}
    drawn: list[Change] = []
    for wanted in (Rank.VALUE, Rank.RELATION) if len(pool) >= TWO_FROM else (_first(rng),):
        change = _draw_one(left, files, rng, wanted)
        if change is not None:
            drawn.append(change)
            left = {test: changes for test, changes in left.items() if change not in changes}
    return drawn


def _draw_one(
    left: dict[str, list[Change]], files: Mapping[str, bytes], rng: random.Random, wanted: Rank
) -> Change | None:
    """A change of the wanted rank if a test has one, or else of the first rank that one has."""
    for rank in dict.fromkeys((wanted, *Rank)):
        # each test is as likely as another, however many changes it has
        by_test = {test: [change for change in changes if change.rank is rank] for test, changes in left.items()}
        while tests := sorted(test for test, changes in by_test.items() if changes):
            changes = by_test[rng.choice(tests)]
            change = changes.pop(rng.randrange(len(changes)))
            if _differs(files[change.path], change):
                return change
    return None


def _first(rng: random.Random) -> Rank:
    return Rank.VALUE if rng.random() < VALUE_SHARE else Rank.RELATION


def _imports_pytest(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Import) and any((name.asname or name.name) == "pytest" for name in node.names)
        for node in tree.body
    )


def _differs(content: bytes, change: Change) -> bool:
    """Whether the changed file can still be read, if it is Python, and says something else."""
    after = changed(content, [change])
    if not change.path.endswith(".py"):
        return after != content
    before, other = parse(content), parse(after)
    return before is not None and other is not None and ast.dump(other) != ast.dump(before)
