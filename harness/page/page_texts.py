"""Text of models and tests as data of a page: inert, of bounded size, and packed so that a script file can carry it."""

import base64
import gzip
import json
from typing import Any

from harness.common.inert import inert

SHOWN = 200_000  # characters of one text; the whole one lies in the run's folder
LINE = 5_000  # characters of one line


def shown(text: str) -> str:
    """A text as a page shows it: inert, the middle of very long ones and the end of very long lines left out."""
    return inert("\n".join(_cut_line(line) for line in _cut_middle(text).split("\n")))


def _cut_middle(text: str) -> str:
    if len(text) <= SHOWN:
        return text
    half = SHOWN // 2
    return f"{text[:half]}\n[{len(text) - SHOWN:,} characters left out]\n{text[-half:]}"


def _cut_line(line: str) -> str:
    return line if len(line) <= LINE else f"{line[:LINE]} [{len(line) - LINE:,} characters left out]"


def data_script(name: str, value: Any) -> bytes:
    """A script that hands a value to the page under a name: JSON, compressed, as letters and digits.

    A page from the disk may load scripts only, and nothing in the value can end or leave this one.
    """
    text = json.dumps(value, separators=(",", ":")).encode()
    packed = base64.b64encode(gzip.compress(text, 6, mtime=0)).decode()
    return f"harnessPage.receive({json.dumps(name)}, {json.dumps(packed)});\n".encode()
