"""Many comparisons at once: values in, values out."""

from collections.abc import Sequence


def holm(values: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p values, in the order given."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, least = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = least
    return adjusted
