"""What the tests said of a patch."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from harness.core.control import Control
from harness.core.whole_suite import WholeSuite


class Outcome(StrEnum):
    """How one evaluation ended. The model's failures and the machine's are never mixed."""

    RESOLVED = "resolved"  # every FAIL_TO_PASS and PASS_TO_PASS test holds
    UNRESOLVED = "unresolved"  # the tests ran and at least one of them does not hold
    EMPTY_PATCH = "empty-patch"  # nothing to test; no container was started
    PATCH_FAILED = "patch-failed"  # the patch does not apply
    NO_RESULTS = "no-results"  # the tests ended without results that can be graded
    UNREADABLE_LOG = "unreadable-log"  # the benchmark's parser failed on the log, or took too long
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out-of-memory"
    INFRASTRUCTURE = "infrastructure"  # the machine failed: says nothing of the patch
    NOT_SUBMITTED = "not-submitted"  # the instance is one of the selection, and no prediction is for it


class Phase(StrEnum):
    """Where in an evaluation its outcome arose."""

    MODEL = "model"  # before it: asking the model, which came to no answer
    PREPARE = "prepare"  # image and container
    PATCH = "patch"  # putting the patch in
    SETUP = "setup"  # what the evaluation script does before the tests: their files, installing
    TESTS = "tests"  # running them
    GRADE = "grade"  # reading what they printed


class Verdict(BaseModel):
    """One evaluation of one patch on one instance."""

    model_config = ConfigDict(frozen=True)

    instance_id: str
    outcome: Outcome
    phase: Phase
    detail: str = ""  # the reason in one line, if the outcome needs one
    key: str = ""  # of its journal record; empty for an empty patch
    image: str = ""
    image_digest: str = ""
    seconds: float = 0.0  # the whole evaluation
    test_seconds: float = 0.0  # of that, the evaluation script
    exit_status: int | None = None  # of the test command, from the engine
    nonce: str = ""  # follows the markers that we put around the tests' output in the log
    flags: tuple[str, ...] = ()  # what a reader should look at before believing the outcome: "kind: what"
    fail_to_pass_success: tuple[str, ...] = ()
    fail_to_pass_failure: tuple[str, ...] = ()
    pass_to_pass_success: tuple[str, ...] = ()
    pass_to_pass_failure: tuple[str, ...] = ()
    cut_ids_matched: tuple[str, ...] = ()  # ids cut in the data set, graded by the tests that begin like them
    cut_ids_ambiguous: tuple[str, ...] = ()  # those whose tests do not agree: counted as failed
    circumstances: dict[str, str] = {}  # that may change a result: time zone, hash seed, CPU, memory, kernel
    control: Control | None = None  # of what is resolved, if it is asked for
    whole_suite: WholeSuite | None = None  # of what is resolved, if it is asked for
    known: bool = Field(default=False, exclude=True)  # nothing was run for it now; of this process, never written

    @property
    def resolved(self) -> bool:
        """Whether the patch fixes the issue by the benchmark's rules."""
        return self.outcome is Outcome.RESOLVED

    @property
    def breaks_nothing(self) -> bool:
        """Whether the patch fixes the issue, and every other test passes that passes with the gold patch."""
        return self.resolved and self.whole_suite is not None and self.whole_suite.breaks_nothing

    @property
    def applied(self) -> bool:
        """Whether the patch was put in; None of the outcomes before the tests count."""
        return self.phase in (Phase.SETUP, Phase.TESTS, Phase.GRADE)
