"""What the second oracle found: the tests of every test file, with the gold patch and with the selected one."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class SuiteState(StrEnum):
    """How a comparison of whole suites ended."""

    COMPARED = "compared"
    NOT_RUN = "not-run"  # one of the runs came to no results, or there is nothing to run
    UNDONE = "undone"  # the machine failed: a later run tries again


class WholeSuite(BaseModel):
    """The tests of many test files, held against what they do with the gold patch. It never changes an outcome."""

    model_config = ConfigDict(frozen=True)

    state: SuiteState
    detail: str = ""  # the reason in one line, if there was no comparison
    files: int = 0  # test files that were run
    repeats: int = 0  # runs of the reference, the gold patch
    passing: int = 0  # tests that pass in all of these
    flaky: tuple[str, ...] = ()  # tests that pass in some of these only; they say nothing
    breaks: dict[str, str] = {}  # of the passing, those that do not pass with the patch, in two runs -> how they end
    unsteady: tuple[str, ...] = ()  # of the passing, those that did not pass with the patch once, and then did
    flags: tuple[str, ...] = ()  # what a reader should look at in these runs, beyond the verdict's own: "kind: what"
    keys: tuple[str, ...] = ()  # of the journal's records, and so of the logs; the reference's come first
    seconds: float = 0.0  # of wall time, those of the reference included if it was run for this

    @property
    def breaks_nothing(self) -> bool:
        """Whether every test that passes with the gold patch passes with this one."""
        return self.state is SuiteState.COMPARED and not self.breaks
