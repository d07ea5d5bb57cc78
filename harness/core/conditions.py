"""Which conditions and reference rows a run may have."""

from typing import Literal, get_args

Condition = Literal["model", "gt-location", "gt-file"]

Reference = Literal["gold", "empty"]  # predictions that need no model: the row's own patch, and none
REFERENCES: tuple[Reference, ...] = get_args(Reference)
GOLD, EMPTY = REFERENCES
