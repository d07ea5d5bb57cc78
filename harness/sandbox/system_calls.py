"""Which system calls a container may make, as the seccomp profile that the engine is given.

Docker's own default profile lets a container see which pages of an image's files are in memory. Ours is the same for a
process without capabilities, less those calls and other architectures' (https://docs.docker.com/engine/security/seccomp).
"""

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from harness.common.files import write_whole
from harness.common.hashing import content_hash
from harness.common.paths import cache_folder
from harness.common.resources import resource

ENOSYS = 38
NEW_NAMESPACES = 0x7E020000  # the flags of clone that make one
RWF_NOWAIT = 0x8  # a read that fails if it had to wait for the disk
AF_ALG, AF_VSOCK = 38, 40  # sockets of the kernel's cryptography, and of other machines on this host
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)  # Linux; Linux on 32 bits; either with uname 2.6; a question


@cache
def seccomp_profile() -> str:
    """The profile as JSON, in the form of Docker's ``seccomp`` security option."""
    with (resource("docker") / "system_calls.toml").open("rb") as file:
        named = tomllib.load(file)
    rules = [
        _rule([name for group in named["allowed"].values() for name in group]),
        _rule([name for group in named["absent"].values() for name in group], absent=True),
        _rule(["clone"], _argument(0, "MASKED_EQ", NEW_NAMESPACES, 0)),
        _rule(["clone3"], absent=True),  # its flags lie in memory, where no filter can look: libraries turn to clone
        _rule(["preadv2", "pwritev2"], _argument(5, "MASKED_EQ", RWF_NOWAIT, 0)),
        _rule(["socket"], _argument(0, "LT", AF_ALG)),
        _rule(["socket"], _argument(0, "EQ", AF_ALG + 1)),
        _rule(["socket"], _argument(0, "GT", AF_VSOCK)),
        *(_rule(["personality"], _argument(0, "EQ", personality)) for personality in PERSONALITIES),
    ]
    return json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules})


def profile_file() -> Path:
    """The profile as a file, for an engine on this machine that is given a file's name."""
    profile = seccomp_profile()
    path = cache_folder() / f"system-calls-{content_hash(profile)[:12]}.json"
    if not path.is_file():
        write_whole(path, profile)
    return path


def traced_profile_file(folder: Path) -> Path:
    """The profile in a file below ``folder``, for Apptainer, which lets refused calls fail in one way only.

    Libraries turn to another call only if one is absent. It is to a process that asks for a tracer and has none; so
    none may trace.
    """
    profile = json.loads(seccomp_profile())
    for rule in profile["syscalls"]:
        if rule["action"] == "SCMP_ACT_ERRNO":
            del rule["errnoRet"]
            rule["action"] = "SCMP_ACT_TRACE"
        rule["names"] = [name for name in rule["names"] if name != "ptrace"]
    text = json.dumps(profile)
    path = folder / f"system-calls-{content_hash(text)[:12]}.json"
    if not path.is_file():
        write_whole(path, text)
    return path


def _rule(names: list[str], *arguments: dict[str, Any], absent: bool = False) -> dict[str, Any]:
    """Let calls through if every argument is as wanted, or let them fail as on a kernel without them."""
    if absent:
        return {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}
    return {"names": names, "action": "SCMP_ACT_ALLOW", "args": list(arguments)}


def _argument(index: int, comparison: str, value: int, masked: int = 0) -> dict[str, Any]:
    return {"index": index, "op": f"SCMP_CMP_{comparison}", "value": value, "valueTwo": masked}
