"""What a changed run file leaves as it was, and what it asks or tests anew: values in, values out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.model.checkpoint import answering_arguments

ANSWERS, EVALUATIONS, NOTHING = "answers", "evaluations", "nothing"

# beginnings of keys, the first that fits decides; what stands nowhere bears on nothing
BEARING = (
    ("dataset.instances", NOTHING), ("dataset.limit", NOTHING), ("dataset", ANSWERS), ("prompts", ANSWERS),
    ("sampling.concurrency", NOTHING), ("sampling", ANSWERS), ("localization", ANSWERS), ("validation", ANSWERS),
    ("evaluation.timeout", EVALUATIONS), ("evaluation.memory", EVALUATIONS), ("evaluation.processes", EVALUATIONS),
    ("evaluation.cpus", EVALUATIONS), ("evaluation.network", EVALUATIONS), ("evaluation.control", EVALUATIONS),
    ("evaluation.whole_suite", EVALUATIONS), ("evaluate_candidates", EVALUATIONS),
    ("serving.batch_invariant", ANSWERS), ("serving.per_checkpoint", ANSWERS),
)  # fmt: skip
OF_CHECKPOINT = (
    "path", "base", "adapter", "endpoint", "model", "revision", "chat", "system", "chat_template",
    "chat_template_kwargs", "extra_body", "generation_config", "answers",
)  # fmt: skip
ARGUMENTS = ("args", "server_args")


@dataclass(frozen=True)
class Change:
    """A key whose value is another than in the folder's last finished run."""

    key: str
    before: Any
    now: Any
    bears_on: str  # what of the results is made anew: "answers" (and what follows from them), "evaluations", "nothing"
    checkpoint: str = ""  # whose answers; empty: all


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Every changed key between two configurations as `frozen.yaml` has them, checkpoints by their names.

    A key that an earlier version did not have and that is off now is no change.
    """
    old, new = dict(_flat(_named(before))), dict(_flat(_named(now)))
    return [
        _change(key, old.get(key), new.get(key))
        for key in dict.fromkeys((*old, *new))
        if _on(old.get(key)) != _on(new.get(key)) and not key.startswith("output")
    ]


def _on(value: Any) -> Any:
    return None if value is False or value in ([], {}) else value


def _named(configuration: Mapping[str, Any]) -> dict[str, Any]:
    checkpoints = {str(entry.get("name")): entry for entry in configuration.get("checkpoints") or ()}
    return {**configuration, "checkpoints": checkpoints}


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(inner, (*path, str(name)))
    else:
        yield ".".join(path), value


def _change(key: str, before: Any, now: Any) -> Change:
    if key.startswith("checkpoints."):
        name, _, field = key.removeprefix("checkpoints.").rpartition(".")
        name, field = next(((key.split(".")[1], f) for f in OF_CHECKPOINT if f".{f}." in f"{key}."), (name, field))
        alike = field in ARGUMENTS and _alike(before, now)
        bears = ANSWERS if field in OF_CHECKPOINT or (field in ARGUMENTS and not alike) else NOTHING
        return Change(key, before, now, bears, name)
    if key == "serving.args":
        return Change(key, before, now, NOTHING if _alike(before, now) else ANSWERS)
    bears = next((what for beginning, what in BEARING if f"{key}.".startswith(beginning)), NOTHING)
    return Change(key, before, now, bears)


def _alike(before: Any, now: Any) -> bool:
    """Whether server arguments can't change an answer."""
    return answering_arguments([*(before or ())]) == answering_arguments([*(now or ())])
