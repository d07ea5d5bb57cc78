"""How long a model's server was there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerTime:
    """One server's time, from its start to its end."""

    began: float  # seconds since 1970
    seconds: float
    gpus: int  # that it held; 0 for a server on the CPU
