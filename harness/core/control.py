"""What a counter-evaluation found: the tests once more, with an expectation changed."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class ControlState(StrEnum):
    """How a counter-evaluation ended."""

    PASSED = "passed"  # every changed test failed, as it must
    FAILED = "failed"  # one did not, though it does with the gold patch
    STOPPED = "stopped"  # they met a limit twice, which they do not with the gold patch: neither passed nor failed
    NONE_DRAWN = "none-drawn"  # no expectation of the tests can be changed
    UNDONE = "undone"  # the machine failed: a later run tries again


class DrawnChange(BaseModel):
    """One changed expectation of a counter-evaluation."""

    model_config = ConfigDict(frozen=True)

    test: str
    kind: str
    line: int  # from 1, in the test file
    before: str  # that line, and what stood in its place
    after: str
    failed: bool  # whether the test failed with the patch
    gold_failed: bool | None = None  # whether it fails with the gold patch; asked only if it did not with the patch


class Control(BaseModel):
    """One counter-evaluation. It never changes an outcome."""

    model_config = ConfigDict(frozen=True)

    state: ControlState
    detail: str = ""  # the reason in one line, if the state needs one
    seed: str = ""  # of the draws
    changes: tuple[DrawnChange, ...] = ()  # in the order of the draws
    keys: tuple[str, ...] = ()  # of the journal's records, and so of the logs
    seconds: float = 0.0  # of wall time, containers of the gold patch included
