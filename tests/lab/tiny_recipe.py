"""The smallest training that the laboratory's tests share."""

from lab.training.recipe import Recipe

CONTEXT = 96  # tokens of a row
TINY = Recipe(width=128, layers=3, feed_forward=64, step_tokens=4 * CONTEXT, warmup=2, threads=1, compile=False)
