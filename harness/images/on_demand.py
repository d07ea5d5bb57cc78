"""A sandbox whose images come on demand and go again under a budget."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from harness.core.instance import Instance
from harness.core.interfaces import CommandResult, Job, Sandbox
from harness.errors import InputError, SandboxError
from harness.images.supply import Images, LocalImage


class SuppliedSandbox:
    """The `Sandbox` whose jobs find the images of their instances: an image that is not here is brought first."""

    def __init__(
        self, sandbox: Sandbox, supply: Images, instances: Mapping[str, Instance], seen: dict[str, str]
    ) -> None:
        """``instances`` by the names of their images; ``seen`` has the digests that earlier verdicts saw, likewise,
        and gets those seen now.
        """
        self._sandbox = sandbox
        self._supply = supply
        self._instances = instances
        self._seen = seen
        self._promised: dict[str, ExitStack] = {}  # images that came for their digest: here until their first job
        self._lock = threading.Lock()

    def digest(self, image: str) -> str:
        """Content id of an image: of the one that is here, or else of the one that earlier verdicts saw.

        So what is in the journal needs no image. Raises InfrastructureError if there is neither and none comes.
        """
        local = self._supply.find(self._instances[image])
        if local is None and image not in self._seen:
            local = self._promise(image)
        if local is not None:
            self._seen[image] = local.digest
        return self._seen[image]

    def run(self, job: Job) -> tuple[CommandResult, ...]:
        """Results of the commands that ran. Raises SandboxError when the machine failed, or another image came."""
        with self._holding(job.image) as (_, image):
            self._promised.pop(job.image, ExitStack()).close()
            if job.digest not in (None, image.digest):
                raise SandboxError(f"image {image.name} is {image.digest} now, no longer {job.digest}")
            return self._sandbox.run(replace(job, image=str(image.name)))

    def _promise(self, image: str) -> LocalImage:
        with self._holding(image) as (stack, local), self._lock:
            if image not in self._promised:
                self._promised[image] = stack.pop_all()
            return local

    @contextmanager
    def _holding(self, image: str) -> Iterator[tuple[ExitStack, LocalImage]]:
        with ExitStack() as stack:
            try:
                held = stack.enter_context(self._supply.hold(self._instances[image]))
            except InputError as error:
                # in the middle of a run a registry that has it no longer is the machine's failure, of one instance
                raise SandboxError(str(error)) from error
            yield stack, held
