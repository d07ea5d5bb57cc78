"""How long work stands at a moment, as values, and the words for it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.common.inert import one_line
from harness.common.stage import StageState
from harness.common.under_way import shortened


@dataclass(frozen=True)
class Part:
    """One part of the work beside its stages, such as a server: what it does now, and what it counts."""

    name: str
    counts: str = ""  # for a reader
    doing: str = ""  # likewise; empty if the counts say all
    seconds: float = 0.0  # since when it does that
    detail: str = ""  # of what it does, or of the counts
    totals: Mapping[str, float] = field(default_factory=dict)  # numbers that only grow
    levels: Mapping[str, float] = field(default_factory=dict)  # numbers that rise and fall

    def words(self) -> str:
        """What a reader is told, without the name; empty if there is nothing to say."""
        doing = f"{self.doing} for {duration(self.seconds)}" if self.doing else ""
        detail = one_line(self.detail)
        if not doing:
            return self.counts + (f" ({detail})" if self.counts and detail else "")
        return "; ".join(filter(None, (self.counts, doing + (f": {detail}" if detail else ""))))


@dataclass(frozen=True)
class State:
    """All of the work."""

    stages: tuple[StageState, ...] = ()
    parts: tuple[Part, ...] = ()

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        return {"stages": [asdict(stage) for stage in self.stages], "parts": [asdict(part) for part in self.parts]}

    def moved(self) -> tuple[object, ...]:
        """What changes only if something happened: no times, and no rates."""
        stages = ((stage.name, stage.done, stage.total, stage.running) for stage in self.stages)
        parts = ((part.name, part.doing, part.detail, dict(part.totals)) for part in self.parts)
        return (*stages, *parts)


def read_state(document: Mapping[str, Any]) -> State:
    """The state of a `State.document`. Raises KeyError or TypeError for anything else."""
    stages = (StageState(**stage | {"running": tuple(stage["running"])}) for stage in document["stages"])
    return State(tuple(stages), tuple(Part(**part) for part in document["parts"]))


def stage_words(stage: StageState) -> str:
    """``repair 3/10, 2 known, 3m 20s left (one, two)``"""
    names = f" ({shortened(stage.running)})" if stage.running else ""
    told = (f"{stage.name} {stage.done}/{stage.total}", known_words(stage), time_left(stage))
    return ", ".join(filter(None, told)) + names


def part_words(part: Part) -> str:
    """``concat: 120 answers, 64 in flight``; empty if there is nothing to say."""
    words = part.words()
    return f"{part.name}: {words}" if words else ""


def known_words(stage: StageState) -> str:
    """How many were found finished; empty if none."""
    return f"{stage.known} known" if stage.known else ""


def time_left(stage: StageState) -> str:
    """How long the rest takes; empty if nobody knows, or nothing is left."""
    unfinished = stage.seconds_left is not None and stage.done < stage.total
    return f"{duration(stage.seconds_left or 0)} left" if unfinished else ""


def duration(seconds: float) -> str:
    """``45s``, ``3m 20s`` or ``2h 05m``: what a reader needs of a time span."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
