"""The three seams of the pipeline, and the frozen values that cross them.

Whoever builds the pipeline passes in a `Model`, a `Repository` and a `Sandbox`; everything between
them is plain functions over the values below.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from harness.core.instance import Instance


class Sampling(BaseModel):
    """How an answer is drawn. Temperature 0 is greedy, which a batching server does not make bitwise repeatable.

    What is None is not sent: the server's own default holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(default=0.8, ge=0, allow_inf_nan=False)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int = Field(default=1024, ge=1)  # room reserved for the answer, in the model's own tokens
    seed: int = Field(default=0, ge=0)  # sample i is drawn with seed + i
    top_k: int | None = Field(default=None, ge=1)  # the most likely tokens that are drawn from
    min_p: float | None = Field(default=None, ge=0, le=1)  # least probability, as a share of the likeliest token's
    repetition_penalty: float | None = Field(default=None, gt=0, allow_inf_nan=False)  # 1: none
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)  # 0: none
    stop: tuple[Annotated[str, Field(min_length=1)], ...] | None = None  # texts that end an answer, left out of it

    def parameters(self) -> dict[str, Any]:
        """What is said of the drawing, by name, the seed apart: a parameter that is not said is not there."""
        return self.model_dump(exclude={"seed"}, exclude_none=True)


@dataclass(frozen=True)
class Drawing:
    """How the samples of one question are drawn."""

    sampling: Sampling
    samples: int
    greedy: bool = False  # the first of them at temperature 0

    def of(self, number: int) -> Sampling:
        """The sampling parameters of sample ``number``."""
        return self.sampling.model_copy(update={"temperature": 0.0}) if self.is_greedy(number) else self.sampling

    def is_greedy(self, number: int) -> bool:
        """Whether sample ``number`` is drawn at temperature 0."""
        return self.greedy and number == 0


@dataclass(frozen=True)
class Cost:
    """What asking took."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0  # wall time of the request

    def __add__(self, other: "Cost") -> "Cost":
        """What both took together."""
        return Cost(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.seconds + other.seconds,
        )


NO_COST = Cost()


def with_cost_columns(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with its ``cost`` as columns of its own: ``prompt_tokens``, ``completion_tokens``, ``seconds``."""
    return {**{name: value for name, value in record.items() if name != "cost"}, **record["cost"]}


CUT = ("length", "abort", "content_filter")  # finish reasons of an answer that is not whole


@dataclass(frozen=True)
class Answer:
    """One sampled answer, as the server gave it."""

    text: str
    finish_reason: str  # "stop", "length", or the server's own word
    prompt_tokens: int
    completion_tokens: int
    seconds: float  # wall time of the request
    reasoning: str = ""  # what the server set apart as thinking
    began: float = field(default=0.0, compare=False)  # when it was asked for, in seconds since 1970; 0: unknown
    known: bool = field(default=False, compare=False)  # found in a journal or a recording, not asked for now
    key: str = field(default="", compare=False)  # of its record in a journal; empty if it has none

    @property
    def cut(self) -> bool:
        """Whether the answer ended before the model had ended it."""
        return self.finish_reason in CUT

    @property
    def cost(self) -> Cost:
        """What asking for it took."""
        return Cost(self.prompt_tokens, self.completion_tokens, self.seconds)


class ContextOverflow(Exception):
    """The prompt and the room for its answer exceed the model's context; it was not sent."""


class Model(Protocol):
    """Gives answers to a prompt under sampling parameters."""

    revision: str  # hash or name of everything that determines the answers beside prompt and sampling

    async def answer(self, prompt: str, sampling: Sampling, index: int) -> Answer:
        """Sample number ``index`` for ``prompt``, sent as one user message.

        Raises ContextOverflow when prompt and max_tokens do not fit, InfrastructureError when the
        server cannot be asked (after retries).
        """
        ...

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` under the model's own tokenizer."""
        ...

    async def context_length(self) -> int:
        """Tokens that prompt and answer may take together."""
        ...


class Snapshot(Protocol):
    """The files of a repository at one commit, read from git's object store; never a checkout."""

    commit: str
    tree: str  # git's hash of the root tree

    def paths(self) -> tuple[str, ...]:
        """Every regular file's path, sorted, relative to the root, with forward slashes."""
        ...

    def read(self, path: str) -> bytes:
        """The bytes of one file. Raises KeyError for a path that the snapshot does not hold."""
        ...

    def mode(self, path: str) -> str:
        """Git's mode of one file ("100644", "100755", "120000"). Raises KeyError likewise."""
        ...

    def blob(self, path: str) -> str:
        """Git's hash of one file's bytes. Raises KeyError likewise."""
        ...

    def release(self) -> None:
        """Let go what can be read again: nothing of it is needed for a while."""
        ...

    def check_applies(self, patch: str) -> str:
        """Empty when ``git apply`` takes the patch on this snapshot, else git's message."""
        ...


class Repository(Protocol):
    """Gives the snapshot of an instance."""

    def snapshot(self, instance: Instance) -> Snapshot:
        """The instance's base state. Raises InputError if this repository does not hold it."""
        ...


SandboxKind = Literal["docker", "podman", "apptainer"]  # the program that runs containers

PATIENCE = 3.0  # times the limit of time that a patient job has


@dataclass(frozen=True)
class Limits:
    """What one sandboxed job may use; the sandbox enforces every limit but those that it names in advance."""

    seconds: float  # wall time of one command
    memory_bytes: int  # no swap beside it
    processes: int
    cpus: float
    network: bool
    output_bytes: int = 32 << 20  # the middle of a longer output is cut
    open_files: int = 16384
    disk_bytes: int = 8 << 30  # of any one file; of all that is written, if the storage driver keeps quotas
    not_enforced: tuple[str, ...] = ()  # names of what the sandbox does not enforce (`harness.sandbox.enforced`)

    def key_facts(self) -> dict[str, Any]:
        """What they add to a key; ``not_enforced`` is left out if it is empty, as in the keys of earlier releases."""
        facts = dict(vars(self))
        missing = sorted(facts.pop("not_enforced"))
        return facts | ({"not_enforced": missing} if missing else {})


@dataclass(frozen=True)
class Command:
    """A command of a job, and the files that are looked at when it has ended.

    Those that a command watched are guarded while the next one runs, if that watches them, too.
    """

    argv: tuple[str, ...]
    watched: tuple[str, ...] = ()  # absolute paths
    tells: bool = False  # its output ends with what they hold (docker/prepare.sh): quicker than asking the engine


@dataclass(frozen=True)
class Job:
    """Files to put into a fresh container of ``image``, then commands to run in it, one after another."""

    image: str
    files: Mapping[str, bytes]  # absolute path in the container -> content
    commands: tuple[Command, ...]  # the job ends at the first that does not exit 0
    limits: Limits
    labels: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/testbed"
    digest: str | None = None  # content id that the image must have, "sha256:..."; any if not given
    patient: bool = False  # whether commands have PATIENCE times their limit; nothing in the container shows it


@dataclass(frozen=True)
class CommandResult:
    """What one command of a job did. The exit status comes from the engine, never from the output."""

    exit_status: int | None  # None when the command was killed at a limit
    output: bytes  # stdout and stderr as they came
    seconds: float
    timed_out: bool = False
    out_of_memory: bool = False
    ended_container: bool = False  # what ran in the container ended it; there is neither a status nor an output
    lingering: bool = False  # a child of the command outlived it and held on to its output
    contents: Mapping[str, str] = field(default_factory=dict)  # watched path -> git's object id, if there is a file
    touched: tuple[str, ...] = ()  # watched paths that the command wrote to, whatever they hold now
    # of a job's first command: time zone, hash seed, CPU, memory and kernel, as far as the sandbox knows them
    circumstances: Mapping[str, str] = field(default_factory=dict)


class Sandbox(Protocol):
    """Runs a job in an instance's image within limits, and leaves nothing behind."""

    def digest(self, image: str) -> str:
        """Content id of a local image. Raises InfrastructureError when the image is not there."""
        ...

    def run(self, job: Job) -> tuple[CommandResult, ...]:
        """Results of the commands that ran. Raises SandboxError when the machine failed."""
        ...
