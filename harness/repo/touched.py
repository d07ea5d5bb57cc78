"""The small index that is enough to ask git whether a patch applies: of the files that the patch names."""

import re
import struct
from collections.abc import Mapping
from hashlib import sha1

from harness.repo.diff import unquoted

_NAMED = re.compile(r"^(?:--- |\+\+\+ |(?:rename|copy) (?:from|to) |diff --git )(.+)$", re.MULTILINE)
_STAT = bytes(24)  # times, device and inode of a checked-out file, which there is none of


def named_paths(patch: str) -> set[str]:
    """Every path that the patch's headers may mean, with and without its first folder; lines may add others."""
    names = set()
    for found in _NAMED.findall(patch):
        name = found.split("\t")[0]
        # the two names of "diff --git a/x b/x" are as long as each other wherever no other header names the file
        names |= {unquoted(name), unquoted(name[: (len(name) - 1) // 2])}
    return names | {name.partition("/")[2] for name in names}


def index_of(files: Mapping[str, tuple[str, str]]) -> bytes:
    """Git's index (version 2) of some files: path to mode and hash, as ``ls-tree`` has them."""
    named = sorted((path.encode("utf-8", "surrogateescape"), *facts) for path, facts in files.items())
    parts = [struct.pack(">4sII", b"DIRC", 2, len(named))]
    for name, mode, blob in named:
        entry = _STAT + struct.pack(">IIII", int(mode, 8), 0, 0, 0) + bytes.fromhex(blob)
        entry += struct.pack(">H", min(len(name), 0xFFF)) + name
        parts.append(entry + bytes(8 - len(entry) % 8))
    body = b"".join(parts)
    return body + sha1(body, usedforsecurity=False).digest()
