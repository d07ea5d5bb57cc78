"""What preparing one instance costs: snapshot, symbols, retrieval and every prompt, cold and warm, beside a plain way.

    .venv/bin/python benchmarks/prepare.py --rows ROWS.jsonl [--check]

ROWS are SWE-bench rows whose base states `harness images build` has rebuilt on this machine. The plain way is what
Agentless does before it can ask anything: parse every Python file, cut the text of each definition out with its own
`splitlines`, write the whole structure as JSON. Each measurement has a process and a store of its own.
"""

import argparse
import ast
import asyncio
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from parts.arguments import BenchmarkParser

from harness.common.paths import cache_folder
from harness.config.localization_keys import LocalizationConfig
from harness.config.schema import SamplingConfig
from harness.core.instance import Instance
from harness.core.interfaces import Answer, Sampling, Snapshot
from harness.dataset.instances import load_instances
from harness.localize.named_files import rank_paths, source_paths
from harness.localize.stages import Localization, Localizer
from harness.model.prompts import Prompts
from harness.repair.source import LocatedSource
from harness.repo.blob_cache import BlobStore
from harness.repo.gold_locations import gold_locations
from harness.repo.snapshot import open_repository
from harness.repo.symbols import parse_elements, parse_tree

REPOSITORIES = ("pallets/flask", "pytest-dev/pytest", "django/django", "sympy/sympy")  # of requests none is rebuilt
PARSE = "parse alone"
WAYS = (
    "prompts only, cold",
    "with retrieval, cold",
    "neighbour, warm",
    "same, warm",
    "every .py, cold",
    PARSE,
    "plain",
)
# Seconds of one core, MB. What parses everything is bound by tree-sitter: a core on which all of sympy's Python files
# take longer than REFERENCE_PARSE, as the same run measures it, gets as much longer for that, and for nothing else.
REFERENCE_PARSE = 4.5
TARGETS = {
    ("sympy/sympy", "prompts only, cold"): 0.5,
    ("sympy/sympy", "with retrieval, cold"): 8.0,
    ("sympy/sympy", "neighbour, warm"): 0.5,
}
ALL_WARM_SECONDS, MEMORY_MB = 15.0, 600.0
STAGES = {"elements": {"enabled": True}, "lines": {"samples": 4}}
RETRIEVAL = STAGES | {"retrieval": {"files": 10}}


class Answering:
    """A `Model` that takes no time: it names the files, elements and lines of the gold patch, in the stages' order."""

    revision = "none"

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = list(texts)

    async def answer(self, prompt: str, sampling: Sampling, index: int) -> Answer:  # noqa: ARG002 - the protocol's
        text = self._texts.pop(0) if len(self._texts) > 1 else self._texts[0]
        return Answer(text, "stop", len(prompt) // 4, len(text) // 4, 0.0)

    async def count_tokens(self, text: str) -> int:
        return len(text) // 4

    async def context_length(self) -> int:
        return 128_000


def answers(instance: Instance, snapshot: Snapshot) -> list[str]:
    """What the model will say; made before the clock starts."""
    gold = gold_locations(instance, snapshot, 0)
    others = rank_paths(instance.problem_statement, source_paths(snapshot.paths()))[:3]
    names = "\n".join(dict.fromkeys([*(place.path for place in gold), *others]))
    elements, lines = [], []
    for place in gold:
        found = [element for element in parse_elements(snapshot.read(place.path), "python") if place.intervals]
        first, last = place.intervals[0] if place.intervals else (1, 1)
        inside = [e.name for e in found if e.first <= last and first <= e.last]
        elements += [place.path, *(f"function: {name}" for name in inside[-2:])]
        lines += [place.path, f"lines: {first}-{last}"]
    return [names, "\n".join(elements), "\n".join(lines)]


def prepare(
    instance: Instance, snapshot: Snapshot, store: BlobStore, config: dict[str, object], texts: list[str]
) -> int:
    """Every prompt of one instance up to repair; gives the characters in the repair prompts."""
    prompts = Prompts("agentless")
    localizer = Localizer(prompts, LocalizationConfig.model_validate(config), SamplingConfig(), store)
    found: Localization = asyncio.run(localizer.localize(Answering(texts), instance, snapshot))
    length = 0
    for locations in found.sets:
        source = LocatedSource(instance.problem_statement, snapshot, locations)
        files = source.files(len(source.ranked))
        length += len(prompts.render("repair", issue=instance.problem_statement, files=files))
    return length


def plain(snapshot: Snapshot) -> int:
    """The whole structure of a snapshot's Python files, as JSON; gives its bytes."""
    structure: dict[str, object] = {}
    for path in (path for path in snapshot.paths() if path.endswith(".py")):
        text = snapshot.read(path).decode("utf-8", "replace")
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        definitions = [
            n for n in ast.walk(tree) if isinstance(n, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        structure[path] = {
            "text": text.splitlines(),
            "definitions": [
                {"name": n.name, "start": n.lineno, "text": text.splitlines()[n.lineno - 1 : n.end_lineno]}
                for n in definitions
            ],
        }
    return len(json.dumps(structure))


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Wall and processor seconds of ``work``, git's processes included where they have ended."""
    wall, before = time.perf_counter(), os.times()
    work()
    after = os.times()
    used = sum(after[:4]) - sum(before[:4])
    return {"wall": time.perf_counter() - wall, "cpu": used}


def measure(way: str, rows: Path, ids: list[str]) -> dict[str, float]:
    """One measurement, in this process."""
    import git  # noqa: F401 - what is imported is not measured
    import jinja2  # noqa: F401
    import tree_sitter  # noqa: F401

    import harness.repo.retrieval  # noqa: F401

    repository = open_repository(cache_folder())
    instances = load_instances(str(rows), ids=ids)
    said = {i.instance_id: answers(i, repository.snapshot(i)) for i in instances}
    config = STAGES if way == "prompts only, cold" else RETRIEVAL

    def run(instance: Instance, store: BlobStore) -> None:
        prepare(instance, repository.snapshot(instance), store, config, said[instance.instance_id])

    with tempfile.TemporaryDirectory() as folder, BlobStore(Path(folder) / "derived.sqlite3") as store:
        first, last = instances[0], instances[-1]
        if way == "plain":
            result = timed(lambda: plain(repository.snapshot(first)))
        elif way == PARSE:
            result = timed(lambda: parse_everything(repository.snapshot(first)))
        elif way == "every .py, cold":
            result = timed(lambda: search_everything(first, repository.snapshot(first), store))
        elif way == "all, warm":
            for instance in instances:
                run(instance, store)
            result = timed(lambda: [run(instance, store) for instance in instances])
        else:
            if way.endswith("warm"):
                run(first, store)
            result = timed(lambda: run(last if way.startswith("neighbour") else first, store))
    return result | {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def parse_everything(snapshot: Snapshot) -> None:
    """Nothing but tree-sitter over every Python file: what this core is measured by."""
    for path in snapshot.paths():
        if path.endswith(".py"):
            parse_tree(snapshot.read(path), "python")


def search_everything(instance: Instance, snapshot: Snapshot, store: BlobStore) -> None:
    """Retrieval over every Python file, tests included, which the pipeline leaves out."""
    from harness.repo.retrieval import Retrieval

    paths = [path for path in snapshot.paths() if path.endswith(".py")]
    Retrieval(store).search(snapshot, paths, instance.problem_statement)


def measured(way: str, rows: Path, ids: Sequence[str]) -> dict[str, float]:
    """The same, in a process of its own."""
    command = [sys.executable, __file__, "--rows", str(rows), "--measure", way, *ids]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> int:
    """Measure, print the table and the conditions; 1 where a target is missed and ``--check`` given."""
    parser = BenchmarkParser(__doc__)
    parser.add_rows("rows whose base states were rebuilt here")
    parser.add_check("when a target is missed")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("ids", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.rows, given.ids)))
        return 0
    held = rebuilt(given.rows)
    figures: dict[str, dict[str, float]] = {}
    print(f"{'repository':16} {'.py files':>9} {'MB':>6}  {'way':22} {'cpu s':>7} {'wall s':>7} {'MB used':>8}")
    for repository in REPOSITORIES:
        if repository not in held:
            print(f"{repository}: no base state of it is rebuilt here, so it is left out")
            continue
        ids, differing = neighbours(held[repository])
        files, size = extent(next(i for i in held[repository] if i.instance_id == ids[0]))
        print(f"{repository}: {ids[0]}, whose neighbour {ids[1]} differs in {differing} files")
        for way in WAYS:
            figures[f"{repository}: {way}"] = found = measured(way, given.rows, ids)
            columns = f"{found['cpu']:7.2f} {found['wall']:7.2f} {found['memory']:8.0f}"
            print(f"{repository:16} {files:9} {size:6.1f}  {way:22} {columns}", flush=True)
    every = [instance.instance_id for instances in held.values() for instance in instances]
    figures["all: warm"] = found = measured("all, warm", given.rows, every)
    seconds = f"{found['cpu']:.2f} s cpu, {found['wall']:.2f} s wall"
    print(f"{len(every)} instances of {len(held)} repositories, warm: {seconds}")
    return report(figures, given.check)


def allowed(way: str, limit: float, slower: float) -> float:
    """Seconds that a way may take on a core that parses ``slower`` times as long as the reference."""
    return limit * slower if way == "with retrieval, cold" else limit


def report(figures: dict[str, dict[str, float]], check: bool) -> int:
    """Print conditions, missed targets and the figures."""
    parse = figures.get(f"sympy/sympy: {PARSE}", {"cpu": REFERENCE_PARSE})["cpu"]
    slower = max(1.0, parse / REFERENCE_PARSE)
    missed = [
        f"{repository}, {way}: {figures[f'{repository}: {way}']['cpu']:.2f} s over {allowed(way, limit, slower):.2f} s"
        for (repository, way), limit in TARGETS.items()
        if figures.get(f"{repository}: {way}", {"cpu": 0.0})["cpu"] > allowed(way, limit, slower)
    ]
    if figures["all: warm"]["cpu"] > ALL_WARM_SECONDS:
        missed.append(f"all instances: {figures['all: warm']['cpu']:.2f} s over {ALL_WARM_SECONDS:.2f} s")
    peak = max(found["memory"] for way, found in figures.items() if not way.endswith("plain"))
    if peak > MEMORY_MB:
        missed.append(f"memory: {peak:.0f} MB over {MEMORY_MB:.0f} MB")
    print(
        f"Conditions: Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f} at the end; the operating system has the repositories in its page cache; "
        "imports are not counted; retrieval over source files, tests left out, but for 'every .py'; "
        "the neighbour is the nearest that differs; targets are held against processor seconds, "
        f"for a core that parses sympy in {REFERENCE_PARSE} s; this one took {parse:.1f} s, so x {slower:.2f} there: "
        + "; ".join(f"{way} {allowed(way, limit, slower):.2f} s" for (_, way), limit in TARGETS.items())
    )
    print("\n".join(f"MISSED {line}" for line in missed) or "All targets met.")
    print(json.dumps({way: {k: round(v, 2) for k, v in found.items()} for way, found in figures.items()}))
    return 1 if check and missed else 0


def rebuilt(rows: Path) -> dict[str, list[Instance]]:
    """The instances whose base state is on this machine, by repository."""
    held = defaultdict(list)
    folder = cache_folder() / "repos"
    for instance in load_instances(str(rows)):
        bare = folder / f"{instance.repo.replace('/', '__')}.git"
        reference = [
            "git",
            "-C",
            str(bare),
            "rev-parse",
            "--quiet",
            "--verify",
            f"refs/instances/{instance.instance_id}",
        ]
        if bare.is_dir() and subprocess.run(reference, capture_output=True, check=False).returncode == 0:
            held[instance.repo].append(instance)
    return dict(held)


def neighbours(instances: Sequence[Instance]) -> tuple[list[str], int]:
    """The two whose base states differ in the fewest files, but do differ, and in how many of the second's."""
    repository = open_repository(cache_folder())
    blobs = {}
    for instance in instances:
        snapshot = repository.snapshot(instance)
        blobs[instance.instance_id] = {(path, snapshot.blob(path)) for path in snapshot.paths()}
    pairs = ((a, b, len(blobs[b] - blobs[a])) for a in blobs for b in blobs)
    first, second, count = min((pair for pair in pairs if pair[2]), key=lambda pair: pair[2])
    return [first, second], count


def extent(instance: Instance) -> tuple[int, float]:
    """Python files of a snapshot, and their MB."""
    snapshot = open_repository(cache_folder()).snapshot(instance)
    sizes = [len(snapshot.read(path)) for path in snapshot.paths() if path.endswith(".py")]
    return len(sizes), sum(sizes) / 1e6


if __name__ == "__main__":
    sys.exit(main())
