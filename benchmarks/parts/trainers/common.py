"""What all trainers train on: documents drawn at random, the same packed, and a model's loss over them unpacked."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

CONTEXT, VOCABULARY, SEPARATOR, PADDING = 128, 500, 0, 1
DOCUMENTS, STEPS, RATE = 40, 4, 0.2
STRATEGY = "best-fit+drop"  # no document is cut, so that each one is a sequence of its own without packing

Document = tuple[list[int], list[int]]  # ids with the separator, and labels: the ids, or -100
Forward = Callable[[Any, Any], Any]  # (model, ids (1, n)) -> logits (1, n, VOCABULARY)


def drawn(masked: bool) -> list[Document]:
    """Documents of at most the context, each with its separator; the first third of each out of the loss if masked."""
    import numpy as np

    random = np.random.default_rng(0)
    documents = []
    for number, length in enumerate(random.integers(2, CONTEXT, DOCUMENTS).tolist()):
        ids = [*random.integers(2, VOCABULARY, CONTEXT - 1 if number == 0 else length - 1).tolist(), SEPARATOR]
        hidden = len(ids) // 3 if masked else 0
        documents.append((ids, [-100] * hidden + ids[hidden:]))
    return documents


def packed(folder: Path, documents: Sequence[Document], form: str | None) -> Path:
    """The folder of the documents' rows in a form; of their index if it is None."""
    from harness.packing.command import pack_command
    from harness.packing.request import PackRequest

    corpus = folder / "documents.jsonl"
    masked = any(ids != labels for ids, labels in documents)
    rows = [{"input_ids": ids, **({"labels": labels} if masked else {})} for ids, labels in documents]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = PackRequest(
        str(corpus),
        CONTEXT,
        strategies=(STRATEGY,),
        separator=str(SEPARATOR),
        padding=None if form is None else str(PADDING),
        format=form,
        index_only=form is None,
        output=folder / "packed",
    )
    pack_command(asked, lambda _: None)
    return folder / "packed" / STRATEGY


def unpacked_losses(model: Any, documents: Sequence[Document], forward: Forward) -> list[float]:
    """Losses of a model in steps of plain gradient descent; each document goes through it alone."""
    import torch

    optimizer = torch.optim.SGD(model.parameters(), RATE)
    total = sum(label >= 0 for _, labels in documents for label in labels[1:])
    losses = []
    for _ in range(STEPS):
        loss = 0.0
        optimizer.zero_grad()
        for ids, labels in documents:
            logits = forward(model, torch.tensor([ids]))[0, :-1].float()
            targets = torch.tensor(labels[1:])
            part = torch.nn.functional.cross_entropy(logits, targets, ignore_index=-100, reduction="sum") / total
            part.backward()
            loss += part.item()
        optimizer.step()
        losses.append(loss)
    return losses


def stepped(model: Any, losses: Callable[[Any], Any]) -> list[float]:
    """Losses of steps of plain gradient descent; ``losses`` gives that of the packed batch."""
    import torch

    optimizer = torch.optim.SGD(model.parameters(), RATE)
    found = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = losses(model)
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found
