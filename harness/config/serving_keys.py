"""How vLLM is started: the section `serving` of a run file."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from harness.config.section import Section

RANGE = re.compile(r"(\d+)\s*-\s*(\d+)")
DEVICE = re.compile(r"\d+|(GPU|MIG)-[0-9A-Za-z/-]+")  # a number, or what `nvidia-smi -L` prints


def _devices(value: Any) -> Any:
    """The devices that a list names one by one or as ranges such as ``0-7``."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    found: list[str] = []
    for entry in value:
        text = str(entry).strip()
        if match := RANGE.fullmatch(text):
            found += map(str, range(int(match[1]), int(match[2]) + 1))
        elif isinstance(entry, bool) or not DEVICE.fullmatch(text):
            raise ValueError(
                f"{text} is no GPU: give numbers, ranges such as 0-7, or names as nvidia-smi -L prints them"
            )
        else:
            found.append(text)
    if not found:
        raise ValueError("names no GPU; name some, or leave the key out")
    if twice := sorted({device for device in found if found.count(device) > 1}):
        raise ValueError(f"GPU {', '.join(twice)} comes more than once")
    return found


class ServingConfig(Section):
    """How vLLM is started for a checkpoint with a path, and how many servers at a time."""

    gpus: Annotated[tuple[str, ...], BeforeValidator(_devices)] | None = None  # CUDA_VISIBLE_DEVICES if not given
    per_checkpoint: int | None = Field(default=None, ge=1)  # GPUs of one server; from vLLM's arguments if not given
    ahead: int = Field(default=0, ge=0)  # servers that may load beside the one that is asked, without GPUs
    switch: Literal["restart", "reload"] = "restart"  # from one checkpoint to the next of the same architecture
    batch_invariant: bool = False  # whether answers may not depend on what else a server is asked at the time
    port: int = Field(default=0, ge=0, le=65535)  # of the first server, the others follow; 0: any free ones
    startup_seconds: float = Field(default=900.0, gt=0, allow_inf_nan=False)
    request_seconds: float = Field(default=600.0, gt=0, allow_inf_nan=False)
    args: tuple[str, ...] = ()  # for every checkpoint, before its own server_args

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.ahead and self.switch == "reload":
            raise ValueError("with switch: reload no server can load ahead: one serves all; leave one of them out")
        if self.port and self.switch == "reload":
            raise ValueError("with switch: reload a server keeps its port while others start; leave port out")
        if self.gpus is None:
            return self
        if self.per_checkpoint and len(self.gpus) % self.per_checkpoint:
            raise ValueError(
                f"{len(self.gpus)} gpus can't be divided into servers of per_checkpoint: {self.per_checkpoint}"
            )
        if self.ahead:
            raise ValueError(
                "ahead is for machines without a GPU; with gpus, a server loads as soon as its GPUs are free"
            )
        return self

    def require_for_cluster(self) -> None:
        """Raises ValueError for a key that means this machine alone."""
        meant = {"gpus": self.gpus is not None, "ahead": self.ahead > 0, "switch: reload": self.switch == "reload"}
        if given := [f"serving.{key}" for key, is_given in meant.items() if is_given]:
            raise ValueError(
                f"{', '.join(given)}: for servers on this machine, but with evaluation.executor=ray they run on the "
                "cluster, which places them itself; leave it out"
            )
