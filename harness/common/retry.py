"""Trying again while the machine fails."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from harness.errors import InfrastructureError

log = logging.getLogger(__name__)

Value = TypeVar("Value")

RETRY_SECONDS = (1.0, 5.0, 20.0)  # pauses before another try after the machine failed


def retried(name: str, attempt: Callable[[], Value]) -> Value:
    """What ``attempt`` returns, tried again with growing pauses; ``name`` says in the log whose attempt it is.

    Raises the last try's InfrastructureError if the machine fails again and again.
    """
    for pause in RETRY_SECONDS:
        try:
            return attempt()
        except InfrastructureError as error:
            log.warning("%s: %s; trying again in %g s", name, error, pause)
            time.sleep(pause)
    return attempt()
