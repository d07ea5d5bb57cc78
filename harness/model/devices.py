"""Which devices a machine's servers may use, and how many of them one server takes."""

import os
from collections.abc import Mapping, Sequence
from math import prod

from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.errors import InputError
from harness.model.checkpoint import PARALLEL, argument, server_arguments, serves_on_cpu

VISIBLE = "CUDA_VISIBLE_DEVICES"


def devices_here(serving: ServingConfig, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The devices that servers are placed on: the run file's, or ``CUDA_VISIBLE_DEVICES``.

    Empty if neither names any, and for vLLM's CPU build if the run file names none: one server at a time then.
    """
    if serving.gpus is not None:
        return serving.gpus
    if serves_on_cpu():
        return ()
    return tuple(filter(None, (device.strip() for device in environment.get(VISIBLE, "").split(","))))


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


def check_placing(checkpoint: CheckpointConfig, serving: ServingConfig, devices: Sequence[str]) -> None:
    """Raises InputError if the servers of a checkpoint can't be placed on this machine's ``devices``."""
    if checkpoint.weights is None or checkpoint.answers is not None:
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
