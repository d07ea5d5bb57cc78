"""Which devices a machine's servers may use, and how many of them one server takes."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import prod
from pathlib import Path

from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.errors import InputError
from harness.model.checkpoint import PARALLEL, argument, server_arguments, serves_on_cpu
from harness.model.server_host import Host, LocalHost

VISIBLE = "CUDA_VISIBLE_DEVICES"
BATCH_INVARIANT = "VLLM_BATCH_INVARIANT"


def devices_here(serving: ServingConfig, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The devices that servers are placed on: the run file's, or ``CUDA_VISIBLE_DEVICES``.

    Empty if neither names any, and for vLLM's CPU build if the run file names none: one server at a time then.
    """
    if serving.gpus is not None:
        return serving.gpus
    if serves_on_cpu():
        return ()
    return tuple(filter(None, (device.strip() for device in environment.get(VISIBLE, "").split(","))))


def served_here(checkpoint: CheckpointConfig) -> bool:
    """Whether a server of ours answers for it."""
    return checkpoint.weights is not None and checkpoint.answers is None


def devices_of_server(args: Sequence[str]) -> int:
    """Devices of one server: the product of its parallel sizes. Raises InputError for a size that is no number."""
    return prod(_size(args, names) for names in PARALLEL)


def _size(args: Sequence[str], names: Sequence[str]) -> int:
    for name in names:
        given = argument(args, name)
        if given is not None and not given.isdigit():
            raise InputError(f"server argument {name}={given}: give a whole number of devices")
        if given is not None:
            return max(int(given), 1)
    return 1


def check_batch_invariance(serving: ServingConfig) -> None:
    """Raises InputError if the run file asks for a mode that the vLLM installed here does not have."""
    if not serving.batch_invariant:
        return
    spec = find_spec("vllm")
    settings = Path(spec.origin).with_name("envs.py") if spec is not None and spec.origin else None
    if settings is None or not settings.is_file() or BATCH_INVARIANT not in settings.read_text(encoding="utf-8"):
        raise InputError("serving.batch_invariant: the vLLM installed here has no such mode; install one that has it")
    if serves_on_cpu():
        raise InputError(
            "serving.batch_invariant: vLLM's CPU build has no such mode; it needs a GPU (NVIDIA of compute capability "
            "8.0, 9.0 or newer); leave the key out, and the tables say that answers are not bitwise repeatable"
        )


def check_placing(checkpoint: CheckpointConfig, serving: ServingConfig, devices: Sequence[str]) -> None:
    """Raises InputError if the servers of a checkpoint can't be placed on this machine's ``devices``."""
    if not served_here(checkpoint):
        return
    wanted = devices_of_server(server_arguments(checkpoint, serving))
    if serving.per_checkpoint not in (None, wanted):
        raise InputError(
            f"checkpoint {checkpoint.name}: vLLM's arguments divide it over {wanted} devices, "
            f"serving.per_checkpoint over {serving.per_checkpoint}; let them agree"
        )
    if not devices:
        return
    if serving.ahead:
        raise InputError(f"serving.ahead is for machines without a GPU, but {VISIBLE} names {','.join(devices)}")
    if wanted * checkpoint.replicas > len(devices):
        servers = f"{checkpoint.replicas} replicas of {wanted} need" if checkpoint.replicas > 1 else "its server needs"
        raise InputError(
            f"checkpoint {checkpoint.name}: {servers} {wanted * checkpoint.replicas} devices, "
            f"but there are {len(devices)} ({','.join(devices)})"
        )


@dataclass(frozen=True)
class Spot:
    """Where one server runs."""

    number: int = 0  # among the servers of this moment, from 0; fixed ports follow it
    devices: tuple[str, ...] = ()  # empty: whatever vLLM takes by itself
    host: Host = field(default_factory=LocalHost, compare=False)
