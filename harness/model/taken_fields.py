"""Which fields of a question a server takes: one that it refuses is left out if that changes nothing but the seed.

Sampling that is said is what is used, so a temperature or a penalty that a server refuses stays a failure.
"""

from collections.abc import Mapping
from typing import Any

from harness.model.refusal import refuses

SEED = "seed"
SEEDLESS = "without a seed"  # behind the route by which such an answer came
# Fields that may be left out, with the value at which they change nothing; None: whatever it is.
NEUTRAL: Mapping[str, float | None] = {
    SEED: None, "n": 1, "top_p": 1, "min_p": 0, "presence_penalty": 0, "repetition_penalty": 1,
}  # fmt: skip
RENAMED = {"max_tokens": "max_completion_tokens"}  # OpenAI's for models that reason


class TakenFields:
    """What one server has refused by now."""

    def __init__(self) -> None:
        self._left: set[str] = set()
        self._renamed: set[str] = set()

    @property
    def seedless(self) -> bool:
        """Whether the server takes no seed: its samples can't be drawn again."""
        return SEED in self._left

    def of(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields as this server takes them."""
        kept = {name: value for name, value in fields.items() if not (name in self._left and _may_go(name, value))}
        return {RENAMED[name] if name in self._renamed else name: value for name, value in kept.items()}

    def learn(self, sent: Mapping[str, Any], status: int, body: bytes) -> str:
        """The field of ``sent`` that an error refuses and that can be done without, or by another name; else empty."""
        for name in (*NEUTRAL, *RENAMED):
            other = RENAMED.get(name, "").encode()
            if (
                name not in sent
                or not _may_go(name, sent[name])
                or other not in body
                or not refuses(name, status, body)
            ):
                continue
            (self._renamed if name in RENAMED else self._left).add(name)
            return name
        return ""


def _may_go(name: str, value: Any) -> bool:
    return name in RENAMED or (name in NEUTRAL and NEUTRAL[name] in (None, value))
