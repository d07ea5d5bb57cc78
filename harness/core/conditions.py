"""Which conditions and reference rows a run may have."""

from typing import Literal

Condition = Literal["model", "gt-location", "gt-file"]

Reference = Literal["gold", "empty"]
