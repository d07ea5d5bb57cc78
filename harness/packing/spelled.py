"""Special tokens that the text of a corpus spells: found, and hidden from a chat's template.

A message that says ``<|im_end|>`` must not end its turn. Such a spelling goes through the template in disguise and is
encoded as plain text afterwards.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from secrets import token_hex
from typing import Any

from harness.packing.chat import Chat

NONCE = f"<{token_hex(16)}:"  # no text can hold it
HIDDEN = re.compile(f"({NONCE}[0-9a-f]+;)")

Spelling = re.Pattern[str]  # matches any special token


def spelling_of(tokens: Iterable[str]) -> Spelling | None:
    """What finds these tokens in text; None if there are none."""
    longest_first = sorted(filter(None, tokens), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def spells(text: str, spelling: Spelling | None) -> bool:
    """Whether a text spells a special token."""
    return spelling is not None and spelling.search(text) is not None


def hidden(chat: Chat, spelling: Spelling | None) -> Chat:
    """The chat with every special token that its messages or tools spell in disguise."""
    if spelling is None:
        return chat
    return replace(chat, messages=_hidden(chat.messages, spelling), tools=_hidden(chat.tools, spelling))


def _hidden(value: Any, spelling: Spelling) -> Any:
    if isinstance(value, str):
        return spelling.sub(lambda found: f"{NONCE}{found[0].encode().hex()};", value)
    if isinstance(value, list):
        return [_hidden(part, spelling) for part in value]
    if isinstance(value, dict):
        return {key: _hidden(part, spelling) for key, part in value.items()}
    return value


def revealed(disguise: str) -> str:
    """The token behind a disguise, which `HIDDEN` found."""
    return bytes.fromhex(disguise[len(NONCE) : -1]).decode()
