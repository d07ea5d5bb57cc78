"""Error rates of comparisons and gates by simulation: python benchmarks/error_rates.py [--check] [--runs N].

Each line is one situation, simulated so often: how many of the true differences lie below the lower and above the
upper one-sided bound (each promised for 5%), or outside the 95% interval; how often the interval of a single rate
misses it (5%); how often a gate whose candidate is exactly at the margin holds, and how often it is broken (5% each);
how often and how early a gate finds a candidate that is 10 points worse; how many verdicts change with the order in
which outcomes come. An error may be one point off what is promised; where a method is careful by design, only above.
Fewer runs than 10,000 add three standard errors to that.
With --check the exit status is 1 when a target is missed.
"""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import sqrt
from time import perf_counter

import numpy as np
from parts.arguments import BenchmarkParser
from parts.worlds import VERIFIED, World, draw_arm, paired, scores, shift_of

from harness.statistics.betting import table_gate
from harness.statistics.compare import compare
from harness.statistics.fit import FEWEST_SEEDS
from harness.statistics.group_sequential import checkpoint_gate
from harness.statistics.order import Plan, Stopped
from harness.statistics.rate import rate
from harness.statistics.requirement import Decision, parse_requirement

RUNS, CHUNK = 10_000, 100
EXACT, CAREFUL = (0.04, 0.06), (0.0, 0.06)  # errors where 5% is promised, and 5% at most
REQUIREMENT = parse_requirement("resolve_rate >= -2pp @ 95%")
ALONE = 300  # instances of a rate that stands alone
EARLIER = 6  # checkpoints that a history has beside the baseline
SEED = 20_260_301
PLAIN, CROSSED = World(), World(seeds=0.5, luck=1.0)

Counts = dict[str, float]  # name of a rate -> how often, or how much in all
Generator = np.random.Generator


@dataclass(frozen=True)
class Situation:
    """One line: what is simulated, and what its rates have to be."""

    name: str
    run: Callable[[Generator], Counts]  # one simulated run
    targets: dict[str, tuple[float, float]]  # name of a rate -> least and most, before the allowance for few runs
    share: float = 1.0  # of the runs asked for


def tails(found: float, low: float, high: float) -> Counts:
    """Whether a true difference lies below the one bound, or above the other."""
    return {"below": float(found < low - 1e-12), "above": float(found > high + 1e-12)}


def these_checkpoints(
    random: Generator, world: World, instances: int, shape: tuple[int, int], difference: float, ungraded: float = 0.0
) -> Counts:
    """A comparison that speaks of these checkpoints: the truth is theirs, over other instances and samples."""
    difficulty, shift = random.standard_normal(instances), shift_of(world, difference)
    first, own = draw_arm(random, world, difficulty, 0.0, shape)
    second, other = draw_arm(random, world, difficulty, shift, shape)
    for arm in (first, second):
        arm[random.random(arm.shape) < ungraded] = np.nan
    truth = float(world.rate(shift + other).mean() - world.rate(own).mean())
    found = compare(paired(first, second))
    assert not found.trainings
    return {**tails(truth, *found.bounds), "outside": outside(truth, found.interval)}


def trainings(random: Generator, world: World, instances: int, seeds: int, ungraded: float) -> Counts:
    """A comparison of two equal strategies over other trainings and instances."""
    difficulty = random.standard_normal(instances)
    arms = [draw_arm(random, world, difficulty, 0.0, (seeds, 1))[0] for _ in range(2)]
    for arm in arms:
        arm[random.random(arm.shape) < ungraded] = np.nan
    found = compare(paired(*arms))
    assert found.trainings
    return {"outside": outside(0.0, found.interval)}


def repositories(random: Generator, world: World, others: bool) -> Counts:
    """Instances in Verified's repositories, between which the difference varies: these ones, or others."""
    shifts = world.repositories * random.standard_normal(len(VERIFIED))
    members = np.repeat(np.arange(len(VERIFIED)), VERIFIED)
    difficulty = random.standard_normal(len(members))
    arms = [draw_arm(random, world, difficulty, turn * shifts[members] / 2, (1, 1))[0] for turn in (-1, 1)]
    found = compare(paired(*arms, members))
    if others:
        assert found.repositories is not None
        return {"outside": outside(0.0, found.repositories.interval)}
    truth = float((world.rate(shifts / 2) - world.rate(-shifts / 2)) @ np.array(VERIFIED) / len(members))
    return {**tails(truth, *found.bounds), "outside": outside(truth, found.interval)}


def one_rate(
    random: Generator, world: World, shape: tuple[int, int], ungraded: float = 0.0, members: np.ndarray | None = None
) -> Counts:
    """The rate of one arm: of these checkpoints over other instances, with three seeds or more of other trainings, too.

    ``members`` are the instances' repositories, which differ in their difficulty; the truth is theirs. What is not
    graded counts as failed, and so it does in the truth.
    """
    clusters = 0.0 if members is None else world.repositories * random.standard_normal(len(VERIFIED))
    moved = 0.0 if members is None else clusters[members]
    difficulty = random.standard_normal(ALONE if members is None else len(members))
    grid, own = draw_arm(random, world, difficulty, moved, shape)
    grid[random.random(grid.shape) < ungraded] = np.nan
    trained = world.over_trainings() if shape[0] >= FEWEST_SEEDS else float(world.rate(own).mean())
    if members is not None:
        trained = float(world.rate(clusters) @ np.array(VERIFIED) / len(members))
    found = rate(grid)
    truth = trained * (1 - ungraded)
    return {"outside": outside(truth, found.interval)}


def outside(truth: float, interval: tuple[float, float]) -> float:
    """1 if the truth is not in the interval."""
    return float(not interval[0] <= truth <= interval[1])


def plan_and_outcomes(
    random: Generator, instances: int, difference: float, history: str
) -> tuple[Plan, dict[str, float]]:
    """A gate's plan, and the candidate's outcomes in its order."""
    world, names = World(), tuple(f"i-{number}" for number in range(instances))
    difficulty = random.standard_normal(instances)

    def named(values: np.ndarray) -> dict[str, float]:
        return dict(zip(names, values.tolist(), strict=True))

    def drawn(shift: float) -> np.ndarray:
        return draw_arm(random, world, difficulty, shift, (1, 1))[0][:, 0, 0]

    known = {"none": 0, "useful": EARLIER, "useless": EARLIER}[history]
    earlier = [scores(random, np.full(instances, 0.4)) if history == "useless" else drawn(0.0) for _ in range(known)]
    plan = Plan(REQUIREMENT, names, named(drawn(0.0)), tuple(map(named, earlier)))
    return plan, named(drawn(shift_of(world, difference)))


def checkpoint(random: Generator, instances: int, difference: float, history: str) -> Counts:
    """The gate for the checkpoint's claim."""
    plan, outcomes = plan_and_outcomes(random, instances, difference, history)
    return ended(checkpoint_gate(plan, outcomes))


def table(random: Generator, instances: int, holds: bool) -> Counts:
    """The gate for the table's claim on a table that just meets the margin, or just misses it."""
    plan, outcomes = plan_and_outcomes(random, instances, REQUIREMENT.margin, "useful")
    least = int(np.ceil(sum(plan.baseline.values()) + REQUIREMENT.margin * instances - 1e-9))
    surplus = int(sum(outcomes.values())) - (least if holds else least - 1)
    movable = [name for name, score in outcomes.items() if score == float(surplus > 0)]
    for name in random.choice(movable, abs(surplus), replace=False):
        outcomes[name] = 1 - outcomes[name]
    wrong = Decision.BROKEN if holds else Decision.HOLDS
    return {"wrong": float(table_gate(plan, outcomes).decision is wrong)}


def ended(found: Stopped) -> Counts:
    """How a gate ended, and the share of the instances that it took."""
    return {
        "holds": float(found.decision is Decision.HOLDS),
        "broken": float(found.decision is Decision.BROKEN),
        "instances": found.looked / found.total,
    }


def reordered(random: Generator, gate: Callable[[Plan, dict[str, float]], Stopped]) -> Counts:
    """A gate asked as outcomes come, resolved ones first by tendency: the first verdict has to be the order's own."""
    plan, outcomes = plan_and_outcomes(random, 300, random.choice([-0.1, -0.02, 0.03]), "useful")
    arrivals = sorted(plan.order, key=lambda name: random.exponential(1.0 if outcomes[name] else 2.0))
    done: dict[str, float] = {}
    for number, name in enumerate(arrivals, 1):
        done[name] = outcomes[name]
        if number % 20 == 0 and (found := gate(plan, done)).decision is not Decision.NOT_DECIDED:
            return {"changed": float(found != gate(plan, outcomes))}
    return {"changed": 0.0}


def situations() -> Iterator[Situation]:
    """All lines."""
    yield from one_training()
    yield from several_trainings()
    yield from one_arm()
    yield from over_repositories()
    yield from gates()


def one_training() -> Iterator[Situation]:
    """Comparisons that speak of these checkpoints."""

    def line(
        name: str, world: World = PLAIN, instances: int = 300, shape: tuple[int, int] = (1, 1), **rest: float
    ) -> Situation:
        run = partial(these_checkpoints, world=world, instances=instances, shape=shape, **{"difference": 0.0, **rest})
        return Situation(name, run, {"below": EXACT, "above": EXACT, "outside": EXACT})

    yield line("one sample, 300 instances, equal")
    yield line("one sample, 500 instances, equal", instances=500)
    yield line("one sample, 300 instances, 5 points worse", difference=-0.05)
    yield line("one sample, 300 instances, hardly any disagreement", World(difficulty=16))
    yield line("1 seed: these checkpoints", CROSSED, difference=-0.03)
    yield line("1 seed, 3 samples: these checkpoints", CROSSED, shape=(1, 3), difference=-0.03)
    yield line("2 seeds: these checkpoints", CROSSED, shape=(2, 1), difference=-0.03)
    yield line("one sample, 10% not graded", ungraded=0.1)
    yield line("3 samples, 10% not graded", shape=(1, 3), ungraded=0.1)


def several_trainings() -> Iterator[Situation]:
    """Comparisons that speak of other trainings."""
    for seeds, ungraded in ((3, 0.0), (5, 0.0), (3, 0.1), (5, 0.1)):
        run = partial(trainings, world=CROSSED, instances=300, seeds=seeds, ungraded=ungraded)
        holes = f", {ungraded:.0%} not graded" if ungraded else ""
        yield Situation(f"{seeds} seeds: other trainings{holes}", run, {"outside": CAREFUL})


def one_arm() -> Iterator[Situation]:
    """Intervals of a single rate, as every table shows them."""
    for seeds, ungraded in ((1, 0.0), (2, 0.0), (3, 0.0), (5, 0.0), (1, 0.1), (2, 0.1), (3, 0.1), (5, 0.1)):
        run = partial(one_rate, world=CROSSED, shape=(seeds, 1), ungraded=ungraded)
        holes = f", {ungraded:.0%} not graded" if ungraded else ""
        whose = "other trainings" if seeds >= FEWEST_SEEDS else "these checkpoints"
        yield Situation(f"one rate, {seeds} seeds: {whose}{holes}", run, {"outside": EXACT})
    yield Situation("one rate, 3 samples", partial(one_rate, world=PLAIN, shape=(1, 3)), {"outside": EXACT})
    members = np.repeat(np.arange(len(VERIFIED)), VERIFIED)
    run = partial(one_rate, world=World(repositories=0.8), shape=(1, 1), members=members)
    yield Situation("one rate, repositories that differ: these", run, {"outside": CAREFUL})


def over_repositories() -> Iterator[Situation]:
    """Comparisons on instances that cluster."""
    world = World(repositories=0.8)
    these, others = (partial(repositories, world=world, others=others) for others in (False, True))
    yield Situation("repositories that differ: these", these, dict.fromkeys(("below", "above", "outside"), CAREFUL))
    yield Situation("repositories that differ: others", others, {"outside": CAREFUL})


def gates() -> Iterator[Situation]:
    """Gates, at the margin and beyond it."""
    for instances in (200, 300, 500):
        for history, allowed in (("useful", EXACT), ("none", EXACT), ("useless", CAREFUL)):
            run = partial(checkpoint, instances=instances, difference=REQUIREMENT.margin, history=history)
            name = f"gate at the margin, {instances} instances, {history} history"
            yield Situation(name, run, {"holds": allowed, "broken": allowed})
    worse = partial(checkpoint, instances=500, difference=-0.1, history="useful")
    yield Situation("gate, 10 points worse, 500 instances", worse, {"broken": (0.98, 1.0), "instances": (0.0, 0.4)})
    for instances, holds in ((200, True), (200, False), (500, True), (500, False)):
        run = partial(table, instances=instances, holds=holds)
        name = f"table gate that just {'meets' if holds else 'misses'} the margin, {instances}"
        yield Situation(name, run, {"wrong": CAREFUL}, share=0.2)
    for gate, name in ((checkpoint_gate, "gate"), (table_gate, "table gate")):
        run = partial(reordered, gate=gate)
        yield Situation(f"{name}, outcomes reordered", run, {"changed": (0.0, 0.0)}, share=0.05)


def simulated(situation: Situation, number: int, runs: int) -> Counts:
    """Sums over some runs; ``number`` tells their random draws from those of others."""
    random, sums = np.random.default_rng([SEED, number]), dict.fromkeys(situation.targets, 0.0)
    for _ in range(runs):
        for name, value in situation.run(random).items():
            sums[name] = sums.get(name, 0.0) + value
    return sums


def rates(pool: ProcessPoolExecutor, situation: Situation, runs: int) -> Counts:
    """The rates over all runs."""
    sizes = [min(CHUNK, runs - start) for start in range(0, runs, CHUNK)]
    parts = list(pool.map(simulated, [situation] * len(sizes), range(len(sizes)), sizes))
    return {name: sum(part[name] for part in parts) / runs for name in parts[0]}


def missed(situation: Situation, found: Counts, runs: int) -> list[str]:
    """Names of the rates that are off."""
    names = []
    for name, (least, most) in situation.targets.items():
        edge = least if found[name] < least else most
        slack = 0.0 if runs >= RUNS else 3 * sqrt(max(edge * (1 - edge), 0.0) / runs)
        if not least - slack <= found[name] <= most + slack:
            names.append(name)
    return names


def main() -> int:
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="simulated runs of a situation; slow ones get a part")
    parser.add_argument("--only", default="", metavar="TEXT", help="situations whose name holds this; all if empty")
    parser.add_check("when a target is missed")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs needs at least 1")
    bad, start = 0, perf_counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for situation in (one for one in situations() if options.only in one.name):
            runs = max(1, round(options.runs * situation.share))
            found = rates(pool, situation, runs)
            off = missed(situation, found, runs)
            bad += bool(off)
            shown = "  ".join(f"{name} {100 * value:5.2f}%" for name, value in found.items())
            print(f"{situation.name:52}{runs:7,}  {shown}{'  MISSED: ' + ', '.join(off) if off else ''}", flush=True)
    print(f"{perf_counter() - start:.0f} s on {os.cpu_count()} cores; {bad} missed")
    return 1 if options.check and bad else 0


if __name__ == "__main__":
    sys.exit(main())
