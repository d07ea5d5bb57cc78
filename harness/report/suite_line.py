"""A whole suite in one line."""

from typing import TYPE_CHECKING

from harness.core.whole_suite import SuiteState

if TYPE_CHECKING:
    from harness.core.whole_suite import WholeSuite

NAMED = 3  # tests that a line names


def suite_line(suite: "WholeSuite") -> str:
    """What a whole suite came to: ``whole suite: ...``."""
    if suite.state is not SuiteState.COMPARED:
        return f"whole suite: not run ({suite.detail})"
    among = f"{suite.passing} tests that pass with the gold patch"
    if not suite.breaks:
        return f"whole suite: breaks none of {among}"
    named = ", ".join(f"{test} ({how})" for test, how in list(suite.breaks.items())[:NAMED])
    more = f" and {len(suite.breaks) - NAMED} more" if len(suite.breaks) > NAMED else ""
    return f"whole suite: breaks {len(suite.breaks)} of {among}: {named}{more}"
