"""What a comparison can show: the smallest difference, and how many samples it takes. Values in, values out."""

from math import ceil

from scipy import stats

POWER = 0.8  # chance to find a difference that is there


def detectable(error: float, freedom: float, one_sided: float) -> float:
    """The least true difference that a test finds with `POWER`, at this one-sided confidence and standard error.

    The sum of the two quantiles of Student's t times the error, as in Bloom, Evaluation Review 19 (1995) 547-556; a
    two-sided test at a confidence of 95% is a one-sided one at 97.5%.
    """
    return float((stats.t.ppf(one_sided, freedom) + stats.t.ppf(POWER, freedom)) * error)


def samples_needed(within: float, between: float, instances: int, gap: float, one_sided: float) -> int | None:
    """Samples of each arm on every instance so that a true difference of ``gap`` from a margin is found with `POWER`.

    ``within`` is the sum of both arms' variances between samples of one instance, ``between`` the variance of the
    instances' true differences. The variance of the mean difference after k samples, (between + within / k) /
    instances, is solved for k (Miller 2024, arXiv 2411.00640, sections 3 and 5). None if no number suffices: then it
    takes more instances.
    """
    quantiles = float(stats.norm.ppf(one_sided) + stats.norm.ppf(POWER))
    room = instances * (gap / quantiles) ** 2 - between
    return max(1, ceil(within / room)) if room > 0 else None
