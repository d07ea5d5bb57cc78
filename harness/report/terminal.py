"""Plain lists for the terminal: verdict by verdict, image by image."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.common.inert import inert
from harness.report.suite_line import suite_line

if TYPE_CHECKING:
    from rich.table import Table

    from harness.core.verdict import Verdict
    from harness.grading.exclusions import Exclusions
    from harness.images.inventory import ImageInfo
    from harness.images.pull_all import PullResult
    from harness.report.spread import Spread


def verdict_list(verdicts: "Iterable[Verdict]") -> "Table":
    """One row for each verdict: its outcome, and how many FAIL_TO_PASS and PASS_TO_PASS tests held."""
    table = _table("instance", "outcome", "F2P", "P2P", "seconds", "detail")
    for verdict in verdicts:
        table.add_row(
            verdict.instance_id,
            verdict.outcome.value,
            _held(verdict.fail_to_pass_success, verdict.fail_to_pass_failure),
            _held(verdict.pass_to_pass_success, verdict.pass_to_pass_failure),
            f"{verdict.seconds:.1f}",
            inert("; ".join(_remarks(verdict))),
        )
    return table


def _remarks(verdict: "Verdict") -> list[str]:
    return [
        *([verdict.detail] if verdict.detail else []),
        *(f"! {flag}" for flag in verdict.flags),
        *_control(verdict),
        *([suite_line(verdict.whole_suite)] if verdict.whole_suite else []),
    ]


def _control(verdict: "Verdict") -> Iterator[str]:
    """How a control ended, unless a flag says so: that it passed is news only beside a flag."""
    state = verdict.control.state if verdict.control else None
    if state in ("none-drawn", "undone") or (state == "passed" and verdict.flags):
        yield f"control: {state.replace('-', ' ')}"


def judged_notes(
    exclusions: "Iterable[Exclusions]", spreads: "Mapping[str, Spread]", missing: Mapping[str, tuple[int, int]]
) -> list[str]:
    """What stands beside a table in one line each: instances that a score should not rest on, and unsteady ones."""
    notes = [
        f"excluded by {found.source}: {', '.join(f'{i} ({reason})' for i, reason in found.reasons.items())}"
        for found in exclusions
        if found.reasons
    ]
    notes += [
        f"{model}: {without} of {instances} instances have no prediction; they count as not resolved"
        for model, (without, instances) in missing.items()
    ]
    for model, spread in spreads.items():
        rates = ", ".join(
            f"{low:.1%}" + (f" ({high:.1%} if all ungraded resolve)" if high > low else "")
            for low, high in zip(spread.rates, spread.rates_ungraded_resolved, strict=True)
        )
        repeats = f"{len(spread.rates)} repeats of {model}"
        notes.append(f"{repeats}: {rates}; mean {spread.mean:.1%}, standard deviation {spread.standard_deviation:.1%}")
        notes += [f"unstable: {i}: {', '.join(outcomes)}" for i, outcomes in spread.unstable.items()]
    return notes


def image_table(images: "Iterable[ImageInfo]") -> "Table":
    """One row for each image; MB of its own layers, and with those that it shares."""
    table = _table("image", "kind", "own MB", "all MB")
    for image in images:
        table.add_row(image.name, image.kind, f"{image.own_size / 1e6:.0f}", f"{image.size / 1e6:.0f}")
    return table


def pull_table(results: "Iterable[PullResult]") -> "Table":
    """One row for each instance: the image that is here now, and what it took; or why it could not be had."""
    table = _table("instance", "image", "MB", "seconds", "state")
    for result in results:
        state = "here already" if result.here else str(result.error or "pulled")
        table.add_row(
            result.instance_id, result.image or "-", f"{result.megabytes:.1f}", f"{result.seconds:.1f}", state
        )
    return table


def image_note(images: "Sequence[ImageInfo]", unique: int) -> str:
    """One line under a list of images: what they take together (bytes), and what they would without shared layers."""
    distinct = {image.digest: image for image in images}.values()
    alone, each = sum(image.own_size for image in distinct), sum(image.size for image in distinct)
    return (
        f"{len(distinct)} images take {unique / 1e6:.0f} MB: {alone / 1e6:.0f} MB in layers of one image, "
        f"{(unique - alone) / 1e6:.0f} MB in layers that several share; without sharing {each / 1e6:.0f} MB"
    )


def _table(*columns: str) -> "Table":
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("instance", "kind", "outcome"))
    return table


def _held(success: tuple[str, ...], failure: tuple[str, ...]) -> str:
    return f"{len(success)}/{len(success) + len(failure)}" if success or failure else "-"
