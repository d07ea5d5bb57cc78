"""The arms of the study: packing strategies, and two controls that tell waste from harm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.errors import InputError
from lab.arms import BASELINE
from lab.heads.head_documents import Mix

Control = Literal["masked", "added"]
Kind = Literal["fitting", "overlong"]

KEPT = "best-fit+split"  # the strategy that keeps every document whole which fits


@dataclass(frozen=True)
class HeadsArm:
    """One way to train."""

    name: str
    strategy: str  # of `harness pack`
    control: Control | None = None  # headless pieces out of the loss; or rows of nothing else, put in


MASKED = HeadsArm("concat-headless-masked", BASELINE, "masked")
ADDED = HeadsArm("best-fit-headless-added", KEPT, "added")
FITTING = (
    HeadsArm(BASELINE, BASELINE),
    HeadsArm("restart-last-document", "restart-last-document"),
    HeadsArm("pad-last-document", "pad-last-document"),
    HeadsArm(KEPT, KEPT),  # every document fits: +slide, +spread, +drop and +truncate make the same rows
    MASKED,
    ADDED,
)
OVERLONG = tuple(
    HeadsArm(name, name)
    for name in (BASELINE, *(f"best-fit+{way}" for way in ("split", "slide", "spread", "drop", "truncate")))
)


@dataclass(frozen=True)
class CorpusKind:
    """One of the study's corpora."""

    arms: tuple[HeadsArm, ...]
    bugs: tuple[int, int]  # of a trajectory
    fits: bool  # every document fits the context

    def mix(self, rare: float) -> Mix:
        """Its documents, if that share of its trajectories is rare."""
        return Mix(rare=rare, bugs=self.bugs)


KINDS: dict[Kind, CorpusKind] = {
    "fitting": CorpusKind(FITTING, (1, 1), fits=True),
    "overlong": CorpusKind(OVERLONG, (1, 5), fits=False),
}


def kind_named(name: str) -> Kind:
    """The corpus of that name. Raises InputError for an unknown one."""
    for kind in KINDS:
        if kind == name:
            return kind
    raise InputError(f"unknown corpus {name!r}; known: {', '.join(KINDS)}")


def arms_of_kind(kind: Kind, names: Sequence[str]) -> tuple[HeadsArm, ...]:
    """The arms of these names, all if none is named. Raises InputError for one that the corpus does not have."""
    known = {arm.name: arm for arm in KINDS[kind].arms}
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"unknown arm {unknown[0]!r} of the corpus {kind}; known: {', '.join(known)}")
    return tuple(known[name] for name in names) or KINDS[kind].arms
