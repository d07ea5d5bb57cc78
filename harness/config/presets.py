"""Named presets: settings of the run file that make up a published pipeline, one data file each in ``presets/``.

What the run file says itself wins over its preset, key by key; what neither says is the default.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("presets")
SUFFIX = ".yaml"
ABOUT = "about"  # key of a preset's own description; the others are the run file's


@cache
def preset_names() -> tuple[str, ...]:
    """The names of all presets, sorted."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}")))


def load_preset(name: str) -> dict[str, Any]:
    """The settings of a preset, in the shape of a run file. Raises FileNotFoundError for a name that is none."""
    return {key: value for key, value in _read(name).items() if key != ABOUT}


def describe_preset(name: str) -> str:
    """Where a preset's settings come from, and how they differ. Raises FileNotFoundError for a name that is none."""
    return str(_read(name)[ABOUT])


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}{SUFFIX}").read_text(encoding="utf-8"))
    return content


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The nested mapping that holds every key of both; if both have a value that is no mapping, ``above`` wins."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        result[key] = merged(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return result
