"""How busy a server's slots were."""

from collections.abc import Sequence
from itertools import pairwise

Span = tuple[float, float]  # seconds by one clock: from, to


def busy_share(spans: Sequence[Span], slots: int, window: Span) -> float:
    """The share of ``slots`` that were busy in ``window``, on average; each span is one slot's."""
    begin, end = window
    busy = sum(max(0.0, min(end, to) - max(begin, since)) for since, to in spans)
    return busy / (slots * (end - begin))


def least_busy_share(spans: Sequence[Span], slots: int, window: Span, seconds: float) -> float:
    """The same for the stretch of so many seconds in ``window`` in which it is least."""
    begin, end = window
    stretches = max(1, int((end - begin) / seconds))
    edges = [begin + (end - begin) * n / stretches for n in range(stretches + 1)]
    return min(busy_share(spans, slots, stretch) for stretch in pairwise(edges))
