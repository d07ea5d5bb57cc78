"""The sandbox of Docker and of Podman, which speaks its protocol: a fresh container per job, removed by force.

A container's first process only sleeps; each command of a job runs beside it, so its output and exit
status reach us by the engine's own channel. The sleep ends by itself some time after the job must
have ended, and the container with it, should nobody be left to remove it.
"""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from harness.common.docker_client import RUN_LABEL, translated
from harness.common.under_way import UnderWay
from harness.core.interfaces import PATIENCE, Command, CommandResult, Job, Limits
from harness.errors import InfrastructureError, SandboxError, Stopped
from harness.sandbox.circumstances import ASK, Circumstances
from harness.sandbox.ending import ended_from_inside, memory_kills
from harness.sandbox.enforced import enforced
from harness.sandbox.exec import execute, packed, packed_folder
from harness.sandbox.left_over import LeftContainers
from harness.sandbox.limits import cage, shell_limits
from harness.sandbox.removal import end_and_flatten, remove
from harness.sandbox.same_platform import require_own_platform
from harness.sandbox.watched_files import WatchedFile, new_moment, read_files, shield, told_files

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

log = logging.getLogger(__name__)


GRACE_SECONDS = 60.0  # added to a job's own time, and as much of waiting, before its container ends by itself
MANY = 1 << 16  # turns, if the caller bounds what runs at a time
ROOT_MODE = 0o755  # as Docker has the folder of all that is in a container
NO_SPACE = b"No space left on device"
PROBE = {"/harness/probe": bytes(1 << 20)}  # what the disk must still take for such words not to be its own


class DockerSandbox:
    """The `Sandbox` of a local or remote Docker daemon, or of Podman's service. Safe for threads; close it when done.

    A job takes its turn for its last command alone. Its container is started and prepared before, and looked at
    after it: with some threads more than there are turns, the next tests begin when the last ones end.
    """

    def __init__(self, client: "DockerClient", run: str, turns: int = MANY) -> None:
        """``run`` labels every container, so that what a killed run left behind can be reaped.

        At most ``turns`` jobs run their last commands at a time.
        """
        self.containers = UnderWay()  # jobs that have a container, or are getting one, by their images
        self.turns = UnderWay()  # of them, those whose last command runs
        self._turns = BoundedSemaphore(turns)
        self._client = client
        self._run = run
        self.engine = enforced(client)
        require_own_platform(self.engine.platform, f"the engine ({self.engine.described})")
        self._tells_owners = self.engine.kind == "docker"  # Podman gives away what it copies out
        self._circumstances = Circumstances(client, self.engine)
        self._stopped = False
        self._unremoved = False  # whether a container could not be taken away when its job was over
        self._removal = ThreadPoolExecutor(max_workers=4, thread_name_prefix="remove")

    @property
    def not_enforced(self) -> tuple[str, ...]:
        """Names of the limits that do not hold."""
        return self.engine.missing_of_note

    def __enter__(self) -> "DockerSandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait until the engine has taken away every container, or is about to."""
        self._removal.shutdown(wait=True)
        if self._unremoved:
            try:
                self.reap()
            except InfrastructureError as error:
                log.warning("%s; the next run in this folder takes them away", error)

    def stop(self) -> None:
        """End every job now and begin no other: their callers get `Stopped`. For a run that is interrupted."""
        self._stopped = True
        try:
            self.reap()
        except InfrastructureError as error:
            log.warning("%s; the next run in this folder takes them away", error)

    def reap(self) -> int:
        """Remove the containers that an earlier process of the same run left behind; return their number."""
        left = LeftContainers(self._client, self._run).list()
        for container in left:
            self._remove(container)
        return len(left)

    def digest(self, image: str) -> str:
        """Content id of a local image. Raises InfrastructureError when it is not there."""
        with translated(f"looking up image {image}"):
            return str(self._client.images.get(image).id)

    def run(self, job: Job) -> tuple[CommandResult, ...]:
        """Run the job's commands in a fresh container; the first that does not exit 0 is the last.

        A container that ends from inside while a command runs ends the job, with a result that says so.
        Raises SandboxError when the container can't be made, goes away underneath, or has no disk to write to, and
        Stopped after `stop`.
        """
        with self.containers.during(job.image):
            return self._results(job)

    def _results(self, job: Job) -> tuple[CommandResult, ...]:
        container: Container | None = None
        results: list[CommandResult] = []
        files: dict[str, WatchedFile] = {}
        kills, started, moment = memory_kills(self._client), time.monotonic(), new_moment()
        try:
            self._require_running()
            container = self._start(job)
            self._require_running()  # what `stop` did not see yet
            for number, command in enumerate(job.commands):
                with translated("guarding files of a container"):
                    guarded = {path: files[path] for path in command.watched if path in files}
                    shielded = shield(container, guarded, job.workdir, moment, above=not self._tells_owners)
                with self._turn(job) if command is job.commands[-1] else nullcontext():
                    result = self._execute(container, command, job, first=not number)
                result, files = self._watched(container, command, result)
                touched = tuple(
                    p for p, f in files.items() if p in shielded and not f.untouched(moment, self._tells_owners)
                )
                result = replace(result, touched=touched)
                results.append(result)
                if result.exit_status != 0:
                    break
            return tuple(results)
        except InfrastructureError as error:
            self._require_running()
            seconds = time.monotonic() - started
            if container and seconds < _lifetime(job) and self._ended_from_inside(container, kills):
                return (*results[: len(job.commands) - 1], CommandResult(None, b"", seconds, ended_container=True))
            at = min(len(results), len(job.commands) - 1) if container else None
            raise SandboxError(str(error), at) from error
        finally:
            if container is not None:
                self._removal.submit(self._remove, container, wait=True)

    @contextmanager
    def _turn(self, job: Job) -> Iterator[None]:
        with self._turns, self.turns.during(job.image):
            yield

    def _ended_from_inside(self, container: "Container", kills: int | None) -> bool:
        return ended_from_inside(self._client, container, self._run, kills)

    def _require_running(self) -> None:
        if self._stopped:
            raise Stopped("the run is ending")

    def _start(self, job: Job) -> "Container":
        with translated(f"creating a container of {job.image}"):
            container = self._client.containers.create(
                job.digest or job.image,  # the name may mean another image by now
                command=["sleep", str(int(_lifetime(job)))],
                entrypoint=[],
                working_dir=job.workdir,
                auto_remove=self.engine.kind == "docker",  # what Podman removes has to be looked at first
                labels={RUN_LABEL: self._run, **job.labels},
                **cage(job.limits, self.engine),
            )
        try:
            with translated("starting a container"):
                if self.engine.kind == "podman":  # its root folder lets nobody write who has no capabilities
                    container.put_archive("/", packed_folder(ROOT_MODE))
                container.start()
        except InfrastructureError:
            self._removal.submit(self._remove, container, wait=True)
            raise
        return container

    def _execute(self, container: "Container", command: Command, job: Job, first: bool) -> CommandResult:
        files, before = (job.files, ASK) if first else ({}, "")
        if self.engine.kind == "podman" and self.engine.rootless:  # its commands have the limits of its service
            before = shell_limits(job.limits) + before
        with translated(f"running {command.argv[0]} in a container"):
            result = execute(self._client, container, command.argv, job.workdir, _limits(job), files, before)
        if first:
            output, circumstances = self._circumstances.of(result.output, job.limits)
            result = replace(result, output=output, circumstances=circumstances)
        if NO_SPACE in result.output and not self.engine.disk:
            # Under a quota the disk that is full is the container's own share.
            with translated("a command found the disk full"):
                container.put_archive("/", packed(PROBE))
        return result

    def _watched(
        self, container: "Container", command: Command, result: CommandResult
    ) -> tuple[CommandResult, dict[str, WatchedFile]]:
        """The watched files, and the result with what they hold."""
        if result.timed_out or not command.watched:
            return result, {}
        output, told = told_files(result.output) if command.tells else (result.output, {})
        with translated("reading files of a container"):
            found = told | read_files(container, [path for path in command.watched if path not in told])
        files = {path: found[path] for path in command.watched if path in found}
        contents = {path: file.object_id for path, file in files.items()}
        return replace(result, output=output, contents=contents), files

    def _remove(self, container: "Container", wait: bool = False) -> None:
        try:
            if self.engine.kind == "podman":
                end_and_flatten(container, self.engine.rootless)
            remove(self._client, container, wait)
        except InfrastructureError as error:
            log.warning("%s", error)
            self._unremoved = True


def _limits(job: Job) -> Limits:
    return replace(job.limits, seconds=job.limits.seconds * PATIENCE) if job.patient else job.limits


def _lifetime(job: Job) -> float:
    """Seconds after which a job's container ends by itself; a patient one's too, as what runs in it sees them."""
    return len(job.commands) * job.limits.seconds * (PATIENCE + 1) + GRACE_SECONDS
