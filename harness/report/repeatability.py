"""Whether the same question would have the same answer again, as the tables say it."""

from collections.abc import Collection, Iterable


def repeatability_notes(asked: Iterable[str], batch_invariant: Collection[str]) -> list[str]:
    """What a table says of the checkpoints that were ``asked``; nothing if all were served in batch-invariant mode.

    Otherwise the order of a sum, and with it the likeliest token, depends on what else is in the batch.
    """
    names = list(dict.fromkeys(asked))
    others = [name for name in names if name not in batch_invariant]
    if not others:
        return []
    which = "" if len(others) == len(names) else f" ({', '.join(others)})"
    return [
        f"Answers are not bitwise repeatable, not even greedy ones{which}: they depend on what else is asked at the "
        "time."
    ]
