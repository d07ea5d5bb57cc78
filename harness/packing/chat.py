"""Chats as text, through a tokenizer's chat template, with the stretches that the assistant wrote.

A template that marks them with ``{% generation %}`` is believed. Under any other, what the assistant wrote in a turn is
what the template adds when that turn is added to the messages before it, the prompt for an answer left out. A template
that writes earlier turns otherwise than the last can't be read so: it is refused for such a chat.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.errors import InputError

Message = Mapping[str, Any]
Spans = list[tuple[int, int]]
BEGIN, END = f"<{token_hex(16)}>", f"</{token_hex(16)}>"  # around what a template marks; no text can hold them


@dataclass(frozen=True)
class Chat:
    """A chat as a corpus holds it."""

    messages: Sequence[Message]  # each with a role and what the template reads beside it
    tools: Sequence[Any] | None = None
    asked: int = 0  # of the messages, those of the prompt: nothing in them is trained

    def __len__(self) -> int:
        """Characters of the messages, about."""
        return sum(len(str(message.get("content") or "")) for message in self.messages)


class _Generation(Extension):
    """The tag ``{% generation %}`` of Hugging Face's templates: what stands in it is the assistant's."""

    tags = {"generation"}  # noqa: RUF012 (as the base class declares it)

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

    def _marked(self, caller: Callable[[], str]) -> str:
        return f"{BEGIN}{caller()}{END}"


def load_template(source: str, where: str) -> Template:
    """A chat template, ready to render. Raises InputError for one that is not Jinja."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
    )
    environment.filters["tojson"] = lambda value, **rest: json.dumps(value, ensure_ascii=False, **rest)
    environment.globals["raise_exception"] = _refuse
    try:
        return environment.from_string(source)
    except TemplateError as error:
        raise InputError(f"{where}: the chat template is not readable ({error})") from error


def _refuse(message: str) -> None:
    raise TemplateError(message)


def rendered(chat: Chat, template: Template, special: Mapping[str, str], where: str) -> tuple[str, Spans]:
    """The chat's text, and the stretches of it (from, to) that the assistant wrote.

    ``special`` are the tokenizer's special tokens by name, which templates read. Raises InputError for a chat that the
    template refuses, and for a template that marks nothing and writes earlier turns otherwise than the last.
    """

    def text(count: int, prompt: bool = False) -> str:
        messages = [{k: v for k, v in m.items() if v is not None} for m in chat.messages[:count]]
        return template.render(messages=messages, tools=chat.tools, add_generation_prompt=prompt, **special)

    try:
        whole, marked = _unmarked(text(len(chat.messages)))
        if marked:
            asked = len(_unmarked(text(chat.asked))[1]) if chat.asked else 0
            return whole, marked[asked:]
        return whole, _added(chat, whole, text, where)
    except (TemplateError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{where}: the chat template refuses this chat ({error})") from error


def _unmarked(text: str) -> tuple[str, Spans]:
    """The text without the marks of what was generated, and where that stands."""
    parts = re.split(f"({BEGIN}|{END})", text)
    spans: Spans = []
    kept, length = [], 0
    for part in parts:
        if part == BEGIN:
            begin = length
        elif part == END:
            spans.append((begin, length))
        else:
            kept.append(part)
            length += len(part)
    return "".join(kept), spans


def _added(chat: Chat, whole: str, text: Callable[..., str], where: str) -> Spans:
    """What each of the assistant's turns adds to the text before it."""
    spans = []
    for number, message in enumerate(chat.messages):
        if message.get("role") != "assistant" or number < chat.asked:
            continue
        before, after = text(number, prompt=True), text(number + 1)
        if not (after.startswith(before) and whole.startswith(after)):
            raise InputError(
                f"{where}: the chat template writes turn {number} otherwise when others follow; "
                "mark the assistant's text in it with {% generation %}"
            )
        spans.append((len(before), len(after)))
    return spans
