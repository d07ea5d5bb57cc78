"""Real instances evaluated here and on Ray clusters: undisturbed, with a lost node, with a killed driver.

    benchmarks/on_ray.py --rows ROWS [--check] [--instances IDS] [--count 24] [--output FOLDER]

ROWS is a file in the 5.x schema whose images are here. Two patches of three are gold, the third changes nothing that is
tested. The nodes of each cluster share this machine and its containers' engine. Compared are the outcomes and the
tables, without their times.
"""

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ray.cluster_utils import Cluster

from harness.cluster.executions import EXECUTIONS
from harness.common.docker_client import connect
from harness.common.run_folder import journal_path, run_label
from harness.compare.frames import json_lines
from harness.repo.diff import creation_patch
from harness.sandbox.left_over import NODE_LABEL, LeftContainers

SLOTS = 1  # of a node
POLL_SECONDS = 0.5


def main() -> int:
    """Print what was seen; 1 if something differs and ``--check`` asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True, help="instances whose images are here")
    parser.add_argument("--check", action="store_true", help="exit with status 1 if something differs")
    parser.add_argument("--instances", help="ids, comma-separated; the first ones if not given")
    parser.add_argument("--count", type=int, default=24, help="how many, if they are not named")
    parser.add_argument("--output", type=Path, default=Path("results/on-ray"), help="folder of the records")
    given = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    given.output.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in given.rows.read_text(encoding="utf-8").splitlines()]
    named = given.instances.split(",") if given.instances else [row["instance_id"] for row in rows][: given.count]
    asked = Asked(given.rows, [row for row in rows if row["instance_id"] in named], given.output)
    expected = asked.local()
    same = [
        asked.compared("two nodes", expected, asked.undisturbed(2)),
        asked.compared("four nodes, one lost", expected, asked.node_lost()),
        asked.compared("two nodes, driver killed", expected, asked.driver_killed()),
    ]
    return int(given.check and not all(same))


@contextmanager
def cluster_of(nodes: int) -> Iterator[Cluster]:
    """A cluster on this machine."""
    node = {"num_cpus": SLOTS, "memory": SLOTS << 33, "resources": {"sandbox": SLOTS}, "object_store_memory": 200 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **node})
    try:
        for _ in range(nodes - 1):
            cluster.add_node(**node)
        yield cluster
    finally:
        cluster.shutdown()


class Asked:
    """The same question to several executors."""

    def __init__(self, rows: Path, asked: list[dict[str, str]], output: Path) -> None:
        self._rows = rows
        self._ids = [row["instance_id"] for row in asked]
        self._output = output
        self._predictions = output / "predictions.jsonl"
        nothing = creation_patch("nothing.txt", b"nothing\n")
        lines = [
            {
                "instance_id": row["instance_id"],
                "model_name_or_path": "m",
                "model_patch": nothing if n % 3 == 2 else row["patch"],
            }
            for n, row in enumerate(asked)
        ]
        self._predictions.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def local(self) -> Path:
        """On this machine."""
        return self._finished("here", self._start("here"))

    def undisturbed(self, nodes: int) -> Path:
        """On a cluster."""
        with cluster_of(nodes) as cluster:
            return self._finished("there", self._start("there", cluster))

    def node_lost(self) -> Path:
        """On a cluster that loses a node while it runs jobs."""
        with cluster_of(3) as cluster:
            node = cluster.add_node(
                num_cpus=SLOTS, memory=SLOTS << 33, resources={"sandbox": SLOTS}, object_store_memory=200 << 20
            )
            process = self._start("lost", cluster)

            def busy() -> bool:
                left = LeftContainers(connect(), run_label(self._output / "lost")).list()
                running = [container for container in left if container.labels.get(NODE_LABEL) == node.node_id]
                return self._third("lost") and bool(running)

            wait_until(busy, process)
            cluster.remove_node(node, allow_graceful=False)
            output = self._finished("lost", process)
        jobs = [json.loads(line) for line in (output / EXECUTIONS).read_text(encoding="utf-8").splitlines()]
        moved = [job["instance_id"] for job in jobs for one in job["tries"] if node.node_id in one["nodes"][:-1]]
        print(f"moved from the lost node: {', '.join(moved)}", flush=True)
        return output

    def driver_killed(self) -> Path:
        """On a cluster, with a driver that is killed and started again."""
        with cluster_of(2) as cluster:
            process = self._start("killed", cluster)
            wait_until(lambda: self._third("killed"), process)
            process.send_signal(signal.SIGKILL)
            process.wait()
            kept = len(outcomes(self._output / "killed"))
            print(f"the driver is killed with {kept} verdicts in its journal", flush=True)
            return self._finished("killed", self._start("killed", cluster))

    def compared(self, name: str, expected: Path, found: Path) -> bool:
        """Whether outcomes and tables are the same, and no container is left."""
        left = len(LeftContainers(connect(), run_label(found)).list())
        verdicts, tables = outcomes(found) == outcomes(expected), table(found) == table(expected)
        print(f"{name}: outcomes equal: {verdicts}; tables equal: {tables}; containers left: {left}", flush=True)
        return verdicts and tables and not left

    def _third(self, name: str) -> bool:
        return 3 * len(outcomes(self._output / name)) >= len(self._ids)

    def _start(self, name: str, cluster: Cluster | None = None) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "harness.cli", "evaluate", "--dataset", str(self._rows), "--predictions"]
        command += [str(self._predictions), "--output", str(self._output / name), "evaluation.control=false"]
        command += [f"evaluation.workers={sum(1 for _ in cluster.list_all_nodes()) if cluster else 2}"]
        command += [f"--instances={','.join(self._ids)}"]
        if cluster:
            command += ["evaluation.executor=ray", f"evaluation.ray_address={cluster.address}"]
        with (self._output / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def _finished(self, name: str, process: "subprocess.Popen[bytes]") -> Path:
        began = time.monotonic()
        status = process.wait()
        found = outcomes(self._output / name)
        print(f"{name}: status {status}, {len(found)} verdicts, {time.monotonic() - began:.0f} s", flush=True)
        return self._output / name


def wait_until(holds: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    """Wait for a moment in the life of a process that goes on. Raises RuntimeError if it has ended before."""
    while not holds():
        if process.poll() is not None:
            raise RuntimeError("the run ended before it could be disturbed")
        time.sleep(POLL_SECONDS)


def outcomes(output: Path) -> dict[str, str]:
    """Instance id -> outcome, of the verdicts by now."""
    path = journal_path(output, "evaluations")
    records = json_lines(path, torn=True) if path.is_file() else ()
    return {record["verdict"]["instance_id"]: record["verdict"]["outcome"] for record in records}


def table(output: Path) -> list[dict[str, str]]:
    """The table without times."""
    with (output / "table.csv").open(encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if "seconds" not in k} for row in csv.DictReader(file)]


if __name__ == "__main__":
    sys.exit(main())
