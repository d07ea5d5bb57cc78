import gc
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from docker.errors import APIError
from doubles import limits_with
from sandboxes import KINDS, opened

from harness.common.docker_client import RUN_LABEL, connect
from harness.core.interfaces import Command, Job
from harness.errors import InfrastructureError, InputError, SandboxError
from harness.sandbox.docker import DockerSandbox
from harness.sandbox.enforced import enforced
from harness.sandbox.limits import cage
from harness.sandbox.removal import end_and_flatten

pytestmark = pytest.mark.docker
RUN = "test-container"


@pytest.fixture(scope="module", params=KINDS)
def kind(request) -> str:
    """Each kind of a sandbox; the same tests run over all of them that are here."""
    return request.param


@pytest.fixture(scope="module")
def image(base_image) -> str:
    return base_image


@pytest.fixture(scope="module")
def engine(kind, docker_client, image) -> Iterator:
    """A client of the engine; a test that needs one says nothing of a sandbox without."""
    if kind == "apptainer":
        pytest.skip(f"{kind} has no engine")
    with opened(kind, docker_client, image, RUN):
        client = docker_client if kind == "docker" else connect(sandbox=kind)
    yield client
    if kind != "docker":
        client.close()


@pytest.fixture
def sandbox(kind, docker_client, image, request):
    engine = None if kind == "apptainer" else request.getfixturevalue("engine")
    with opened(kind, docker_client, image, RUN) as sandbox:
        yield sandbox
    if engine is None:
        assert sandbox.reap() == 0, "a job's files were left over"
        return
    deadline = time.monotonic() + 5
    while ours(engine) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ours(engine) == [], "a container was left over"


def ours(client) -> list:
    return client.containers.list(all=True, filters={"label": f"{RUN_LABEL}={RUN}"}, ignore_removed=True)


def has_file(container, path: str) -> bool:
    try:
        container.get_archive(path)
    except APIError:
        return False
    return True


def run(sandbox, image: str, *scripts: str, **limits):
    commands = tuple(Command(("/bin/bash", "-c", script)) for script in scripts)
    return sandbox.run(Job(image, {"/harness/in.txt": b"given\n"}, commands, limits_with(**limits), workdir="/"))


def test_commands_share_a_container_and_end_with_their_own_status(sandbox, image) -> None:
    first, second = run(sandbox, image, "cat /harness/in.txt > /made; echo out; echo err >&2", "cat /made; exit 3")
    assert (first.exit_status, first.output) == (0, b"out\nerr\n")
    assert (second.exit_status, second.output) == (3, b"given\n")
    limited = {"not_enforced"} if sandbox.engine.missing_of_note else set()
    assert set(first.circumstances) - limited == {
        "time_zone",
        "hash_seed",
        "cpu",
        "memory",
        "kernel",
        "sandbox",
        "platform",
    }
    assert (first.circumstances["time_zone"], first.circumstances["hash_seed"]) == ("UTC", "random")
    assert first.circumstances["kernel"].startswith(platform.release())
    assert first.circumstances["memory"].startswith("4096 of ")
    assert re.match(r"1 of \d+ \w", first.circumstances["cpu"])


LOOK_INTO_MEMORY = """
import ctypes, errno, mmap, os, platform
libc = ctypes.CDLL(None, use_errno=True)
file = os.open("/usr/bin/env", os.O_RDONLY)
pages = mmap.mmap(file, 0, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE)
address, seen = ctypes.addressof(ctypes.c_char.from_buffer(pages)), ctypes.create_string_buffer(64)
calls = {
    "mincore": lambda: libc.mincore(ctypes.c_void_p(address), 4096, seen),
    "cachestat": lambda: libc.syscall(451, file, (ctypes.c_ulong * 2)(0, 4096), (ctypes.c_ulong * 5)(), 0),
    "io_uring_setup": lambda: libc.syscall(425, 8, ctypes.create_string_buffer(120)),
}
for name, call in calls.items():
    ctypes.set_errno(0)
    print(name, call(), errno.errorcode.get(ctypes.get_errno()))
try:
    print("preadv2", os.preadv(file, [bytearray(16)], 0, os.RWF_NOWAIT))
except OSError as error:
    print("preadv2", errno.errorcode[error.errno])
print("preadv", os.preadv(file, [bytearray(4)], 0))
"""
WORK = """
import concurrent.futures, ctypes, multiprocessing, os, select, socket, subprocess, tempfile, threading
libc = ctypes.CDLL(None, use_errno=True)
if __name__ == "__main__":
    for kind in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(kind).Pool(2) as pool:
            assert pool.map(abs, [-1, -2]) == [1, 2], kind
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(abs, range(-9, 0))) == 45
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):
        socket.socket(family, socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_STREAM).close()
    for family in (38, 40):
        try:
            socket.socket(family, socket.SOCK_SEQPACKET)
            raise SystemExit(f"a socket of family {family}")
        except PermissionError:
            pass
    with tempfile.TemporaryDirectory() as folder:
        script = "cp -a /usr/bin/env . && ln -s env other && mkfifo pipe && tar cf e.tar env && sort -R e.tar | sha1sum"
        subprocess.run(script, shell=True, cwd=folder, check=True)
    assert libc.personality(ctypes.c_ulong(0xFFFFFFFF)) == 0
    assert libc.unshare(0x10000000) == -1 and ctypes.get_errno() == 1
    print("works")
"""


def test_a_container_can_not_see_what_others_read_from_its_image(sandbox, image) -> None:
    script = f"cat > /tmp/look.py <<'EOF'\n{LOOK_INTO_MEMORY}\nEOF\npython3 /tmp/look.py"
    [result] = run(sandbox, image, script)
    assert result.output.decode().splitlines() == [
        "mincore -1 ENOSYS",
        "cachestat -1 ENOSYS",
        "io_uring_setup -1 ENOSYS",
        "preadv2 EPERM",
        "preadv 4",
    ]


def test_programs_find_the_system_calls_that_they_need(sandbox, image) -> None:
    [result] = run(sandbox, image, f"cat > /tmp/work.py <<'EOF'\n{WORK}\nEOF\npython3 /tmp/work.py")
    assert result.output.decode().splitlines()[-1] == "works"


def test_a_job_runs_in_the_image_that_its_digest_names(sandbox, image) -> None:
    """A tag may be given to another image between the question for its digest and the job."""
    job = Job("harness/no-such-image:latest", {}, (Command(("/bin/true",)),), limits_with(), workdir="/")
    [result] = sandbox.run(replace(job, digest=sandbox.digest(image)))
    assert result.exit_status == 0


def test_files_that_do_not_go_in_are_nobodys_fault_but_the_machines(sandbox, image) -> None:
    job = Job(image, {"/proc/no/such": b""}, (Command(("/bin/true",)),), limits_with(), workdir="/")
    with pytest.raises(SandboxError, match=r"files could not be unpacked in the container: .*proc/no"):
        sandbox.run(job)


def test_a_command_may_be_given_many_megabytes_and_reads_no_input(sandbox, image) -> None:
    command = Command(("/bin/sh", "-c", "wc -c < /big; cat"))
    [result] = sandbox.run(Job(image, {"/big": bytes(60 << 20)}, (command,), limits_with(), workdir="/"))
    assert (result.exit_status, result.output) == (0, b"62914560\n")


def test_a_quick_commands_output_is_whole_however_late_its_reader_is(sandbox, image, monkeypatch) -> None:
    """What stood behind the head of the engine's reply when that was read was lost, and the command had ended well."""
    at_once = HTTPConnection.getresponse

    def late(connection: HTTPConnection) -> HTTPResponse:
        time.sleep(0.4)
        return at_once(connection)

    monkeypatch.setattr(HTTPConnection, "getresponse", late)
    assert [result.output for result in run(sandbox, image, "echo first", "echo second")] == [b"first\n", b"second\n"]


def test_a_command_that_closes_its_streams_is_waited_for(sandbox, image) -> None:
    first, second = run(sandbox, image, "exec >&- 2>&-; sleep 2; touch /made", "exec >&- 2>&-; sleep 2; exit 3")
    assert (first.exit_status, second.exit_status) == (0, 3)


def test_a_failing_command_is_the_last(sandbox, image) -> None:
    assert [r.exit_status for r in run(sandbox, image, "exit 5", "echo never")] == [5]


def test_containers_are_fresh(sandbox, image) -> None:
    run(sandbox, image, "touch /made")
    [result] = run(sandbox, image, "test -e /made")
    assert result.exit_status == 1


def test_time_limit_stops_and_removes_at_once(sandbox, image) -> None:
    started = time.monotonic()
    [result] = run(sandbox, image, "echo begun; sleep 60", seconds=4)  # a busy machine takes two to begin it
    assert result.timed_out
    assert result.exit_status is None
    assert result.output == b"begun\n"
    sandbox.close()
    # not the ten seconds more that a polite stop would wait
    assert time.monotonic() - started < 13


def test_a_patient_job_has_more_time_and_can_not_tell(sandbox, image) -> None:
    command = Command(("/bin/sh", "-c", "sleep 4; tr '\\0' ' ' < /proc/1/cmdline"))
    job = Job(image, {}, (command,), limits_with(seconds=30), workdir="/")
    [usual] = sandbox.run(job)
    [patient] = sandbox.run(replace(job, patient=True))
    assert usual.output.startswith((b"sleep ", b"appinit "))
    assert patient.output == usual.output
    [stopped] = sandbox.run(replace(job, limits=limits_with(seconds=3)))
    [ended] = sandbox.run(replace(job, limits=limits_with(seconds=3), patient=True))
    assert (stopped.timed_out, ended.exit_status) == (True, 0)


def test_no_container_can_tell_that_it_is_the_first_of_its_image(engine, image) -> None:
    """The first one was asked for its time zone, by processes that the numbers of the later ones showed."""
    began = int(time.time())
    with DockerSandbox(engine, f"{RUN}-first") as sandbox:
        for _ in range(2):
            sandbox.run(Job(image, {}, (Command(("/bin/true",)),), limits_with(), workdir="/"))
    kinds = {"type": "container", "label": f"{RUN_LABEL}={RUN}-first"}
    events = list(engine.api.events(since=began, until=int(time.time()) + 1, filters=kinds, decode=True))
    created = [event["Actor"]["ID"] for event in events if event["Action"] == "create"]
    ran = [event["Actor"]["ID"] for event in events if event["Action"].partition(":")[0] in ("exec_create", "exec")]
    assert [ran.count(container) for container in created] == [1, 1]


def test_memory_limit_is_recognised_as_such(sandbox, image) -> None:
    if not sandbox.engine.memory:
        pytest.skip("memory is not limited here, as the circumstances of a verdict say")
    [result] = run(sandbox, image, "python3 -c 'x = bytearray(600 << 20)'", memory_bytes=100 << 20)
    assert result.out_of_memory
    assert result.exit_status != 0
    [result] = run(sandbox, image, "kill -9 $$")
    assert not result.out_of_memory


def test_process_limit_holds(sandbox, image) -> None:
    if not sandbox.engine.processes:
        pytest.skip("processes are not limited here, as the circumstances of a verdict say")
    script = 'python3 -c \'import subprocess as s; [s.Popen(["sleep", "20"]) for _ in range(60)]\''
    [result] = run(sandbox, image, script, processes=30)
    assert result.exit_status == 1
    assert b"Resource temporarily unavailable" in result.output


def test_no_network_no_capabilities_no_new_privileges(sandbox, image) -> None:
    [result] = run(sandbox, image, "cat /proc/net/dev; grep -E 'CapEff|NoNewPrivs' /proc/self/status")
    assert b"eth0" not in result.output
    assert b"CapEff:\t0000000000000000" in result.output
    assert b"NoNewPrivs:\t1" in result.output


def test_files_are_seen_from_outside(sandbox, image) -> None:
    script = "cd /made; echo text > file; ln -s /etc/passwd link; mkdir folder; git hash-object file >&2"
    job = Job(
        image,
        {"/made/given": b"given"},
        (Command(("/bin/bash", "-c", script), tuple(f"/made/{n}" for n in ("file", "link", "folder", "none"))),),
        limits_with(),
        workdir="/",
    )
    [result] = sandbox.run(job)
    assert result.contents["/made/file"] == result.output.decode().strip()
    assert result.contents.keys() == {"/made/file", "/made/link"}


def test_a_file_can_not_grow_without_end(sandbox, image) -> None:
    [result] = run(sandbox, image, "head -c 3000000 /dev/zero > /big; stat -c %s /big; exit 4", disk_bytes=1 << 20)
    assert b"File size limit exceeded" in result.output
    assert str(1 << 20).encode() in result.output


def test_open_files_are_limited_and_no_core_is_written(sandbox, image) -> None:
    [result] = run(sandbox, image, "ulimit -Hn; ulimit -Hc", open_files=100)
    assert result.output.split() == [b"100", b"0"]


def test_the_first_processs_output_is_not_kept(sandbox, image, engine, monkeypatch) -> None:
    """Its log, a file on the host, grew for as long as the job ran, past every limit of the container."""
    kept = []
    monkeypatch.setattr(DockerSandbox, "_remove", lambda self, container, wait: kept.append(container))
    run(sandbox, image, "echo flood > /proc/1/fd/1")
    sandbox.close()
    monkeypatch.undo()
    [container] = kept
    container.reload()
    assert container.attrs["HostConfig"]["LogConfig"]["Type"] == "none"
    container.remove(force=True)


def test_endless_output_keeps_its_head_and_its_end(sandbox, image) -> None:
    script = "echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last"
    [result] = run(sandbox, image, script, output_bytes=100_000)
    assert result.output.startswith(b"first\n")
    assert result.output.endswith(b"x\nlast\n")
    assert b"bytes cut here" in result.output
    assert len(result.output) < 101_000


def test_a_child_that_outlives_its_command_holds_nobody_up(sandbox, image) -> None:
    started = time.monotonic()
    [result] = run(sandbox, image, "(while true; do echo noise; sleep 0.1; done) & echo done", seconds=60)
    assert result.exit_status == 0
    assert time.monotonic() - started < 10


def test_the_first_process_can_not_be_killed_from_inside(sandbox, kind, image) -> None:
    first, *rest = run(sandbox, image, "kill -TERM 1; kill -KILL 1; sleep 2", "echo alive")
    if kind == "apptainer":  # its first process ends itself when it is asked to, which helps nobody
        assert (first.exit_status not in (0, None), rest) == (True, [])
        return
    assert first.exit_status == 0
    assert rest[0].output == b"alive\n"


def test_a_container_removed_from_outside_is_the_machines_failure(sandbox, image, engine) -> None:
    import threading

    def remove() -> None:
        for _ in range(100):
            found = ours(engine)
            if found and has_file(found[0], "/begun"):
                found[0].remove(force=True)
                return
            time.sleep(0.1)

    thread = threading.Thread(target=remove)
    thread.start()
    with pytest.raises(SandboxError) as caught:
        run(sandbox, image, "true", "touch /begun; sleep 30", seconds=25)
    assert caught.value.command == 1
    thread.join()


def test_what_a_killed_process_left_is_reaped(sandbox, image, engine) -> None:
    script = (
        "from harness.common.docker_client import *; from harness.sandbox.docker import *\n"
        "from harness.core.interfaces import *; from harness.config.schema import EvaluationConfig\n"
        f"s = DockerSandbox(connect(sandbox={sandbox.engine.kind!r}), {RUN!r})\n"
        f"s.run(Job({image!r}, {{}}, (Command(('sleep', '100')),), EvaluationConfig().limits(), workdir='/'))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        while not ours(engine):
            assert process.poll() is None
            time.sleep(0.1)
        process.kill()
    assert len(ours(engine)) == 1
    assert sandbox.reap() == 1


# The SDK leaves a socket that found no daemon to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_missing_image_and_missing_daemon(sandbox, monkeypatch) -> None:
    with pytest.raises(InfrastructureError, match="looking up image"):
        sandbox.digest("harness/no-such-image:latest")
    with pytest.raises(InfrastructureError, match=r"creating a container|looking up image"):
        run(sandbox, "harness/no-such-image:latest", "true")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    monkeypatch.setenv("CONTAINER_HOST", "unix:///nowhere.sock")
    with pytest.raises(InputError, match="Docker is not reachable"):
        connect()
    with pytest.raises(InputError, match=r"Docker is not reachable .* \| Podman is not reachable"):
        connect(sandbox="auto")
    gc.collect()


def test_no_more_jobs_run_at_a_time_than_there_are_turns(engine, image) -> None:
    """Their containers are started and prepared meanwhile all the same."""
    script = "date +%s.%N; sleep 3; date +%s.%N"
    with DockerSandbox(engine, RUN, turns=1) as sandbox, ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: run(sandbox, image, "date +%s.%N", script), range(2)))
    prepared = [float(first.output) for first, _ in done]
    first, second = sorted([float(line) for line in last.output.split()] for _, last in done)
    assert max(prepared) < first[1] <= second[0]


def test_folders_nested_deeper_than_the_engine_deletes_go_all_the_same(docker_client, base_image, caplog) -> None:
    """The engine opens a file for each level; such a container stayed for ever, after a warning of 40,000 letters."""
    nest = "import os\nfor _ in range(21000):\n    os.mkdir('d')\n    os.chdir('d')\n"
    with DockerSandbox(docker_client, RUN) as sandbox:
        [result] = run(sandbox, base_image, f"mkdir /made && cd /made && python3 -c '{nest}'".replace("'d'", '"d"'))
        assert result.exit_status == 0, result.output
    assert ours(docker_client) == []
    assert caplog.records == []


def test_podman_deletes_no_folders_that_are_nested_too_deep(engine, image) -> None:
    """With more levels than its service has files, it answered no question any more, whatever it was about."""
    if enforced(engine).kind != "podman":
        pytest.skip("Docker's containers are cut when it fails to delete them")
    nest = "import os\nfor _ in range(1100):\n    os.mkdir('d')\n    os.chdir('d')\n"
    made = engine.containers.create(image, command=["sleep", "60"], **cage(limits_with(), enforced(engine)))
    made.start()
    assert made.exec_run(["python3", "-c", nest], workdir="/tmp").exit_code == 0
    end_and_flatten(made, rootless=False)
    made.reload()
    upper = made.attrs["GraphDriver"]["Data"]["UpperDir"]
    assert len(list(Path(upper).glob("flat.*"))) == 2
    made.remove(force=True)


SHOWS = {
    "left alone": ("true", False),
    "written and put back": ("cat tests/a.py > /x; echo other > tests/a.py; cat /x > tests/a.py", True),
    "the root moved away and copied": ("cd /; mv /testbed /t; cp -a /t /testbed", None),
    "taken away and made anew": ("cp -a tests/a.py /x; rm tests/a.py; cp -a /x tests/a.py", None),
    "its time set back": (
        "when=$(stat -c %Y tests/a.py); echo other > tests/a.py; touch -d @$when tests/a.py; echo 1 > tests/a.py", True
    ),
}  # fmt: skip


@pytest.mark.parametrize(("script", "touched"), SHOWS.values(), ids=SHOWS)
def test_every_writing_to_a_watched_file_shows(sandbox, image, script, touched) -> None:
    """Or (None) it fails: then the file is as it was."""
    watched = ("/testbed/tests/a.py",)
    commands = (Command(("/bin/true",), watched), Command(("/bin/bash", "-c", f"{script} 2>/dev/null; true"), watched))
    job = Job(image, {"/testbed/tests/a.py": b"1\n"}, commands, limits_with(), workdir="/testbed")
    before, after = sandbox.run(job)
    if touched is not None:
        assert after.touched == (watched if touched else ())
    assert after.contents == before.contents or after.touched == watched
