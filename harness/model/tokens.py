"""Tokens that a prompt takes at a local checkpoint, counted without its server."""

import json
import re
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from harness.errors import InputError
from harness.model.checkpoint import argument, read_json
from harness.model.manner import COMPLETIONS, PLAIN, Manner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

# transformers' own tag around the assistant's turns, which plain jinja2 does not know
GENERATION_TAG = re.compile(r"(\{%-?\s*)(end)?generation(\s*-?%\})")
CACHED_COUNTS = 1024  # distinct prompts whose counts are kept


class PromptTokens:
    """Counts a prompt as the server will: put into the chat template, then split by tokenizer.json."""

    def __init__(self, folder: Path, args: "Sequence[str]" = (), manner: Manner = PLAIN) -> None:
        """Read the tokenizer and the template; ``--tokenizer`` and ``--chat-template`` of ``args`` count.

        Raises InputError for files that can't be read, and for a ``manner`` that needs a template which is not there.
        """
        from tokenizers import Tokenizer

        source = Path(argument(args, "--tokenizer") or folder)
        try:
            self._tokenizer = Tokenizer.from_str((source / "tokenizer.json").read_text(encoding="utf-8"))
        except Exception as error:  # tokenizers raises nothing narrower
            raise InputError(f"{source / 'tokenizer.json'}: not a readable tokenizer ({error})") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        settings = read_json(source / "tokenizer_config.json") if (source / "tokenizer_config.json").exists() else {}
        self._names = _special_tokens(settings)
        text = _chat_template(source, settings, argument(args, "--chat-template"))
        self._manner = manner
        self.route = manner.route(text is not None)
        self._template = None if text is None or self.route == COMPLETIONS else _compile(text)
        self.count = lru_cache(CACHED_COUNTS)(self._count)

    def _count(self, prompt: str) -> int:
        """Tokens that the server will see for ``prompt`` as one user message, template included."""
        if self._template is None:
            return self._length(prompt, add_special_tokens=True)
        return self._length(_render(self._template, self._manner, prompt, self._names), add_special_tokens=False)

    def _length(self, text: str, *, add_special_tokens: bool) -> int:
        [encoded] = self._tokenizer.encode_batch_fast([text], add_special_tokens=add_special_tokens)  # without offsets
        return len(encoded)


def _render(template: "Template", manner: Manner, prompt: str, names: dict[str, str]) -> str:
    from jinja2 import TemplateError

    variables = {"add_generation_prompt": True, "tools": None, **names, **manner.template_kwargs}
    try:
        return template.render({**variables, "messages": manner.messages(prompt)})
    except TemplateError as error:
        shown = "a system message and a user message" if manner.system else "a single user message"
        raise InputError(f"the checkpoint's chat template refuses {shown}: {error}") from error


def _special_tokens(settings: dict[str, Any]) -> dict[str, str]:
    """The names that templates use: bos_token and its like, given as a string or as an object with its content."""
    values = {name: value for name, value in settings.items() if name.endswith("_token")}
    texts = {name: value.get("content") if isinstance(value, dict) else value for name, value in values.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def _chat_template(folder: Path, settings: dict[str, Any], given: str | None) -> str | None:
    """The template's text: of the server argument (a file, or the text), the folder's own file, or the settings."""
    if given is not None:
        return Path(given).read_text(encoding="utf-8") if "{" not in given else given
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    if isinstance(template, list):
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    return template


def _compile(text: str) -> "Template":
    # the environment that transformers documents for chat templates; sandboxed, since the text comes with the weights
    from jinja2 import TemplateError, ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> NoReturn:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[ext.loopcontrols])
    environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda pattern: datetime.now().strftime(pattern)
    try:
        return environment.from_string(GENERATION_TAG.sub(_plain_block, text))
    except TemplateError as error:
        raise InputError(f"the checkpoint's chat template is broken: {error}") from error


def _plain_block(tag: "re.Match[str]") -> str:
    return tag[1] + ("endif" if tag[2] else "if true") + tag[3]
