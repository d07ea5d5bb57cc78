"""The tokenizer, and the two ids that packing needs: the separator between documents and the padding."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Template

from harness.common.hashing import content_key
from harness.common.suggest import nearest
from harness.errors import InputError
from harness.packing.chat import load_template
from harness.packing.spelled import Spelling, spelled_ids, spelling_of

NO_TOKEN = "none"
TEMPLATE = "chat_template.jinja"  # where newer tokenizers keep the template of chats
MOST_ID = (1 << 31) - 1  # rows hold ids of 32 bits
CONFIGS = ("tokenizer_config.json", "special_tokens_map.json")  # where a tokenizer names its special tokens


@dataclass(frozen=True)
class Vocabulary:
    """What turns text into ids, if text comes at all, and the ids that packing puts in itself."""

    name: str  # as the user gave it; empty without a tokenizer
    tokenizer: Any  # tokenizers.Tokenizer, or None: the corpus holds ids already
    separator: int | None  # id appended to every document that does not end with it
    padding: int
    template: Template | None = None  # of chats
    special: Mapping[str, str] = field(default_factory=dict)  # special tokens by name, which templates read
    plain: Any = None  # the tokenizer for text; it takes special tokens that stand there for text
    reads_special: bool = False  # ... unless they are to be read
    spelling: Spelling | None = None  # finds special tokens in text
    # special tokens that `plain` finds in text all the same -> ids of their characters, none if it has none for them
    spelled: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    begin: int | None = None  # id before each document of text or chat that does not begin with it
    digest: str = ""  # of the tokenizer's content: a changed one under the same name is another

    @property
    def size(self) -> int | None:
        """Number of ids, or None if no tokenizer says it."""
        return None if self.tokenizer is None else self.tokenizer.get_vocab_size(with_added_tokens=True)


def load_vocabulary(
    tokenizer: str | None,
    separator: str | None = None,
    padding: str | None = None,
    begin: str | None = None,
    reads_special: bool = False,
) -> Vocabulary:
    """Load a tokenizer (a folder, a tokenizer.json or a hub id) and resolve its tokens.

    ``separator``, ``padding`` and ``begin`` are tokens of the tokenizer, or ids if there is none; "none" means
    that nothing is put between documents, or before them. Where not given the tokenizer's own end-of-text and
    padding tokens are taken, the separator if it has no padding token, and before documents what the tokenizer itself
    puts there; without a tokenizer nothing is put between or before documents. ``reads_special`` has text read as
    special tokens where it spells them.

    Raises InputError for a tokenizer that is not there and for tokens that it does not have.
    """
    if tokenizer is None:
        separator_id = None if separator in (None, NO_TOKEN) else _plain_id(str(separator), "separator")
        padding_id = _plain_id(padding, "padding") if padding is not None else separator_id or 0
        return Vocabulary("", None, separator_id, padding_id)
    loaded, special = _load(tokenizer)
    where = f"tokenizer {tokenizer}"
    if separator is None and "eos_token" not in special:
        raise InputError(f"{where} names no end-of-text token; give --separator TOKEN, or --separator {NO_TOKEN}")
    separator_id = None
    if separator != NO_TOKEN:
        separator_id = _token_id(loaded, separator or special["eos_token"], where, "separator")
    padding_id = separator_id or 0
    if padding is not None or "pad_token" in special:
        padding_id = _token_id(loaded, padding or special["pad_token"], where, "padding")
    source = special.get("chat_template", "")
    marks = {token.content for token in loaded.get_added_tokens_decoder().values() if token.special}
    marks |= {loaded.id_to_token(separator_id)} if separator_id is not None else set()
    plain = loaded if reads_special else _plain(loaded, marks)
    return Vocabulary(
        tokenizer,
        loaded,
        separator_id,
        padding_id,
        load_template(source, where) if source else None,
        special,
        plain,
        reads_special,
        spelling_of(marks),
        {} if reads_special else spelled_ids(plain, marks),
        _begin(loaded, special, begin, where),
        content_key(tokenizer=loaded.to_str(), template=source),
    )


def _plain(tokenizer: Any, marks: Iterable[str]) -> Any:
    """The tokenizer as one to which these tokens are text."""
    from tokenizers import AddedToken, Tokenizer

    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in marks])
    plain.encode_special_tokens = True
    return plain


def _begin(tokenizer: Any, special: Mapping[str, str], begin: str | None, where: str) -> int | None:
    """The id to put before documents: the one named, or the beginning of text if the tokenizer itself puts it there."""
    if begin == NO_TOKEN:
        return None
    if begin is not None:
        return _token_id(tokenizer, begin, where, "beginning")
    known = tokenizer.token_to_id(special.get("bos_token", ""))
    written = tokenizer.encode("a").ids
    return known if known is not None and written[:1] == [known] else None


def _plain_id(text: str, what: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise InputError(f"{what} {text!r}: without a tokenizer it must be a token id")
    digits = text.lstrip("0") or "0"
    if len(digits) > len(str(MOST_ID)) or int(digits) > MOST_ID:
        raise InputError(f"{what} {digits[:40]}: a token id lies between 0 and {MOST_ID}")
    return int(digits)


def _token_id(tokenizer: Any, token: str, where: str, what: str) -> int:
    found = tokenizer.token_to_id(token)
    if found is not None:
        return int(found)
    added = [known.content for known in tokenizer.get_added_tokens_decoder().values()]
    hint = nearest(token, added) or (f"; its special tokens: {', '.join(added)}" if added else "")
    raise InputError(f"{where} has no token {token!r} to use as {what}{hint}")


def _load(name: str) -> tuple[Any, dict[str, str]]:
    """The tokenizer and its special tokens by name."""
    from tokenizers import Tokenizer

    path = Path(name)
    if path.exists():
        file = path / "tokenizer.json" if path.is_dir() else path
        if not file.is_file():
            raise InputError(f"tokenizer {name}: the folder holds no tokenizer.json")
        configs = [file.parent / config for config in CONFIGS] if path.is_dir() else []
    else:
        file, *configs = _download(name)
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # what the library raises for a damaged file is just that
        raise InputError(f"tokenizer {name}: {file.name} is not readable ({error})") from error
    special: dict[str, str] = {}
    for config in configs:
        if config.is_file():
            special |= {key: value for key, value in _special_tokens(config).items() if key not in special}
    if path.is_dir() and (path / TEMPLATE).is_file():
        special["chat_template"] = (path / TEMPLATE).read_text(encoding="utf-8")
    return tokenizer, special


def _special_tokens(config: Path) -> dict[str, str]:
    try:
        fields = json.loads(config.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{config}: not JSON ({error})") from error
    if not isinstance(fields, dict):
        raise InputError(f"{config}: not a JSON object")
    tokens = {}
    for key in ("eos_token", "pad_token", "bos_token", "chat_template"):
        value = fields.get(key)
        text = value.get("content") if isinstance(value, dict) else value
        if key == "chat_template" and isinstance(value, list):
            text = _default_template(value)
        if isinstance(text, str):
            tokens[key] = text
    return tokens


def _default_template(templates: list[Any]) -> str | None:
    """Of several named templates the one that is used if none is asked for."""
    named = (entry for entry in templates if isinstance(entry, dict) and entry.get("name") == "default")
    return next(named, {}).get("template")


def _download(name: str) -> list[Path]:
    """The tokenizer's files from the hub: the user named it, so the network is no surprise."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

    files = []
    try:
        for file in ("tokenizer.json", *CONFIGS):
            try:
                files.append(Path(hf_hub_download(name, file)))
            except EntryNotFoundError:
                if file == "tokenizer.json":
                    raise
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise InputError(
            f"tokenizer {name!r} is neither a local path nor available from the hub: {str(error).splitlines()[0]}"
        ) from error
    return files
