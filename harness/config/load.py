"""Reading a run file: YAML, the preset it names, overrides, and every problem at once with its line."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from harness.common.suggest import nearest
from harness.config.presets import load_preset, merged, preset_names
from harness.config.schema import RunConfig
from harness.dataset.load import FILE_FORMATS
from harness.errors import InputError

UNION_TAGS = ("dict[", "function-", "lax-or-strict[")  # parts of pydantic's places that stand in no file
SHAPES = {
    "tuple_type": "give a list, such as [a, b]",
    "model_type": "give a mapping, such as {key: value}",
    "dict_type": "give a mapping, such as {key: value}",
    "path_type": "give a path",
}  # kind of error -> what is wanted, in YAML's words
Where = Sequence[str | int]  # keys and places in lists, from the root to a value


def load_run_file(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The validated run file at ``path``, with ``key.sub=value`` overrides put over it and its preset under it.

    Relative paths in the file are taken from the file's own folder, in overrides from the working folder.
    Raises InputError that lists every problem at once, each with its key and line.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such run file")
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, or a date that is none
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if repeated := [f"line {line}: {key}" for line, key in _repeated_keys(root)]:
        raise InputError(f"{path}: a key comes twice in one mapping; keep one: {' | '.join(repeated)}")
    if not isinstance(raw, dict):
        raise InputError(f"{path}: a run file is a mapping with the keys {', '.join(RunConfig.model_fields)}")
    _anchor(raw, path.parent)
    for override in overrides:
        _put(raw, override)
    if raw.get("preset") in preset_names():
        raw = merged(load_preset(raw["preset"]), raw)
    names = [override.partition("=")[0] for override in overrides]
    return _validate(raw, str(path), lambda where: _overridden(names, where) or _line(root, where))


def _repeated_keys(root: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """Line and name of every key that its mapping already has: YAML would let the last one win without a word."""
    nodes, seen = [root], set()
    for node in nodes:
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))  # an alias may lead back to where it stands
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
            continue
        keys: set[str] = set()
        for key, value in node.value:
            nodes.append(value)
            if isinstance(key, yaml.ScalarNode):
                if key.value in keys:
                    yield key.start_mark.line + 1, key.value
                keys.add(key.value)


def _anchor(raw: dict[str, Any], folder: Path) -> None:
    """Turn the file's relative local paths into paths from the working folder."""

    def anchored(value: Any) -> Any:
        return str(folder / value) if isinstance(value, str) and not Path(value).is_absolute() else value

    dataset = raw.get("dataset")
    if isinstance(dataset, dict) and Path(str(dataset.get("path"))).suffix in FILE_FORMATS:
        dataset["path"] = anchored(dataset["path"])
    if isinstance(dataset, dict) and "recipes" in dataset:
        dataset["recipes"] = anchored(dataset["recipes"])
    checkpoints = raw.get("checkpoints")
    for checkpoint in checkpoints if isinstance(checkpoints, list) else ():
        if isinstance(checkpoint, dict):
            for key in {"path", "answers", "packing_metrics"} & checkpoint.keys():
                checkpoint[key] = anchored(checkpoint[key])
    evaluation = raw.get("evaluation")
    if isinstance(evaluation, dict) and "calibration" in evaluation:
        evaluation["calibration"] = anchored(evaluation["calibration"])
    if "/" in str(raw.get("prompts", "")):
        raw["prompts"] = anchored(raw["prompts"])
    if "output" in raw:
        raw["output"] = anchored(raw["output"])


def _put(raw: dict[str, Any], override: str) -> None:
    """Put one ``a.b=value`` into the nested mapping; the value is read as YAML."""
    name, equals, text = override.partition("=")
    if not equals or not name:
        raise InputError(f"override {override!r} is not of the form key.sub=value")
    *parents, last = name.split(".")
    target: Any = raw
    for part in parents:
        target = target[int(part)] if _is_index(target, part) else _child(target, part, override)
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"override {override!r}: the value is not YAML") from error
    if _is_index(target, last):
        target[int(last)] = value
    elif isinstance(target, dict):
        target[last] = value
    else:
        raise InputError(f"override {override!r}: {'.'.join(parents)} holds no keys")


def _is_index(target: Any, part: str) -> bool:
    return isinstance(target, list) and part.isdigit() and int(part) < len(target)


def _child(target: Any, part: str, override: str) -> Any:
    if not isinstance(target, dict):
        raise InputError(f"override {override!r}: there is nothing at {part!r} to set a key in")
    if target.get(part) is None:
        target[part] = {}
    return target[part]


def _validate(raw: dict[str, Any], source: str, place: Callable[[Where], str]) -> RunConfig:
    problems = [f"{place(where)}{message}" for where, message in _path_problems(raw)]
    try:
        config = RunConfig.model_validate(raw)
    except ValidationError as error:
        found = [_problem(detail) for detail in error.errors()]
        problems = [f"{place(where)}{message}" for where, message in found] + problems
        config = None
    if config is None or problems:
        raise InputError(f"{source}: " + " | ".join(problems))
    return config


def _problem(detail: Any) -> tuple[Where, str]:
    where = tuple(part for part in detail["loc"] if not str(part).startswith(UNION_TAGS))
    name = ".".join(map(str, where))
    if detail["type"] == "extra_forbidden":
        known = _fields_at(where[:-1])
        return (
            where,
            f"unknown key {name}{nearest(str(where[-1]), known, 1) or '; known: ' + ', '.join(known)}",
        )
    if detail["type"] == "missing":
        return where, f"missing key {name}"
    message = SHAPES.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    shown = "" if isinstance(detail["input"], dict | list) else f" (given: {detail['input']!r})"
    choices = detail.get("ctx", {}).get("expected", "")
    hint = nearest(str(detail["input"]), [c.strip("' ") for c in choices.replace(" or ", ",").split(",")], 1)
    return (
        where,
        f"{name + ': ' if name else ''}{message}{shown}{hint if detail['type'] == 'literal_error' else ''}",
    )


def _fields_at(where: Where) -> list[str]:
    """Names of the keys allowed at a place of the run file."""
    model: Any = RunConfig
    for part in where:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        inner = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)]
        if not inner:
            return []
        model = inner[0]
    return list(model.model_fields)


def _path_problems(raw: dict[str, Any]) -> Iterator[tuple[Where, str]]:
    dataset = raw.get("dataset")
    if isinstance(dataset, dict) and isinstance(dataset.get("path"), str):
        path = Path(dataset["path"])
        if path.suffix in FILE_FORMATS and not path.is_file():
            yield ("dataset", "path"), f"dataset.path: no such file: {path}"
    evaluation = raw.get("evaluation")
    calibration = evaluation.get("calibration") if isinstance(evaluation, dict) else None
    if isinstance(calibration, str) and not Path(calibration).is_file():
        yield ("evaluation", "calibration"), f"evaluation.calibration: no such file: {calibration}"
    checkpoints = raw.get("checkpoints")
    for number, checkpoint in enumerate(checkpoints if isinstance(checkpoints, list) else ()):
        if not isinstance(checkpoint, dict):
            continue
        folder = checkpoint.get("path")
        if isinstance(folder, str) and not (Path(folder) / "config.json").is_file():
            yield (
                ("checkpoints", number, "path"),
                f"checkpoints.{number}.path: {folder} is not a checkpoint (it has no config.json)",
            )
        for key in ("answers", "packing_metrics"):
            file = checkpoint.get(key)
            if isinstance(file, str) and not Path(file).is_file():
                yield ("checkpoints", number, key), f"checkpoints.{number}.{key}: no such file: {file}"


def _overridden(names: Sequence[str], where: Where) -> str:
    """``override NAME: `` of the last override that set the place or what it stands in."""
    keys = [str(part) for part in where]
    setting = [name for name in names if keys[: name.count(".") + 1] == name.split(".")]
    return f"override {setting[-1]}: " if setting else ""


def _line(root: yaml.Node | None, where: Where) -> str:
    """``line N: `` of the place nearest to ``where`` that stands in the file."""
    node, line = root, None
    for part in where:
        following = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    line, following = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            following = node.value[part]
            line = following.start_mark.line + 1
        if following is None:
            break
        node = following
    return f"line {line}: " if line else ""
