"""The platform of this machine, in the words that registries and engines use: ``linux/amd64``."""

import platform

ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
USUAL = "amd64"  # the benchmark's own images are made for it


def architecture() -> str:
    """This machine's architecture as registries call it: ``amd64``, ``arm64``."""
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)


def own_platform() -> str:
    """The platform that containers of this machine have."""
    return f"linux/{architecture()}"


def in_names() -> str:
    """The architecture as the benchmark has it in names of images: ``x86_64``, ``arm64``."""
    return "x86_64" if architecture() == USUAL else architecture()


def in_content() -> tuple[str, ...]:
    """What of the platform goes into the hash that an image is known by: nothing on the usual one."""
    return () if architecture() == USUAL else (own_platform(),)
