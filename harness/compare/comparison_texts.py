"""A comparison and a gate as Markdown, and a gate as JUnit XML: values in, text out."""

from collections.abc import Sequence
from xml.etree import ElementTree

from harness.compare.finished import Arm
from harness.compare.run_changes import Change
from harness.compare.run_comparison import Flip, RunComparison, Scope
from harness.compare.run_gate import RunGate
from harness.report.difference_format import bounds, points, probability
from harness.report.format import NONE, percent
from harness.report.result_tables import markdown_table
from harness.statistics.compare import Comparison, Counts
from harness.statistics.gate import Judged
from harness.statistics.many import holm
from harness.statistics.requirement import Decision

CLAIMS = {
    "checkpoint": "The claim is about the checkpoint: other issues of these repositories, and other samples.",
    "table": "The claim is about this table alone: what these very instances show.",
}
EARLY = "After an early stop the difference overstates what is there; its bounds hold however often was looked."
SHOWN_CHANGES = 20  # lines of each list; the rest is counted


def comparison_markdown(found: RunComparison) -> str:
    """Differences, per condition and repository, the instances that did not end alike, and what else changed."""
    overall = found.overall.comparison
    parts = [
        f"# {_text(found.second.name)} against {_text(found.first.name)}",
        "Resolve rates in percent; a difference is the second's less the first's, in points.",
        markdown_table([_scope_record(scope) for scope in (found.overall, *found.conditions)]),
        _notes(overall),
    ]
    if found.repositories:
        parts += ["## Repositories", markdown_table([_scope_record(scope) for scope in found.repositories])]
    if found.flips:
        records = [_flip_record(found, flip) for flip in found.flips]
        parts += ["## Instances that did not end alike", markdown_table(records)]
    for title, changes in (("Settings that differ", found.settings), ("What else differs", found.others)):
        if changes:
            parts += [f"## {title}", _changes(changes)]
    return "\n\n".join(parts) + "\n"


def gate_markdown(found: RunGate) -> str:
    """What was required, what was seen, and the decision: a summary for a pull request."""
    first = found.judged[0]
    return (
        "\n\n".join(
            [
                f"# Gate: {found.decision.value.replace('-', ' ')}",
                f"{_text(found.candidate.name)} against {_text(found.baseline.name)}",
                markdown_table([_judged_record(one) for one in found.judged]),
                CLAIMS[first.comparison.claim],
                *([f"Random order: {found.order}. {EARLY}"] if found.order else []),
                *(_decidable(one) for one in found.judged),
            ]
        )
        + "\n"
    )


def gate_junit(found: RunGate) -> str:
    """One test case for each requirement: a failure if it is broken, an error if it is not decided."""
    suite = ElementTree.Element(
        "testsuite",
        name=_text(f"harness gate {found.candidate.name}"),
        tests=str(len(found.judged)),
        failures=str(sum(one.decision is Decision.BROKEN for one in found.judged)),
        errors=str(sum(one.decision is Decision.NOT_DECIDED for one in found.judged)),
    )
    for one in found.judged:
        case = ElementTree.SubElement(suite, "testcase", classname="harness.gate", name=one.requirement.text)
        if one.decision is not Decision.HOLDS:
            kind = "failure" if one.decision is Decision.BROKEN else "error"
            reason = ElementTree.SubElement(case, kind, message=one.why, type=one.decision.value)
            reason.text = _seen(one)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _scope_record(scope: Scope) -> dict[str, str]:
    found, counts = scope.comparison, scope.comparison.seen.counts
    return {
        "of": _text(scope.name),
        "instances": _instances(found),
        "rates %": f"{percent(found.seen.first_rate)}, {percent(found.seen.second_rate)}",
        "broken, fixed, both, neither": _shared(counts) if counts else NONE,
        "difference": points(found.estimate),
        "95% interval": bounds(found.interval),
        "p": probability(found.p),
        "p, Holm": probability(scope.adjusted),
    }


def _notes(found: Comparison) -> str:
    notes = [f"Method: {found.why}.", CLAIMS[found.claim]]
    if found.seen.ungraded:
        notes.append(
            f"{found.seen.ungraded} outcomes have no grade: with all of them against the second and then for it, "
            f"the one-sided bounds are {bounds(found.bounds_ungraded)}."
        )
    if found.detectable is not None:
        notes.append(f"Found in four of five such comparisons: {percent(found.detectable)} points or more.")
    if found.repositories:
        notes.append(
            f"Over other repositories, from these {found.repositories.clusters}: "
            f"{bounds(found.repositories.interval)}, p {probability(found.repositories.p)} (wild bootstrap)."
        )
    return "\n".join(f"- {note}" for note in notes)


def _shared(counts: Counts) -> str:
    return ", ".join(f"{n:g}" for n in (counts.only_first, counts.only_second, counts.both, counts.neither))


def _flip_record(found: RunComparison, flip: Flip) -> dict[str, str]:
    return {
        "instance": flip.instance_id,
        "condition": flip.condition or NONE,
        "change": flip.kind,
        "first": _linked(flip.first, found.first, flip),
        "second": _linked(flip.second, found.second, flip),
    }


def _linked(ending: str, arm: Arm, flip: Flip) -> str:
    """How it ended, with links to the patch and the log."""
    place = arm.attempt_folder(flip.condition, flip.instance_id)
    files = [("patch", "patch.diff"), ("log", "test.log")] if place else []
    links = [f"[{name}](<{place / file}>)" for name, file in files if place and (place / file).is_file()]
    return " ".join([_text(ending), *links])


def many_markdown(found: Sequence[RunComparison]) -> str:
    """Several arms against the first one: their differences, the instances that did not end alike, then each pair."""
    adjusted = holm([1.0 if one.overall.comparison.p is None else one.overall.comparison.p for one in found])
    records = [
        {"against the first": _text(one.second.name)}
        | {key: value for key, value in _scope_record(one.overall).items() if key not in ("of", "p, Holm")}
        | {"p, Holm": probability(p)}
        for one, p in zip(found, adjusted, strict=True)
    ]
    parts = [f"# {len(found)} against {_text(found[0].first.name)}", markdown_table(records)]
    if flips := _flips_of_many(found):
        parts += ["## Instances that did not end alike in all", markdown_table(flips)]
    return "\n\n".join([*parts, *(comparison_markdown(one) for one in found)])


def _flips_of_many(found: Sequence[RunComparison]) -> list[dict[str, str]]:
    """One record for each instance and condition with another ending than the first arm's."""
    places = dict.fromkeys((flip.instance_id, flip.condition) for one in found for flip in one.flips)
    endings = {(n, f.instance_id, f.condition): f for n, one in enumerate(found) for f in one.flips}
    records = []
    for instance_id, condition in places:
        flips = [endings.get((number, instance_id, condition)) for number in range(len(found))]
        first = next(flip.first for flip in flips if flip)
        seconds = [_text(flip.second if flip else first) for flip in flips]
        names = [_text(one.second.name) for one in found]
        records.append(
            {"instance": instance_id, "condition": condition or NONE, "first": _text(first)}
            | dict(zip(names, seconds, strict=True))
        )
    return records


def _changes(changes: Sequence[Change]) -> str:
    shown = [{"of": c.place, "first": _text(c.first), "second": _text(c.second)} for c in changes[:SHOWN_CHANGES]]
    rest = len(changes) - len(shown)
    return markdown_table(shown) + (f"\n\nAnd {rest} more." if rest else "")


def _judged_record(one: Judged) -> dict[str, str]:
    found = one.comparison
    counts = found.seen.counts
    return {
        "required": one.requirement.text,
        "decision": one.decision.value.replace("-", " "),
        "instances": _instances(found),
        "rates %": f"{percent(found.seen.first_rate)}, {percent(found.seen.second_rate)}",
        "only first, only second": f"{counts.only_first:g}, {counts.only_second:g}" if counts else NONE,
        "difference": points(found.estimate),
        "one-sided bounds": bounds(found.bounds_ungraded),
        "why": one.why,
    }


def _decidable(one: Judged) -> str:
    if one.comparison.claim == "table":
        return f"`{one.requirement.text}`: the table shows its difference."
    least = "no margin" if one.decidable is None else f"a margin of {percent(one.decidable)} points or more"
    note = f"`{one.requirement.text}`: of two equal checkpoints, four of five such runs decide {least}."
    if one.samples is not None:
        note += f" This margin takes {one.samples} samples of each on every instance."
    return (
        note if one.comparison.claim == "checkpoint" else f"`{one.requirement.text}`: the table shows its difference."
    )


def _seen(one: Judged) -> str:
    found = one.comparison
    return (
        f"difference {points(found.estimate)} points, one-sided bounds {bounds(found.bounds_ungraded)}, "
        f"{_instances(found)} instances, {found.seen.ungraded} outcomes without a grade; {CLAIMS[found.claim]}"
    )


def _instances(found: Comparison) -> str:
    graded, total = found.seen.instances, found.seen.total
    return str(total) if graded == total else f"{graded} of {total}"


def _text(value: str) -> str:
    """Text from a run as a cell or a heading shows it: on one line, without characters that XML can't hold."""
    return "".join(letter if letter.isprintable() else " " for letter in value)
