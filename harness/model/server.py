"""vLLM's life cycle: one server process for one checkpoint, started, watched, and ended without remains."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.errors import ServerError
from harness.model.adapter import adapter_arguments, check_adapter
from harness.model.checkpoint import argument, check_arguments, check_checkpoint, context_length, serves_on_cpu
from harness.model.connection import Connection, RequestError, connect
from harness.model.devices import VISIBLE, Spot
from harness.model.port import LOOPBACK
from harness.model.server_host import Launch, ServerProcess
from harness.model.server_log import cache_hits, find_reason, last_line

# Nothing is fetched or reported from here: a local checkpoint must work on a machine without internet.
QUIET = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
BATCHING = ("--enable-chunked-prefill", "--no-enable-chunked-prefill", "--max-num-batched-tokens")
LEAST_BATCHED_TOKENS = 2048  # in one step of the engine
POLL_SECONDS = 0.5


class VllmServer:
    """A vLLM server for the Hugging Face folder ``checkpoint``, on the host of its spot.

    Use it as an asynchronous context manager: on entry it starts and answers a first generation, on exit
    it and all its child processes are gone. It is gone too when this process dies, even of SIGKILL.
    """

    def __init__(
        self,
        checkpoint: Path,
        name: str,
        args: Sequence[str],
        folder: Path,
        port: int = 0,
        startup_seconds: float = 900,
        adapter: Path | None = None,
        spot: Spot | None = None,
        label: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Serve under ``name`` with vLLM's ``args``; log and process note go to ``folder``; port 0 is any free one.

        With an ``adapter`` the name is that of the adapter on top of the checkpoint. ``label`` distinguishes the
        server from others of the same name; ``environment`` is put over the host's own.

        Raises InputError for a checkpoint that can't be served, and for arguments that are not the user's to give.
        """
        check_checkpoint(checkpoint)
        check_arguments(args)
        if adapter is not None:
            check_adapter(adapter)
        self.name = name
        self.spot = spot or Spot()
        self.log = folder / f"{name}{label}.server.log"
        self._note = folder / f"{name}{label}.server.json"
        self._checkpoint = checkpoint
        self._args = tuple(args)
        self._adapter = adapter
        self._wanted_port = port and port + self.spot.number
        self.key = secrets.token_hex(16)  # without which the server answers nobody
        self._environment = {**QUIET, "VLLM_API_KEY": self.key, **(environment or {})}
        if self.spot.devices:
            self._environment[VISIBLE] = ",".join(self.spot.devices)
        self._startup_seconds = startup_seconds
        self._reason: str | None = None
        self._log_start = 0  # of this start, in the log, which keeps earlier ones
        self._process: ServerProcess | None = None

    @property
    def base_url(self) -> str:
        """Where the OpenAI-compatible interface is, once started."""
        return f"http://{self._process.address if self._process else LOOPBACK}:{self.port}/v1"

    @property
    def port(self) -> int:
        """The port that it listens on, once started."""
        return self._process.port if self._process else 0

    def resident(self) -> int:
        """Bytes of this machine's memory that its processes hold now."""
        return self._process.resident() if self._process else 0

    async def __aenter__(self) -> Self:
        """Start, and wait until a generation is answered.

        Raises InputError for a port that is taken, and without vLLM; ServerError (naming the log and the reason found
        there) when the server ends or does not answer within ``startup_seconds``.
        """
        try:
            async with asyncio.timeout(self._startup_seconds):
                self._process = await self._start()
                await self._answer_first()
        except TimeoutError as error:
            await self.stop()
            raise ServerError(
                f"vLLM for {self.name} did not answer within {self._startup_seconds:g} s "
                f"(serving.startup_seconds); log: {self.log}"
            ) from error
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start(self) -> ServerProcess:
        self._log_start = self.log.stat().st_size if self.log.is_file() else 0
        folders = (self._checkpoint,) if self._adapter is None else (self._checkpoint, self._adapter)
        return await self.spot.host.start(
            Launch(self._arguments(), self._environment, self.log, self._note, folders, self._wanted_port)
        )

    def _arguments(self) -> tuple[str, ...]:
        adapted = [] if self._adapter is None else adapter_arguments(self._adapter, self.name)
        served = self.name if self._adapter is None else f"{self.name}.base"
        length = []
        if argument(self._args, "--max-model-len") is None:
            # stated, so that what is counted here and what the server holds to can't differ
            length = ["--max-model-len", str(context_length(self._checkpoint, ()))]
        model = ["--model", str(self._checkpoint), "--served-model-name", served]
        return (*model, *adapted, *length, *self._whole_prompts(), *self._args)

    def _whole_prompts(self) -> list[str]:
        # A seeded request whose prompt is read in pieces kills the engine of the CPU build (0.32: "CPU Generator
        # does not use offset"), so there every prompt has to fit into one step.
        given = [flag for flag in BATCHING if argument(self._args, flag) is not None or flag in self._args]
        if given or not serves_on_cpu():
            return []
        tokens = max(context_length(self._checkpoint, self._args), LEAST_BATCHED_TOKENS)
        return ["--no-enable-chunked-prefill", "--max-num-batched-tokens", str(tokens)]

    async def _answer_first(self) -> None:
        """Wait until the server answers, then ask it for one token: some failures show only there."""
        async with connect(self.base_url, self.key, own=True) as client:
            while not await _lists_models(client):
                if self.ended:
                    raise self.failure("while starting")
                await asyncio.sleep(POLL_SECONDS)
            try:
                await client.post("/completions", {"model": self.name, "prompt": "a", "max_tokens": 1})
            except RequestError as error:
                raise self.failure(f"at its first generation ({error})") from error

    @property
    def ended(self) -> bool:
        """Whether the server's processes are gone, for whatever reason."""
        return self._process is None or self._process.ended

    async def wait_ended(self) -> None:
        """Return once the server's processes are gone."""
        if self._process is not None:
            await self._process.wait_ended()

    def said(self) -> str:
        """The last line that it logged since its start."""
        return last_line(self.log, self._log_start)

    def prefix_cache(self) -> float | None:
        """Share of the latest prompts' tokens that its prefix cache held, from 0 to 1; None if it did not say."""
        return cache_hits(self.log, self._log_start)

    def failure(self, when: str) -> ServerError:
        """The error that says the server failed ``when``, with the reason from its log."""
        if self._reason is None or not self.ended:  # many may ask about one death
            self._reason = find_reason(self.log, self._log_start)
        return ServerError(f"vLLM for {self.name} failed {when}: {self._reason}; log: {self.log}")

    async def stop(self) -> None:
        """End the server and its children: SIGTERM, SIGKILL after a few seconds. Does nothing when it has ended."""
        if self._process is not None:
            await self._process.stop()


async def _lists_models(client: Connection) -> bool:
    try:
        await client.get("/models")
    except RequestError:
        return False
    return True
