"""A checkpoint's card, ``lab.json``, as far as a study needs it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.common.error_line import error_line
from harness.errors import InputError
from lab.training.recipe import Recipe


class Loss(BaseModel):
    """Mean losses of the last tenth of a training's steps, in nats."""

    last: float
    last_answers: float  # of answers' tokens alone, unweighted


class Packing(BaseModel):
    """What a packing says of itself and of the corpus that it packed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    strategy: str
    documents: int
    tokens: int


class Card(BaseModel):
    """What of a checkpoint's ``lab.json`` the study shows or compares."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    recipe: Recipe
    seed: int
    tokens_asked: int
    tokens: int  # slots trained on, padding included: whole steps
    context: int  # slots of a row
    passes: float  # over the packed rows
    parameters: int
    data_sha256: str
    tokenizer_sha256: str
    packing: Packing
    whole_questions: int  # documents of one question that stand whole in the rows, in one pass
    precision: str
    torch: str  # version
    loss: Loss
    seconds: float
    peak_memory: int  # bytes
    device: str


def read_card(path: Path) -> Card:
    """The card at ``path``, as training wrote it; raises InputError if it is none."""
    try:
        return Card.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # ValidationError is a ValueError
        raise InputError(f"{path}: not a checkpoint's card ({error_line(error)})") from error


def shared_conditions(card: Card) -> dict[str, Any]:
    """What all checkpoints of a study must share, by its name; how the machine was used may differ."""
    return {
        "recipe": replace(card.recipe, threads=0, compile=True),
        "context length": card.context,
        "number of parameters": card.parameters,
        "corpus": (card.packing.documents, card.packing.tokens),
        "tokenizer": card.tokenizer_sha256,
        "precision": card.precision,
    }
