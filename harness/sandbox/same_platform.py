"""Verdicts of one platform alone: images, engines and records of another one are refused."""

from harness.core.machine_platform import own_platform
from harness.errors import InputError


def require_own_platform(platform: str, what: str) -> None:
    """Raises InputError if ``what`` is of another platform than this machine."""
    if platform != own_platform():
        raise InputError(f"{what} is for {platform}, this machine is {own_platform()}: the two are not mixed")
