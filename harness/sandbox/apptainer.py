"""The sandbox without an engine: each command of a job by Apptainer, in one overlay over the image's unpacked files.

Apptainer's containers have their user's own rights on the machine. Root of the machine could write to what the kernel
shows there, so its containers run as another user (`harness.sandbox.apptainer_machine`). In the container all see
themselves as root.
"""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from harness.common.under_way import UnderWay
from harness.core.interfaces import PATIENCE, Command, CommandResult, Job, Limits
from harness.errors import InfrastructureError, SandboxError, Stopped
from harness.sandbox.apptainer_machine import ThisMachine, enforced_by_apptainer, sandbox_user
from harness.sandbox.circumstances import ASK, Circumstances
from harness.sandbox.control_group import END_SECONDS, ControlGroup, can_make_groups, group, not_ended
from harness.sandbox.exec import UNPACK, UNPACKED, BoundedOutput, packed
from harness.sandbox.image_folders import PROGRAM, FolderImage, ImageFolders
from harness.sandbox.job_folders import JobFolders, remove_tree
from harness.sandbox.overlay_files import Overlay
from harness.sandbox.system_calls import traced_profile_file
from harness.sandbox.watched_files import WatchedFile, new_moment, told_files

NO_SPACE = b"No space left on device"
MANY = 1 << 16
STARTED = b"harness: started\n"  # precedes the output of a command that began
# What of the machine is not in a container; the temporary folder belongs to the job, not to each of its commands.
ISOLATED = (
    "--userns", "--containall", "--cleanenv", "--no-home", "--no-mount", "tmp,home,sys,bind-paths", "--no-privs",
)  # fmt: skip


@dataclass(frozen=True)
class _Begun:
    """A job under way."""

    folder: Path  # of its overlay
    image: FolderImage
    groups: ControlGroup | None
    moment: int

    @property
    def files(self) -> Overlay:
        user = sandbox_user()
        return Overlay(self.folder / "upper", self.image.root, user.pw_gid if user else os.getgid())


class ApptainerSandbox:
    """The `Sandbox` of Apptainer. Safe for threads; close it when done.

    Turns are those of `harness.sandbox.docker.DockerSandbox`.
    """

    def __init__(self, images: ImageFolders, run: str, turns: int = MANY) -> None:
        """``run`` begins the names of what a job leaves on the machine while it runs, so that it can be reaped."""
        self.containers = UnderWay()
        self.turns = UnderWay()
        self.engine = enforced_by_apptainer()
        self._turns = BoundedSemaphore(turns)
        self._images = images
        self._jobs = JobFolders(run)
        self._circumstances = Circumstances(ThisMachine(), self.engine)
        self._profile = traced_profile_file(images.folder)
        self._stopped = threading.Event()
        self._removal = ThreadPoolExecutor(max_workers=2, thread_name_prefix="remove")

    @property
    def not_enforced(self) -> tuple[str, ...]:
        """Names of the limits that do not hold."""
        return self.engine.missing_of_note

    def __enter__(self) -> "ApptainerSandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait until what jobs wrote is gone."""
        self._removal.shutdown(wait=True)

    def stop(self) -> None:
        """End every job now and begin no other: their callers get `Stopped`."""
        self._stopped.set()

    def reap(self) -> int:
        """Remove what an earlier process of the same run left behind; return the number of its jobs."""
        return self._jobs.reap()

    def digest(self, image: str) -> str:
        """Content id of a local image. Raises InfrastructureError when it is not there."""
        return self._image(image).id

    def _image(self, name: str) -> FolderImage:
        image = self._images.find(name)
        if image is None:
            raise InfrastructureError(f"looking up image {name}: not among the unpacked ones in {self._images.folder}")
        return image

    def run(self, job: Job) -> tuple[CommandResult, ...]:
        """Run the job's commands on one set of files; the first that does not exit 0 is the last.

        Raises SandboxError when they can't be run or there is no disk to write to, and Stopped after `stop`.
        """
        with self.containers.during(job.image), ExitStack() as opened:
            results: list[CommandResult] = []
            try:
                begun = opened.enter_context(self._begun(job))
                files: dict[str, WatchedFile] = {}
                for command in job.commands:
                    last = command is job.commands[-1]
                    with self._turn(job) if last else nullcontext():
                        result, files = self._next(begun, command, job, files, first=not results)
                    results.append(result)
                    if result.exit_status != 0:
                        break
            except (InfrastructureError, OSError) as error:
                raise SandboxError(str(error), min(len(results), len(job.commands) - 1)) from error
            return tuple(results)

    @contextmanager
    def _turn(self, job: Job) -> Iterator[None]:
        with self._turns, self.turns.during(job.image):
            yield

    @contextmanager
    def _begun(self, job: Job) -> Iterator[_Begun]:
        folder = self._jobs.make(job.labels, sandbox_user())
        try:
            with group(folder.name, job.limits) if can_make_groups() else nullcontext() as groups:
                yield _Begun(folder, self._image(job.digest or job.image), groups, new_moment())
        finally:
            self._removal.submit(remove_tree, folder)

    def _next(
        self, begun: _Begun, command: Command, job: Job, files: Mapping[str, WatchedFile], first: bool
    ) -> tuple[CommandResult, dict[str, WatchedFile]]:
        """The result of one command with what its watched files hold, and these."""
        guarded = {path: files[path] for path in command.watched if path in files}
        shielded = begun.files.shield(guarded, job.workdir, begun.moment) if os.getuid() == 0 else frozenset()
        result = self._execute(begun, command, job, first)
        if first:
            output, circumstances = self._circumstances.of(result.output, job.limits)
            result = replace(result, output=output, circumstances=circumstances)
        if NO_SPACE in result.output:
            (begun.folder / "probe").write_bytes(bytes(1 << 20))
        if result.timed_out or not command.watched:
            return result, {}
        output, told = told_files(result.output) if command.tells else (result.output, {})
        found = told | begun.files.read(path for path in command.watched if path not in told)
        contents = {path: file.object_id for path, file in found.items()}
        touched = tuple(p for p, file in found.items() if p in shielded and not file.untouched(begun.moment))
        return replace(result, output=output, contents=contents, touched=touched), found

    def _execute(self, begun: _Begun, command: Command, job: Job, first: bool) -> CommandResult:
        archive = packed(job.files) if first and job.files else b""
        put_in = UNPACK if archive else "exec </dev/null; "
        merged = f"printf '{STARTED.decode().strip()}\\n'; {put_in}{ASK if first else ''}exec \"$@\" 2>&1"
        inner = ["/bin/bash", "-c", merged, str(len(archive)), *command.argv]
        limits = replace(job.limits, seconds=job.limits.seconds * PATIENCE) if job.patient else job.limits
        kills = begun.groups.memory_kills() if begun.groups else 0
        started = time.monotonic()
        status, text, errors = self._watched_process(self._command(begun, job, inner), archive, limits, begun.groups)
        seconds = time.monotonic() - started
        if self._stopped.is_set():
            raise Stopped("the run is ending")
        _, found, text = text.partition(STARTED)
        if not found:
            raise InfrastructureError(f"running {command.argv[0]} by {PROGRAM}: {_plain(errors)[-600:]}")
        if status is None:
            return CommandResult(None, text.removeprefix(UNPACKED), seconds, timed_out=True)
        if archive and not text.startswith(UNPACKED):
            raise InfrastructureError(f"files could not be unpacked in the container: {text[:300]!r}")
        killed = status != 0 and begun.groups is not None and begun.groups.memory_kills() > kills
        return CommandResult(status, text.removeprefix(UNPACKED) if archive else text, seconds, out_of_memory=killed)

    def _command(self, begun: _Begun, job: Job, inner: list[str]) -> list[str]:
        limits, user = job.limits, sandbox_user()
        hard = [f"--nofile={limits.open_files}:{limits.open_files}", f"--fsize={limits.disk_bytes}", "--core=0"]
        if begun.groups is None:  # of each process, where nothing counts them together
            hard += [f"--data={limits.memory_bytes}"]
        rights = ["--pdeathsig", "KILL"]
        if user is not None:
            rights += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        network = [] if limits.network else ["--net", "--network", "none"]
        environment = {"HOME": "/root", "HOSTNAME": begun.folder.name}
        return [
            *(begun.groups.command() if begun.groups else []),
            "setpriv", *rights, "prlimit", *hard, "unshare", "--user", "--map-root-user",
            PROGRAM, "exec", *ISOLATED, *network, "--overlay", str(begun.folder),
            "--security", f"seccomp:{self._profile}", "--pwd", job.workdir, str(begun.image.root),
            "/usr/bin/env", "-i", *(f"{k}={v}" for k, v in environment.items()), *begun.image.environment, *inner,
        ]  # fmt: skip

    def _watched_process(
        self, command: list[str], given: bytes, limits: Limits, groups: ControlGroup | None
    ) -> tuple[int | None, bytes, bytes]:
        """Exit status (None at the limit of time), output, and what Apptainer itself said.

        Raises InfrastructureError if it can't be ended.
        """
        output, errors = BoundedOutput(limits.output_bytes), BoundedOutput(1 << 16)
        deadline = time.monotonic() + limits.seconds
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"HOME": "/root"}, start_new_session=True, cwd="/",
        )  # fmt: skip
        threads = [
            threading.Thread(target=_give, args=(process.stdin, given), daemon=True),
            threading.Thread(target=_take, args=(process.stdout, output), daemon=True),
            threading.Thread(target=_take, args=(process.stderr, errors), daemon=True),
        ]
        for thread in threads:
            thread.start()
        status: int | None = None
        while status is None and time.monotonic() < deadline and not self._stopped.is_set():
            with suppress(subprocess.TimeoutExpired):
                status = process.wait(timeout=max(0.0, min(0.5, deadline - time.monotonic())))
        _end(process, groups)
        for thread in threads:
            thread.join(timeout=2)
        return status if status is None or status >= 0 else 128 - status, output.value(), errors.value()


def _end(process: "subprocess.Popen[bytes]", groups: ControlGroup | None) -> None:
    """Kill a command and all that it began. Raises InfrastructureError if some of it is still there after 30 s."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if groups is not None:
        groups.kill()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise not_ended([process.pid]) from error


def _give(stream: Any, data: bytes) -> None:
    with suppress(OSError), stream:
        stream.write(data)


def _take(stream: Any, output: BoundedOutput) -> None:
    with stream:
        while chunk := stream.read1(1 << 16):
            output.add(chunk)


def _plain(text: bytes) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text.decode("utf-8", "replace")).strip()
