from harness.core.verdict import Outcome, Phase, Verdict
from harness.grading.exclusions import Exclusions
from harness.report.spread import spread
from harness.report.terminal import judged_notes


def run(*outcomes: Outcome) -> list[Verdict]:
    return [Verdict(instance_id=f"i{n}", outcome=outcome, phase=Phase.GRADE) for n, outcome in enumerate(outcomes)]


def test_the_spread_of_repeats() -> None:
    good, bad, machine = Outcome.RESOLVED, Outcome.UNRESOLVED, Outcome.INFRASTRUCTURE
    found = spread([run(good, good), run(good, bad), run(good, machine)])
    assert found.rates == (1.0, 0.5, 0.5)
    assert found.rates_ungraded_resolved == (1.0, 0.5, 1.0)
    assert round(found.mean, 4) == 0.6667
    assert round(found.standard_deviation, 4) == 0.2887
    assert found.unstable == {"i1": (good, bad, machine)}


def test_repeats_that_agree_have_none() -> None:
    found = spread([run(Outcome.RESOLVED)] * 2)
    assert (found.standard_deviation, found.unstable) == (0.0, {})
    assert spread([run(Outcome.RESOLVED)]).standard_deviation == 0.0


def test_notes_say_what_is_excluded_and_what_is_unstable() -> None:
    notes = judged_notes(
        [Exclusions("quarantine", {"a": "flaky"}), Exclusions("calibration", {})],
        {"m": spread([run(Outcome.RESOLVED), run(Outcome.TIMEOUT)]), "n": spread([run(Outcome.INFRASTRUCTURE)])},
        {"m": (6, 8)},
    )
    assert notes == [
        "excluded by quarantine: a (flaky)",
        "m: 6 of 8 instances have no prediction; they count as not resolved",
        "2 repeats of m: 100.0%, 0.0%; mean 50.0%, standard deviation 70.7%",
        "unstable: i0: resolved, timeout",
        "1 repeats of n: 0.0% (100.0% if all ungraded resolve); mean 0.0%, standard deviation 0.0%",
    ]
