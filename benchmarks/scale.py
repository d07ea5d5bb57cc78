"""Many evaluations with tests that take no time: throughput, and whether anything grows or is left over.

    .venv/bin/python benchmarks/scale.py [--instances 500] [--checkpoints 7] [--workers 2] [--check]

Every evaluation is another patch on one little image, so nothing is answered from the journal. With ``--check`` the
exit status is 1 when the harness' memory grows, or containers, descriptors or threads are left.
"""

import gc
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from parts.arguments import BenchmarkParser

from harness.build.base import make_base
from harness.build.builder import build_images
from harness.common.docker_client import RUN_LABEL, connect
from harness.common.run_folder import RunFolder
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.dataset.recipes import load_recipes
from harness.grading.session import Session, evaluation_session
from harness.images.inventory import remove_images
from harness.pipeline.executors import open_executor

INSTANCE_ID = "harness-Bench__scale-1"
TEST = "tests/test_a.py::test_new"
MEMORY_GROWTH_MIB = 32  # between a tenth of the way and the end: verdicts held in memory, and nothing else
NEW_FILE = "diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{line}\n"


def make_instance(folder: Path) -> tuple[Instance, Path]:
    """An instance whose tests are one line of output, and the file with its recipe."""
    (folder / "source" / "tests").mkdir(parents=True)
    (folder / "source" / "a.py").write_text("x = 1\n")
    recipe = {
        "instance_id": INSTANCE_ID,
        "environment": "bare",
        "folder": {"path": "source"},
        "install": None,
        "test_cmd": f"echo PASSED {TEST}; echo == 1 passed in 0.00s ==",
        "log_parser": "parse_log_pytest",
    }
    environment = {"python": "3.11", "requirements": ["iniconfig==2.0.0"]}
    recipes = folder / "recipes.json"
    recipes.write_text(json.dumps({"environments": {"bare": environment}, "instances": [recipe]}))
    instance = Instance(
        instance_id=INSTANCE_ID,
        repo="harness-bench/scale",
        base_commit="0" * 40,
        patch="",
        test_patch=NEW_FILE.format(path="tests/test_a.py", line="pass"),
        problem_statement="",
        fail_to_pass=(TEST,),
        pass_to_pass=(),
    )
    return instance, recipes


def resident_mib() -> float:
    """Memory of this process that is its own."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors() -> int:
    """Open file descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def evaluate_all(session: Session, instance: Instance, count: int) -> list[float]:
    """Evaluate ``count`` patches; gives the memory (MiB) after each tenth of them."""
    memory = []
    step = max(count // 10, 1)
    for start in range(0, count, step):
        patches = [NEW_FILE.format(path="b.py", line=f"y = {n}") for n in range(start, min(start + step, count))]
        verdicts = [future.result() for future in [session.submit(instance, patch) for patch in patches]]
        wrong = [verdict for verdict in verdicts if verdict.outcome is not Outcome.RESOLVED]
        if wrong:
            sys.exit(f"not resolved: {wrong[0]}")
        gc.collect()
        memory.append(resident_mib())
        print(f"{start + len(patches):>6} done, {memory[-1]:.1f} MiB, {descriptors()} descriptors", flush=True)
    return memory


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--instances", type=int, default=500, help="instances of the imagined run")
    parser.add_argument("--checkpoints", type=int, default=7, help="patches on each of them")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="containers at a time")
    parser.add_check("when memory grows, or anything is left over")
    arguments = parser.parse_args()
    count = arguments.instances * arguments.checkpoints
    client = connect()
    make_base(client, "3.11", "auto")
    with tempfile.TemporaryDirectory() as name:
        figures = measure(client, Path(name), count, arguments.workers)
    remove_images(client, [INSTANCE_ID])
    figures["load_1min"] = round(os.getloadavg()[0], 1)
    print(f"{count} evaluations, {arguments.workers} workers, {os.cpu_count()} CPUs, tests of 0 s")
    print(json.dumps(figures))
    clean = not (figures["containers_left"] or figures["threads_left"] or figures["descriptors_left"])
    if arguments.check and not (clean and figures["memory_growth_mib"] <= MEMORY_GROWTH_MIB):
        sys.exit(1)


def measure(client, folder: Path, count: int, workers: int) -> dict[str, float]:  # noqa: ANN001 - the SDK's client
    """Figures of ``count`` evaluations."""
    instance, recipes = make_instance(folder)
    [built] = build_images(client, [instance], load_recipes(recipes), folder / "cache")
    if built.error:
        sys.exit(built.error)
    threads, files = threading.active_count(), descriptors()
    with RunFolder(folder / "run") as records:
        started = time.monotonic()
        config = EvaluationConfig(workers=workers)
        with (
            open_executor(config, records.path) as executor,
            evaluation_session([instance], config, records, executor, recipes) as session,
        ):
            memory = evaluate_all(session, instance, count)
        seconds = time.monotonic() - started
        label = f"{RUN_LABEL}={records.label}"
    gc.collect()
    more_threads, more_files = threading.active_count() - threads, descriptors() - files
    left = client.containers.list(all=True, filters={"label": label}, ignore_removed=True)
    return {
        "evaluations": count,
        "seconds": round(seconds, 1),
        "per_second": round(count / seconds, 2),
        "memory_growth_mib": round(memory[-1] - memory[len(memory) // 10], 1),
        "containers_left": len(left),
        "threads_left": more_threads,
        "descriptors_left": more_files,
    }


if __name__ == "__main__":
    main()
