"""Chats as text, through a tokenizer's chat template, with the stretches that the assistant wrote.

What the assistant wrote in a turn is what the template adds when that turn is added to the messages before it, the
prompt for an answer left out. A template that writes earlier turns otherwise than the last can't be read so: it is
refused for such a chat.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.errors import InputError

Message = Mapping[str, Any]
Spans = list[tuple[int, int]]


@dataclass(frozen=True)
class Chat:
    """A chat as a corpus holds it."""

    messages: Sequence[Message]  # each with a role and what the template reads beside it
    tools: Sequence[Any] | None = None
    asked: int = 0  # of the messages, those of the prompt: nothing in them is trained

    def __len__(self) -> int:
        """Characters of the messages, about."""
        return sum(len(str(message.get("content") or "")) for message in self.messages)


def load_template(source: str, where: str) -> Template:
    """A chat template, ready to render. Raises InputError for one that is not Jinja."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
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
    template refuses, and for a template that writes earlier turns otherwise than the last.
    """

    def text(count: int, prompt: bool = False) -> str:
        messages = [{k: v for k, v in m.items() if v is not None} for m in chat.messages[:count]]
        return template.render(messages=messages, tools=chat.tools, add_generation_prompt=prompt, **special)

    spans = []
    try:
        whole = text(len(chat.messages))
        for number, message in enumerate(chat.messages):
            if message.get("role") != "assistant" or number < chat.asked:
                continue
            before, after = text(number, prompt=True), text(number + 1)
            if not (after.startswith(before) and whole.startswith(after)):
                raise InputError(f"{where}: the chat template writes turn {number} otherwise when others follow")
            spans.append((len(before), len(after)))
    except (TemplateError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{where}: the chat template refuses this chat ({error})") from error
    return whole, spans
