"""Evaluations on a real Ray cluster whose nodes share this machine and its Docker daemon."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from daemon import import_little_image
from test_one_budget import SAME, SCRIPT, TEST
from test_run import assert_ended_alike, write_run_file
from test_run import start as start_run

from harness.cluster.executions import EXECUTIONS
from harness.common.docker_client import RUN_LABEL
from harness.common.run_folder import journal_path, run_label
from harness.compare.frames import json_lines
from harness.config.schema import EvaluationConfig, ImagesConfig
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.core.interfaces import Command, Job
from harness.dataset.instances import load_instances
from harness.errors import InputError
from harness.images.names import local_names
from harness.images.saved_images import SavedImages
from harness.images.unpack_all import from_engine
from harness.repo.diff import creation_patch
from harness.sandbox.apptainer_machine import enforced_by_apptainer, image_folders, jobs_folder
from harness.sandbox.job_folders import LABELS
from harness.sandbox.left_over import NODE_LABEL

ray = pytest.importorskip("ray")

pytestmark = [
    pytest.mark.docker,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning:ray.*"),
]

NODE = {"num_cpus": 2, "resources": {"sandbox": 2}, "object_store_memory": 100 << 20, "include_dashboard": False}
SLOW = creation_patch("pytest.py", b"import time\ntime.sleep(15)\n")  # what `python -m pytest` then finds first


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    """Two nodes that take two jobs each."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    cluster.add_node(**NODE)
    yield cluster
    cluster.shutdown()


@pytest.fixture(params=["docker", "apptainer"])
def kind(request, miniature_rows, docker_client) -> str:
    """What runs containers on the nodes, and has the images of the miniature instances."""
    if request.param == "apptainer":
        try:
            enforced_by_apptainer()
        except InputError as error:
            pytest.skip(str(error))
        names = [local_names(instance)[0] for instance in load_instances(str(miniature_rows))]
        from_engine(image_folders(), docker_client, names)
    return str(request.param)


def predictions(rows: Path, path: Path, patch: Callable[[int, dict], str]) -> Path:
    """A file with one prediction for each row."""
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    found = [
        {"instance_id": row["instance_id"], "model_name_or_path": "m", "model_patch": patch(number, row)}
        for number, row in enumerate(lines)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in found))
    return path


def start(rows: Path, patches: Path, output: Path, *settings: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness.cli", "evaluate", "--dataset", str(rows), "--predictions", str(patches)]
    command += ["--output", str(output), "evaluation.control=false", *settings]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def on_ray(cluster) -> tuple[str, str]:
    return "evaluation.executor=ray", f"evaluation.ray_address={cluster.address}"


def finish(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 0, printed
    return printed


def table(output: Path) -> list[dict[str, str]]:
    """The table without what the machine's speed decides."""
    with (output / "table.csv").open() as file:
        return [{k: v for k, v in row.items() if "seconds" not in k} for row in csv.DictReader(file)]


def executions(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / EXECUTIONS).read_text().splitlines()]


def containers(client, output: Path) -> list:
    label = f"{RUN_LABEL}={run_label(output)}"
    return client.containers.list(all=True, filters={"label": label}, ignore_removed=True)


def jobs(kind: str, client, output: Path) -> dict[str, str]:
    """The jobs of a run that have something on this machine, and the node that began each."""
    if kind == "docker":
        return {container.id: container.labels[NODE_LABEL] for container in containers(client, output)}
    found = [folder / LABELS for folder in jobs_folder().glob(f"{run_label(output)}-*")]
    return {file.parent.name: json.loads(file.read_text())[NODE_LABEL] for file in found if file.is_file()}


def wait_until(holds: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def records(output: Path) -> Iterator[dict]:
    return json_lines(journal_path(output, "evaluations"), torn=True)


def outcomes(output: Path) -> dict[str, str]:
    return {record["verdict"]["instance_id"]: record["verdict"]["outcome"] for record in records(output)}


def test_the_tables_are_those_of_one_machine(miniature_rows, tmp_path, cluster, docker_client, kind) -> None:
    patches = predictions(
        miniature_rows, tmp_path / "p.jsonl", lambda n, row: row["patch"] if n else creation_patch("a.txt", b"a\n")
    )
    here, there = tmp_path / "here", tmp_path / "there"
    finish(start(miniature_rows, patches, here, f"evaluation.sandbox={kind}"))
    finish(start(miniature_rows, patches, there, *on_ray(cluster), f"evaluation.sandbox={kind}"))
    assert outcomes(there) == outcomes(here)
    assert sorted(outcomes(here).values()) == ["resolved", "resolved", "unresolved"]
    assert table(there) == table(here)
    assert [(len(job["tries"]), job["tries"][0]["end"]) for job in executions(there)] == [(1, "first")] * 3
    assert jobs(kind, docker_client, there) == {}
    made_by = {line["verdict"]["circumstances"]["sandbox"].split()[0] for line in records(there)}
    assert made_by == {kind}


def test_a_whole_run_ends_as_on_one_machine(miniature_rows, tmp_path, cluster, stub) -> None:
    """Two checkpoints, with validation, and the counter-evaluation of what is resolved."""
    run_file = write_run_file(
        tmp_path / "run.yaml",
        miniature_rows,
        {},
        checkpoints=[{"name": name, "endpoint": stub[0], "revision": name} for name in ("stub", "other")],
        conditions=["gt-file"],
        references=["gold"],
        validation={"reproduction": {"samples": 1}},
    )
    here, there = tmp_path / "here", tmp_path / "there"
    finish(start_run(run_file, here))
    finish(start_run(run_file, there, *on_ray(cluster), "evaluation.workers=4"))
    assert_ended_alike(there, here, ["gt-file"])
    assert len(executions(there)) > 12
    known = len(stub[1].read_text())
    finish(start_run(run_file, there))
    assert not (there / "earlier").exists(), "the executor is no setting that results depend on"
    assert len(stub[1].read_text()) == known


def test_a_node_pulls_what_none_has_and_the_driver_reads_its_repository(
    docker_client, registry, row, tmp_path, cluster
) -> None:
    image = f"{registry.address}/cluster/one"
    import_little_image(docker_client, tmp_path / "little", image, {"a.py": "x = 1\n"})
    registry.take(docker_client, image, "latest")
    columns = {"image": f"{image}:latest", "eval_script": SCRIPT, "PASS_TO_PASS": "[]", "FAIL_TO_PASS": f'["{TEST}"]'}
    columns |= {"log_parser": "parse_log_pytest", "test_patch": creation_patch("tests/test_a.py", b"pass")}
    instance = row(instance_id="harness-test__cluster-1", **columns)
    answer = {"instance_id": instance["instance_id"], "stage": "repair", "text": SAME}
    for name, line in (("rows", instance), ("answers", answer)):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(line))
    run_file = write_run_file(
        tmp_path / "run.yaml",
        tmp_path / "rows.jsonl",
        {"name": "recorded", "answers": str(tmp_path / "answers.jsonl")},
        conditions=["gt-file"],
        references=["gold"],
        sampling={"samples": 1, "greedy": True},
    )
    process = start_run(run_file, tmp_path / "out", *on_ray(cluster), "evaluation.pull=true")
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 0, printed
    assert [line["resolved"] for line in table(tmp_path / "out")] == ["1", "1"]
    docker_client.images.remove(image)


def test_jobs_whose_image_is_still_to_come_take_no_place(
    docker_client, registry, proxy, miniature_rows, tmp_path, cluster
) -> None:
    """More of them than there are places; a node asks the registry for each layer once."""
    from harness.cluster.cluster_connection import connected
    from harness.cluster.executions import Executions
    from harness.cluster.ray_sandbox import RaySandbox

    import_little_image(docker_client, tmp_path / "little", f"{registry.address}/cluster/late", {"a.py": "x = 1\n"})
    registry.take(docker_client, f"{registry.address}/cluster/late", "latest")
    here = load_instances(str(miniature_rows))[0]
    late = here.model_copy(update={"instance_id": "harness-test__late-1", "image": f"{proxy.address}/cluster/late"})
    of_image = {str(instance.image): instance for instance in (here, late)}
    may_come = threading.Event()
    proxy.rule = lambda request: "blobs" in request.path and not may_come.wait(60)
    evaluation = EvaluationConfig(executor="ray", ray_address=cluster.address, pull=True)

    def job(instance, number: int) -> Job:
        command = Command(("bash", "-c", f"echo {number}"))
        limits = replace(evaluation.limits(), not_enforced=connection.not_enforced)
        return Job(str(instance.image), {}, (command,), limits, workdir="/")

    with connected(evaluation, run_label(tmp_path)) as connection, ThreadPoolExecutor(6) as pool:
        connection.begin([here, late])
        sandbox = RaySandbox(connection, of_image.__getitem__, Executions(tmp_path))
        waiting = [pool.submit(sandbox.run, job(late, number)) for number in range(5)]
        try:
            wait_until(lambda: len(connection.under_way) == 5 and any("blobs" in asked for asked in proxy.asked))
            assert pool.submit(sandbox.run, job(here, 9)).result(timeout=120)[0].output == b"9\n"
            assert not any(one.done() for one in waiting)
        finally:
            may_come.set()
        assert [one.result(timeout=120)[0].output for one in waiting] == [f"{number}\n".encode() for number in range(5)]
    layers = Counter(asked for asked in proxy.asked if "blobs" in asked)
    assert set(layers.values()) == {1}


def test_a_node_loads_what_is_saved_in_a_folder(docker_client, row, tmp_path, cluster) -> None:
    """No registry is asked: nothing may be pulled."""
    from harness.cluster.cluster_connection import connected
    from harness.cluster.cluster_images import ClusterImages

    name = ImageName.parse("harness-test/saved:latest")
    import_little_image(docker_client, tmp_path / "little", str(name), {"a.py": "x = 1\n"})
    digest = docker_client.images.get(str(name)).id
    SavedImages(tmp_path / "images").save(docker_client, [name])
    docker_client.images.remove(str(name))
    instance = Instance.model_validate(row(image=str(name), eval_script=SCRIPT))
    folder = ImagesConfig(folder=tmp_path / "images")
    evaluation = EvaluationConfig(executor="ray", ray_address=cluster.address, images=folder)
    with connected(evaluation, run_label(tmp_path)) as connection:
        connection.begin([instance])
        images = ClusterImages(connection, evaluation)
        assert images.find(instance) is None
        assert images.wanted(instance) == name
        assert images.obtain(instance).digest == digest
    docker_client.images.remove(str(name))


def test_what_a_dying_node_ran_is_tried_elsewhere(miniature_rows, tmp_path, cluster, docker_client, kind) -> None:
    """Its containers go as well: in this test they lie on the machine that all nodes share."""
    output, third = tmp_path / "out", cluster.add_node(**NODE)
    process = start(
        miniature_rows,
        predictions(miniature_rows, tmp_path / "p.jsonl", lambda n, row: SLOW),
        output,
        *on_ray(cluster),
        "evaluation.workers=6",
        f"evaluation.sandbox={kind}",
    )

    def its_jobs() -> set[str]:
        return {job for job, node in jobs(kind, docker_client, output).items() if node == third.node_id}

    wait_until(its_jobs, process)
    time.sleep(1)  # until the slow tests run
    lost = its_jobs()
    cluster.remove_node(third, allow_graceful=False)
    wait_until(lambda: not lost & jobs(kind, docker_client, output).keys(), process)
    finish(process)
    assert len(outcomes(output)) == 3
    assert "infrastructure" not in outcomes(output).values()
    moved = [one for job in executions(output) for one in job["tries"] if third.node_id in one["nodes"]]
    assert len(moved) == len(lost)
    assert all(one["nodes"][-1] != third.node_id and one["end"] == "first" for one in moved)
    assert jobs(kind, docker_client, output) == {}


def test_a_killed_driver_goes_on_and_its_containers_go(miniature_rows, tmp_path, cluster, docker_client) -> None:
    patches = predictions(miniature_rows, tmp_path / "p.jsonl", lambda n, row: row["patch"] if n else SLOW)
    output = tmp_path / "out"
    process = start(miniature_rows, patches, output, *on_ray(cluster))
    wait_until(lambda: len(list(_torn(output))) == 2, process)
    left = {container.id for container in containers(docker_client, output)}  # those that are being removed too
    assert left
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finish(start(miniature_rows, patches, output, *on_ray(cluster)))
    assert len(outcomes(output)) == 3
    assert len(executions(output)) == 3, "what was finished did not run again"
    assert containers(docker_client, output) == []
    assert not left & {c.id for c in docker_client.containers.list(all=True, ignore_removed=True)}


def test_an_interrupt_ends_the_jobs_on_the_nodes(miniature_rows, tmp_path, cluster, docker_client) -> None:
    """Ray sets a handler of its own for SIGTERM, which ended the process without a word and with another status."""
    patches, output = predictions(miniature_rows, tmp_path / "p.jsonl", lambda n, row: SLOW), tmp_path / "out"
    process = start(miniature_rows, patches, output, *on_ray(cluster))
    wait_until(lambda: len(containers(docker_client, output)) >= 2, process)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 130, printed
    assert "interrupted; the same command goes on from what is done" in printed
    assert "Traceback" not in printed
    wait_until(lambda: not containers(docker_client, output))


def _torn(output: Path) -> Iterator[dict]:
    path = journal_path(output, "evaluations")
    return json_lines(path, torn=True) if path.is_file() else iter(())


def test_a_straggler_is_started_once_more_and_the_first_counts(
    miniature_rows, tmp_path, cluster, docker_client
) -> None:
    """The first try stands still: its container is paused."""
    from harness.cluster.cluster_connection import connected
    from harness.cluster.executions import Executions
    from harness.cluster.ray_sandbox import RaySandbox

    instance = load_instances(str(miniature_rows))[0]
    evaluation = EvaluationConfig(executor="ray", ray_address=cluster.address)

    def job(script: str) -> Job:
        limits = replace(evaluation.limits(), not_enforced=connection.not_enforced)
        return Job(str(instance.image), {}, (Command(("bash", "-c", script)),), limits)

    with connected(evaluation, run_label(tmp_path)) as connection, ThreadPoolExecutor(1) as pool:
        connection.begin([instance])
        sandbox = RaySandbox(connection, lambda image: instance, Executions(tmp_path), late_seconds=4)
        assert sandbox.run(job("echo done"))[0].output == b"done\n"
        wait_until(lambda: not containers(docker_client, tmp_path))
        running = pool.submit(sandbox.run, job("sleep 6; echo done"))
        wait_until(lambda: [c for c in containers(docker_client, tmp_path) if c.status == "running"])
        [first] = containers(docker_client, tmp_path)
        time.sleep(1)  # until its command runs
        first.pause()
        assert running.result(timeout=120)[0].output == b"done\n"
        [_, late] = executions(tmp_path)
        assert [one["end"] for one in late["tries"]] == ["stopped", "first"]
        assert late["tries"][0]["nodes"] != late["tries"][1]["nodes"]
        wait_until(lambda: first.id not in {c.id for c in containers(docker_client, tmp_path)})


def test_logs_that_a_nodes_memory_has_no_room_for_come_whole(miniature_rows, tmp_path, cluster) -> None:
    """Eight of 24 MiB, four at a time, in stores of 100 MiB; the driver keeps all of them."""
    from harness.cluster.cluster_connection import connected
    from harness.cluster.executions import Executions
    from harness.cluster.ray_sandbox import RaySandbox

    instance, size = load_instances(str(miniature_rows))[0], 24 << 20
    evaluation = EvaluationConfig(executor="ray", ray_address=cluster.address)
    with connected(evaluation, run_label(tmp_path)) as connection, ThreadPoolExecutor(4) as pool:
        connection.begin([instance])
        sandbox = RaySandbox(connection, lambda image: instance, Executions(tmp_path))
        limits = replace(evaluation.limits(), not_enforced=connection.not_enforced)

        def log(number: int) -> bytes:
            command = Command(("bash", "-c", f"head -c {size} /dev/zero | tr '\\0' {number}"))
            [result] = sandbox.run(Job(str(instance.image), {}, (command,), limits))
            return result.output

        logs = list(pool.map(log, range(8)))
    assert [(len(text), set(text)) for text in logs] == [(size, {ord(str(number))}) for number in range(8)]


def test_without_a_cluster_there_is_one_line(miniature_rows, tmp_path) -> None:
    process = start(
        miniature_rows, Path("gold"), tmp_path, "evaluation.executor=ray", "evaluation.ray_address=127.0.0.1:1"
    )
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    [line] = printed.splitlines()
    assert "no Ray cluster answers at 127.0.0.1:1" in line
    assert "ray start --head" in line
