"""A test log as another terminal would have had it: with carriage returns, and in colour."""

import random
import re
from collections.abc import Callable, Mapping

WORDS = {"PASSED": 32, "ok": 32, "FAILED": 31, "FAIL": 31, "ERROR": 31, "SKIPPED": 33, "XFAIL": 33, "skipped": 33}
WORD = re.compile(rf"\b({'|'.join(WORDS)})\b")
PLAIN = 0.7  # share of these words that get no colour
ENDS = ("\n", "\n", "\r\n", "\r\r\n", "\r", "\rworking  40%\r", "\n\x1b[K\rcollecting ...\r")


def with_carriage_returns(log: str, seed: int) -> str:
    """Many line ends replaced: by a carriage return and a line feed, by one alone, by a progress line."""
    draw = random.Random(seed)
    return "".join(line + draw.choice(ENDS) for line in log.split("\n")[:-1]) + log.split("\n")[-1]


def in_colour(log: str, seed: int) -> str:
    """Some words of results in colour as pytest writes them, a few of them bold; the others stay as they were."""
    draw = random.Random(seed)

    def coloured(match: re.Match[str]) -> str:
        if draw.random() < PLAIN:
            return match[1]
        bold = draw.choice(("", "", "\x1b[1m"))
        return f"{bold}\x1b[{WORDS[match[1]]}m{match[1]}\x1b[0m"

    return WORD.sub(coloured, log)


def in_colour_with_carriage_returns(log: str, seed: int) -> str:
    """Both at once."""
    return with_carriage_returns(in_colour(log, seed), seed)


NOISES: Mapping[str, Callable[[str, int], str]] = {
    "carriage returns": with_carriage_returns,
    "colour": in_colour,
    "both": in_colour_with_carriage_returns,
}
