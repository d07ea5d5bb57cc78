"""How a run stands that goes on in another process, from its event log."""

import time
from pathlib import Path
from typing import Any

from harness.common.event_log import ALIVE_SECONDS, StageState, last_event
from harness.common.files import json_text
from harness.common.progress import duration

LOST_SECONDS = 2 * ALIVE_SECONDS  # without a line: the process is gone, or its machine


def status_text(folder: Path) -> str:
    """The state in lines. Raises InputError as `last_event`."""
    event = last_event(folder)
    stages = "".join(f"{_stage(stage)}\n" for stage in event["stages"])
    return f"{stages}{_heading(event)}\n"


def status_document(folder: Path) -> str:
    """The same as JSON, as the log's last line has it, with ``state``. Raises InputError as `last_event`."""
    event = last_event(folder)
    return json_text(event | {"stages": [vars(stage) for stage in event["stages"]], "state": _state(event)})


def _state(event: dict[str, Any]) -> str:
    if event["event"] == "ended":
        return "ended"
    return "lost" if time.time() - event["time"] > LOST_SECONDS else "running"


def _heading(event: dict[str, Any]) -> str:
    since = duration(max(0.0, time.time() - event["time"]))
    where = f"process {event['pid']} on {event['host']}"
    words = {
        "ended": f"ended {since} ago",
        "running": f"running: {where}, as of {since} ago",
        "lost": f"no sign of life for {since}: {where}; the same command goes on from what is done",
    }
    return words[_state(event)]


def _stage(stage: StageState) -> str:
    facts = [f"{stage.name} {stage.done}/{stage.total}"]
    facts += [f"{stage.known} known"] if stage.known else []
    unfinished = stage.seconds_left is not None and stage.done < stage.total
    facts += [f"{duration(stage.seconds_left or 0)} left"] if unfinished else []
    return ", ".join(facts) + (f" ({', '.join(stage.running)})" if stage.running else "")
