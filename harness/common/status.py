"""How a run stands that goes on in another process, from its event log."""

import time
from pathlib import Path
from typing import Any

from harness.common.event_log import ALIVE_SECONDS, last_event
from harness.common.files import json_text
from harness.common.run_state import duration, part_words, stage_words

LOST_SECONDS = 2 * ALIVE_SECONDS  # without a line: the process is gone, or its machine


def status_text(folder: Path) -> str:
    """The state in lines, as the display has it. Raises InputError as `last_event`."""
    event, state = last_event(folder)
    lines = (*map(stage_words, state.stages), *map(part_words, state.parts), _heading(event))
    return "".join(f"{line}\n" for line in lines if line)


def status_document(folder: Path) -> str:
    """The same as JSON, as the log's last line has it, with ``state``. Raises InputError as `last_event`."""
    event, _ = last_event(folder)
    return json_text(event | {"state": _state(event)})


def _state(event: dict[str, Any]) -> str:
    if event["event"] == "ended":
        return "ended"
    return "lost" if time.time() - event["time"] > LOST_SECONDS else "running"


def _heading(event: dict[str, Any]) -> str:
    since = duration(max(0.0, time.time() - event["time"]))
    took = duration(event["time"] - event["began"])
    where = f"process {event['pid']} on {event['host']}"
    why = f", by an error: {event['error']}" if event.get("error") else ""
    words = {
        "ended": f"ended {since} ago, after {took}{why}",
        "running": f"running for {took}: {where}, as of {since} ago",
        "lost": f"no sign of life for {since}: {where}; the same command goes on from what is done",
    }
    return words[_state(event)]
