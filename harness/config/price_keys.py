"""What things cost: the run file's price list. It says nothing of what is asked or tested, and is part of no key."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import Field, model_validator

from harness.common.suggest import nearest
from harness.config.section import Section

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TokenPrice(Section):
    """Of a million tokens."""

    input: Price
    output: Price


class PricesConfig(Section):
    """Prices in one currency."""

    currency: str = Field(pattern=r"^\S{1,8}$")  # as the tables name it
    tokens: dict[str, TokenPrice] = {}  # noqa: RUF012 - pydantic copies it; checkpoint's name, or a pattern of names
    gpu_hour: Price | None = None  # of one GPU, while a server of ours holds it
    container_hour: Price | None = None  # of one container

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.tokens and self.gpu_hour is None and self.container_hour is None:
            raise ValueError("a price list has at least one of tokens, gpu_hour and container_hour")
        return self

    def tokens_of(self, checkpoint: str) -> TokenPrice | None:
        """The price of a checkpoint's tokens: its own, or that of the first pattern that its name meets."""
        if checkpoint in self.tokens:
            return self.tokens[checkpoint]
        return next((price for pattern, price in self.tokens.items() if fnmatchcase(checkpoint, pattern)), None)

    def require_known(self, checkpoints: Sequence[str]) -> None:
        """Raises ValueError for a price that is no checkpoint's."""
        for pattern in self.tokens:
            if not any(fnmatchcase(name, pattern) for name in checkpoints):
                hint = nearest(pattern, checkpoints, 1)
                raise ValueError(f"prices.tokens: no checkpoint is called {pattern!r}{hint}")
