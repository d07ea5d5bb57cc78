"""Hashes of content: the keys of records and of image layers."""

import hashlib
import json
from typing import Any


def content_hash(*parts: str) -> str:
    """SHA-256 over texts, in order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


def content_key(**parts: Any) -> str:
    """Hash (32 hex digits) of named, JSON-serialisable parts; independent of their order."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
