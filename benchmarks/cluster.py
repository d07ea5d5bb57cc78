"""Clusters larger than any here, in simulated time: python benchmarks/cluster.py [--check].

Evaluations of 500 instances are sent to logical nodes by the rules of `executor: ray` (`harness/cluster/placement.py`).
A node pulls an image that it lacks, and at a time as many nodes pull one as have it already, or one. A job takes a
place when its image is there. Nodes keep the images that were used last within their disks. Jobs of a node that is lost
run elsewhere. The driver sends one job after another, and half as many more as there are places.

Test times are drawn from those of the 43 instances that can be built (`harness/dataset/pypi_instances.json`). What
the driver takes for a job is what `benchmarks/executor.py` measures. Times of pulls and of losses are assumptions, and
options. What the driver keeps of a verdict, in memory and in its journal, is measured here on real records.

No cluster can be faster than its bound: the longest of the driver's work, the work of all places, the longest single
job, and pulling each image once, one at a time on each node. With --check the exit status is 1 if a cluster takes
longer than 3 times its bound.
"""

import gc
import heapq
import json
import os
import random
import sys
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from itertools import count
from math import exp
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from parts.arguments import BenchmarkParser

import harness.dataset
from harness.cluster.placement import chosen_node
from harness.common.journal import Journal
from harness.core.verdict import Outcome, Phase, Verdict

IMAGES = 500
AHEAD = 1.5  # jobs that are sent, for each place
SLACK = 3.0  # times the bound
SPREAD = 0.6  # of the logarithm of a pull's seconds
BACK_SECONDS = 600.0  # until a node that was lost is there again
SIZES = ((50, 10_000), (1000, 1_000_000))  # nodes, evaluations
RECORDS = 20_000  # verdicts that are written
TESTS = 40  # of PASS_TO_PASS of each
HEADINGS = (
    "nodes", "evaluations", "mean test", "takes", "times its bound", "pulls",
    "jobs that wait for an image, for each place", "places that test", "driver busy", "places it feeds", "jobs lost",
    "driver's memory", "journal",
)  # fmt: skip


class Settings(NamedTuple):
    """What a cluster is like."""

    places: int  # of a node
    driver: float  # seconds that the driver takes for a job
    pull: float  # seconds, median
    kept: int  # images that fit on a node
    loss: float  # seconds between two losses of a node, mean


@dataclass
class Node:
    """A logical node."""

    images: "OrderedDict[int, None]" = field(default_factory=OrderedDict)  # last used last
    using: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # image -> jobs
    queue: "deque[tuple[int, float]]" = field(default_factory=deque)  # jobs that wait for a place
    running: int = 0  # jobs that have a place
    there: bool = True
    generation: int = 0  # rises with each loss: jobs of an earlier one are lost


@dataclass
class Seen:
    """What became of it all."""

    makespan: float = 0.0
    bound: float = 0.0
    pulls: int = 0
    pulling: float = 0.0  # jobs that waited for an image, mean over the time, for each place
    busy: float = 0.0  # share in which tests ran
    driver: float = 0.0  # share of the time in which the driver sent jobs
    lost: int = 0  # jobs that ran again


class Simulation:
    """Time goes from event to event: a job's image is there, its tests end, a node is lost or back."""

    def __init__(self, nodes: int, settings: Settings, jobs: "deque[tuple[int, float]]") -> None:
        """``jobs``: the image of each, and the seconds of its tests."""
        self._chance = random.Random(1)
        self._settings = settings
        self._jobs = jobs
        self._nodes = [Node() for _ in range(nodes)]
        self._slots = dict.fromkeys(range(nodes), settings.places)
        self._busy = dict.fromkeys(range(nodes), 0)
        self._having: dict[int, set[int]] = defaultdict(set)  # image -> nodes
        self._getting: dict[int, set[int]] = defaultdict(set)  # image -> nodes that jobs were sent to for it
        self._pulls: dict[int, int] = defaultdict(int)  # image -> nodes that pull it
        self._turns: dict[int, deque[tuple[int, int]]] = defaultdict(deque)  # image -> nodes that wait, generations
        self._waiting: dict[tuple[int, int], list[tuple[float, float]]] = {}  # (node, image) -> jobs, since when
        self._events: list[tuple[float, int, str, tuple[int, ...], float]] = []
        self._order = count()
        self._threads = int(AHEAD * nodes * settings.places)
        self.seen = Seen()
        work = sum(seconds for _, seconds in jobs)
        longest = max(seconds for _, seconds in jobs)
        pulls = IMAGES * settings.pull * exp(SPREAD**2 / 2) / nodes
        self.seen.bound = max(work / (nodes * settings.places), len(jobs) * settings.driver, longest, pulls)
        for node in range(nodes):
            self._at(self._chance.expovariate(1 / settings.loss), "lost", node)

    def run(self) -> Seen:
        """All jobs, to the end of the last."""
        now, driver, ended, total = 0.0, 0.0, 0, len(self._jobs)
        tests = 0.0
        while ended < total:
            while self._jobs and self._threads and driver <= now:
                driver = max(driver, now) + self._settings.driver
                self._send(*self._jobs.popleft(), driver)
            if self._jobs and self._threads and (not self._events or driver < self._events[0][0]):
                now = driver
                continue
            now, _, kind, who, seconds = heapq.heappop(self._events)
            if kind == "ended" and self._nodes[who[0]].generation == who[2]:
                self._leave(who[0], who[1], now)
                ended, tests = ended + 1, tests + seconds
            elif kind == "pulled" and self._nodes[who[0]].generation == who[2]:
                self._pulled(who[0], who[1], now)
            elif kind == "lost" and self._nodes[who[0]].there:
                self._lost(who[0], now)
            elif kind == "back":
                self._back(who[0], now)
        whole = now * sum(self._slots.values())
        self.seen.makespan, self.seen.busy, self.seen.pulling = now, tests / whole, self.seen.pulling / whole
        self.seen.driver = total * self._settings.driver / now
        return self.seen

    def _at(self, when: float, kind: str, *who: int, seconds: float = 0.0) -> None:
        heapq.heappush(self._events, (when, next(self._order), kind, who, seconds))

    def _send(self, image: int, seconds: float, now: float) -> None:
        self._threads -= 1
        # Of a thousand nodes a few say enough of what is free elsewhere.
        some = [n for n in self._chance.sample(range(len(self._nodes)), 16) if self._nodes[n].there]
        having = self._having[image] | self._getting[image]
        node = chosen_node(having, {n: self._slots[n] for n in {*some, *having}}, self._busy)
        if node is None:
            node = next(n for n, found in enumerate(self._nodes) if found.there)
        self._busy[node] += 1
        self._nodes[node].using[image] += 1
        if image in self._nodes[node].images:
            self._nodes[node].images.move_to_end(image)
            self._arrive(node, image, seconds, now)
        elif (node, image) in self._waiting:
            self._waiting[node, image].append((seconds, now))
        else:
            self._waiting[node, image] = [(seconds, now)]
            self._getting[image].add(node)
            self._turns[image].append((node, self._nodes[node].generation))
            self._begin_pulls(image, now)

    def _arrive(self, node: int, image: int, seconds: float, now: float) -> None:
        """A job whose image is there: it takes a place, or waits for one."""
        found = self._nodes[node]
        if found.running < self._slots[node]:
            found.running += 1
            self._at(now + seconds, "ended", node, image, found.generation, seconds=seconds)
        else:
            found.queue.append((image, seconds))

    def _begin_pulls(self, image: int, now: float) -> None:
        while self._turns[image] and self._pulls[image] < max(1, len(self._having[image])):
            node, generation = self._turns[image].popleft()
            if self._nodes[node].generation == generation:
                self._pulls[image] += 1
                self.seen.pulls += 1
                self._at(now + self._chance.lognormvariate(0, SPREAD) * self._settings.pull, "pulled", node, image,
                         generation)  # fmt: skip

    def _pulled(self, node: int, image: int, now: float) -> None:
        found = self._nodes[node]
        self._pulls[image] -= 1
        self._having[image].add(node)
        self._getting[image].discard(node)
        found.images[image] = None
        for old in list(found.images):
            if len(found.images) <= self._settings.kept:
                break
            if not found.using[old]:
                del found.images[old]
                self._having[old].discard(node)
        for seconds, since in self._waiting.pop((node, image)):
            self.seen.pulling += now - since
            self._arrive(node, image, seconds, now)
        self._begin_pulls(image, now)

    def _leave(self, node: int, image: int, now: float) -> None:
        self._busy[node] -= 1
        self._threads += 1
        found = self._nodes[node]
        found.using[image] -= 1
        found.running -= 1
        if found.queue:
            self._arrive(node, *found.queue.popleft(), now)

    def _lost(self, node: int, now: float) -> None:
        found = self._nodes[node]
        again = list(found.queue)
        for _, _, kind, who, seconds in self._events:
            if who[0] == node and who[2:] == (found.generation,):
                if kind == "ended":
                    again.append((who[1], seconds))
                elif kind == "pulled":
                    self._pulls[who[1]] -= 1
        for name in [name for name in self._waiting if name[0] == node]:
            self._getting[name[1]].discard(node)
            again += [(name[1], seconds) for seconds, _ in self._waiting.pop(name)]
        self.seen.lost += len(again)
        self._threads += len(again)
        for image, _ in again:
            self._getting[image].discard(node)
        self._jobs.extendleft(again)
        self._busy[node] = 10 * self._slots[node]  # nothing is sent there
        self._nodes[node] = Node(found.images, there=False, generation=found.generation + 1)
        for image in found.images:
            self._having[image].discard(node)
        self._at(now + BACK_SECONDS, "back", node)

    def _back(self, node: int, now: float) -> None:
        found = self._nodes[node]
        found.there = True
        self._busy[node] = 0
        for image in found.images:
            self._having[image].add(node)
        self._at(now + self._chance.expovariate(1 / self._settings.loss), "lost", node)


def drawn(evaluations: int, slower: float) -> "deque[tuple[int, float]]":
    """Jobs in the order of a run: all of an instance's under one checkpoint, then the next instance's."""
    chance = random.Random(0)
    known = json.loads((Path(harness.dataset.__file__).parent / "pypi_instances.json").read_text())
    seconds = [found["seconds"] for found in known["instances"]]
    usual = [chance.choice(seconds) * slower for _ in range(IMAGES)]  # of an instance
    rounds = max(1, evaluations // (IMAGES * 20))
    each = evaluations // (IMAGES * rounds)
    return deque(
        (image, usual[image] * chance.uniform(0.8, 1.25))
        for _ in range(rounds)
        for image in range(IMAGES)
        for _ in range(each)
    )


def records() -> tuple[float, float]:
    """Bytes of the driver's memory, and of its journal, for each verdict that it keeps."""
    tests = tuple(f"tests/test_package.py::TestCase::test_{number}" for number in range(TESTS))

    def record(number: int) -> tuple[str, dict[str, object]]:
        verdict = Verdict(
            instance_id=f"owner__repository-{number % IMAGES}", outcome=Outcome.UNRESOLVED, phase=Phase.GRADE,
            key=f"{number:032x}", seconds=9.0, fail_to_pass_failure=tests[:1], pass_to_pass_success=tests[1:],
        )  # fmt: skip
        return verdict.key, {"verdict": verdict.model_dump(mode="json")}

    with TemporaryDirectory() as folder, Journal(Path(folder, "evaluations.jsonl.gz")) as journal:
        journal.put(*record(0))
        gc.collect()
        before = resident()
        for number in range(1, RECORDS):
            journal.put(*record(number))
        gc.collect()
        grown = max(0, resident() - before)
        written = sum(path.stat().st_size for path in Path(folder).iterdir())
    return grown / RECORDS, written / RECORDS


def resident() -> int:
    """Bytes of this process's memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Print the table and what is missed."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--places", type=int, default=16, help="jobs that a node takes at a time")
    parser.add_argument("--driver-ms", type=float, default=11.0, help="milliseconds of the driver for a job")
    parser.add_argument("--pull", type=float, default=40.0, help="seconds of a pull, median")
    parser.add_argument("--kept", type=int, default=60, help="images that fit on a node's disk")
    parser.add_argument("--loss-hours", type=float, default=500.0, help="hours between two losses of a node")
    parser.add_argument("--slower", type=float, nargs="+", default=[1.0, 8.0], help="times the measured test times")
    parser.add_check("if a cluster takes longer than 3 times its bound")
    given = parser.parse_args()
    memory, journal = records()
    print(f"| {' | '.join(HEADINGS)} |\n|{'---:|' * len(HEADINGS)}")
    missed = 0
    for slower in given.slower:
        for nodes, evaluations in SIZES:
            jobs = drawn(evaluations, slower)
            total, mean = len(jobs), sum(seconds for _, seconds in jobs) / len(jobs)
            hours = given.loss_hours * 3600
            settings = Settings(given.places, given.driver_ms / 1000, given.pull, given.kept, hours)
            seen = Simulation(nodes, settings, jobs).run()
            ratio = seen.makespan / seen.bound
            missed += ratio > SLACK
            cells = (
                f"{nodes}", f"{total:,}", f"{mean:.1f} s", f"{seen.makespan / 3600:.2f} h", f"{ratio:.2f}",
                f"{seen.pulls:,}", f"{seen.pulling:.2f}", f"{seen.busy:.0%}", f"{seen.driver:.0%}",
                f"{mean / settings.driver:,.0f}", f"{seen.lost}", f"{memory * total / (1 << 20):,.0f} MiB",
                f"{journal * total / 1e6:,.0f} MB",
            )  # fmt: skip
            print(f"| {' | '.join(cells)} |", flush=True)
    print(f"figures: bytes_in_memory={memory:.0f} bytes_in_journal={journal:.0f} missed={missed}")
    sys.exit(bool(given.check and missed))


if __name__ == "__main__":
    main()
