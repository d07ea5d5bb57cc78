"""The documentation's page of presets; ``python -m harness.config.presets_page FILE`` writes it anew."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.common.files import write_whole
from harness.common.resources import templates
from harness.config.presets import FOLDER, describe_preset, load_preset, preset_names
from harness.config.schema import RunConfig

# what makes up a pipeline
PARTS = ("conditions", "prompts", "sampling", "localization", "validation", "evaluate_candidates")


def preset_page() -> str:
    """The page, as Markdown: each preset's origin and every parameter with its value."""
    presets = [
        {"name": name, "about": describe_preset(name), "parameters": list(preset_parameters(name))}
        for name in preset_names()
    ]
    return templates(FOLDER).get_template("page.md.jinja").render(presets=presets)


def preset_parameters(name: str) -> Iterator[tuple[str, Any, bool]]:
    """Every parameter of a pipeline under a preset: its dotted key, its value, and whether the preset sets it.

    What has no value is left out.
    """
    settings = load_preset(name)
    needed = {"dataset": {"path": "any"}, "references": ["gold"], "output": "any"}
    config = RunConfig.model_validate({**needed, **settings, "preset": name}).model_dump(mode="json")
    given = {key for key, _ in _leaves(settings)}
    for key, value in _leaves({part: config[part] for part in PARTS}):
        if value is not None:
            yield key, value, key in given


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


if __name__ == "__main__":
    write_whole(Path(sys.argv[1]), preset_page())
