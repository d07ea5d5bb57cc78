"""Chats as text, through a tokenizer's chat template, with the stretches that the assistant wrote.

A template that marks them with ``{% generation %}`` is believed. Under any other, what the assistant wrote in a turn is
what the template adds when that turn is added to the messages before it, the prompt for an answer left out. A template
that writes earlier turns otherwise than the last can't be read so: it is refused for such a chat.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from secrets import token_hex
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.errors import InputError

Message = Mapping[str, Any]
ASSISTANT = "assistant"
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
        return sum(len(text) for message in self.messages for text in content_texts(message.get("content")))


class _Generation(Extension):
    """The tag ``{% generation %}`` of Hugging Face's templates: what stands in it is the assistant's."""

    tags = {"generation"}  # noqa: RUF012 (as the base class declares it)

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

    def _marked(self, caller: Callable[[], str]) -> str:
        return f"{BEGIN}{caller()}{END}"


def content_texts(content: Any) -> list[str]:
    """The texts of a message's content: one, those of its parts, or none."""
    if isinstance(content, str):
        return [content]
    return [part if isinstance(part, str) else part["text"] for part in content or ()]


@cache
def _reads_parts(template: Template) -> bool:
    """Whether a template writes the text of a message's parts, and not the parts as Python shows them."""
    parts = [{"type": "text", "text": BEGIN}]
    try:
        text = template.render(messages=[{"role": "user", "content": parts}], add_generation_prompt=False)
    except (TemplateError, TypeError, KeyError, AttributeError):
        return False
    return BEGIN in text and repr(BEGIN) not in text


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

    whole_messages = [_readable(message, template) for message in chat.messages]

    def text(count: int, prompt: bool = False) -> str:
        messages = whole_messages[:count]
        return template.render(messages=messages, tools=chat.tools, add_generation_prompt=prompt, **special)

    try:
        whole, marked = _unmarked(text(len(chat.messages)))
        if marked:
            asked = len(_unmarked(text(chat.asked))[1]) if chat.asked else 0
            return whole, _trained(chat, marked, where)[asked:]
        return whole, _added(chat, whole, text, where)
    except (TemplateError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{where}: the chat template refuses this chat ({error})") from error


def _readable(message: Message, template: Template) -> Message:
    """A message without nulls; parts are one text, a part a line as vLLM joins them, if the template reads none."""
    given = {name: value for name, value in message.items() if value is not None}
    if isinstance(given.get("content"), list) and not _reads_parts(template):
        given["content"] = "\n".join(content_texts(given["content"]))
    return given


def takes_part(message: Message) -> bool:
    """Whether a message is one of the assistant that is not taken out of the loss by its weight."""
    return message.get("role") == ASSISTANT and message.get("weight") != 0 and message.get("train") is not False


def _trained(chat: Chat, marked: Spans, where: str) -> Spans:
    """What a template marks, with nothing in it for turns that are out of the loss."""
    own = [message for message in chat.messages if message.get("role") == ASSISTANT]
    if all(map(takes_part, own)):
        return marked
    if len(own) != len(marked):
        raise InputError(
            f"{where}: a turn is out of the loss by its weight, but the chat template marks {len(marked)} stretches "
            f"for {len(own)} turns of the assistant"
        )
    return [span if takes_part(message) else (0, 0) for message, span in zip(own, marked, strict=True)]


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
        if not takes_part(message) or number < chat.asked:
            continue
        before, after = text(number, prompt=True), text(number + 1)
        if not (after.startswith(before) and whole.startswith(after)):
            raise InputError(
                f"{where}: the chat template writes turn {number} otherwise when others follow; "
                "mark the assistant's text in it with {% generation %}"
            )
        spans.append((len(before), len(after)))
    return spans
