"""How a checkpoint's questions are put to it: by which route, and with what beside the prompt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.config.schema import CheckpointConfig
from harness.errors import InputError

CHAT, COMPLETIONS = "chat", "completions"


@dataclass(frozen=True)
class Manner:
    """What the run file says of asking one checkpoint; by default the prompt is one user message and nothing else."""

    chat: Literal["auto", "chat", "completions"] = "auto"  # auto: chat, completions if there is no chat template
    system: str = ""  # text of a system message ahead of the prompt
    template: str | None = None  # text of a chat template in the place of the checkpoint's own
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)  # what the template is given beside the messages
    extra_body: Mapping[str, Any] = field(default_factory=dict)  # further fields of the request

    def said(self) -> dict[str, Any]:
        """What of it determines an answer; nothing by default, so that keys of earlier answers stay."""
        parts = {
            "chat": self.chat if self.chat != "auto" else "",
            "system": self.system,
            "template": self.template or "",
            "template_kwargs": dict(self.template_kwargs),
            "extra_body": dict(self.extra_body),
        }
        return {name: value for name, value in parts.items() if value}

    def messages(self, prompt: str) -> list[dict[str, str]]:
        """The messages of the chat route."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": prompt}]

    def question(self, prompt: str, route: str, own_template: bool) -> dict[str, Any]:
        """The prompt as fields of a request by ``route``; ``own_template``: the server has the template already."""
        if route == COMPLETIONS:
            return {"prompt": prompt}
        template = {} if own_template or self.template is None else {"chat_template": self.template}
        kwargs = {"chat_template_kwargs": dict(self.template_kwargs)} if self.template_kwargs else {}
        return {"messages": self.messages(prompt), **template, **kwargs}

    def route(self, has_template: bool) -> str:
        """The route for a model with or without a chat template.

        Raises InputError if what the run file says of asking needs a template, and there is none.
        """
        if self.chat == COMPLETIONS:
            return COMPLETIONS
        needs = [name for name in ("system", "chat_template_kwargs") if getattr(self, name.removeprefix("chat_"))]
        if not has_template and (needs or self.chat == CHAT):
            raise InputError(
                f"the model has no chat template, which {needs[0] if needs else 'chat: chat'} needs; give one as the "
                "checkpoint's chat_template, or ask by chat: completions"
            )
        return CHAT if has_template else COMPLETIONS


PLAIN = Manner()


def read_manner(checkpoint: CheckpointConfig) -> Manner:
    """What a checkpoint of the run file says of asking it. Raises InputError for a template that can't be read."""
    template = None
    if checkpoint.chat_template is not None:
        try:
            template = checkpoint.chat_template.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise InputError(f"{checkpoint.chat_template}: not a readable chat template ({error})") from error
    return Manner(
        checkpoint.chat, checkpoint.system or "", template, checkpoint.chat_template_kwargs, checkpoint.extra_body
    )
