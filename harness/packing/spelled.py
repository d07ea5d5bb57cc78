"""Special tokens that the text of a corpus spells: found, and hidden from a chat's template.

A message that says ``<|im_end|>`` must not end its turn. Such a spelling goes through the template in disguise and is
encoded as plain text afterwards. A tokenizer whose model has special tokens among its pieces (Unigram, words) finds
them in plain text all the same; what it finds is written in characters.
"""

import json
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


def spelled_ids(plain: Any, tokens: Iterable[str]) -> dict[int, tuple[int, ...]]:
    """The tokens that ``plain`` finds in text although it takes them for text, each with the ids of its characters.

    Where a character has no id its UTF-8 bytes are taken; the ids are none if one of them is missing.
    """
    ids = {token: plain.token_to_id(token) for token in tokens}
    found = {token: id for token, id in ids.items() if id in plain.encode(token).ids}
    if not found:
        return {}
    model = json.loads(plain.to_str())["model"]
    unknown = model.get("unk_id", plain.token_to_id(model.get("unk_token") or ""))
    return {id: _character_ids(plain, token) for token, id in found.items() if id != unknown}


def _character_ids(plain: Any, token: str) -> tuple[int, ...]:
    ids: list[int | None] = []
    for character in token:
        own = plain.token_to_id(character)
        ids += [own] if own is not None else [plain.token_to_id(f"<0x{byte:02X}>") for byte in character.encode()]
    known = [id for id in ids if id is not None]
    return tuple(known) if len(known) == len(ids) else ()


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
