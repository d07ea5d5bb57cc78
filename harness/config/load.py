"""Reading a run file: YAML, the preset it names, overrides, and every problem at once with its line.

A command line without a run file is read by the same code: its flags stand for the file.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from harness.common.suggest import nearest
from harness.config.checkpoint_patterns import expand
from harness.config.path_types import CHECK_PATHS, NOT_THERE, Written
from harness.config.presets import load_preset, merged, preset_names
from harness.config.schema import EvaluationConfig, RunConfig
from harness.config.section import Section
from harness.errors import InputError

UNION_TAG = "("  # begins the parts of pydantic's places that stand in no file
SHAPES = {
    "tuple_type": "give a list, such as [a, b]",
    "model_type": "give a mapping, such as {key: value}",
    "dict_type": "give a mapping, such as {key: value}",
    "path_type": "give a path",
}  # kind of error -> what is wanted, in YAML's words
Where = Sequence[str | int]  # keys and places in lists, from the root to a value
CHECKPOINTS = "checkpoints"
PINS = ("evaluation", "images", "pins")
Config = TypeVar("Config", bound=Section)


class _CommandLine(Section):
    """What a command line without a run file may say of one."""

    evaluation: EvaluationConfig


def load_run_file(path: Path, overrides: Sequence[str] = (), only: str | None = None) -> RunConfig:
    """The validated run file at ``path``, with ``key.sub=value`` overrides put over it and its preset under it.

    Relative paths in the file are taken from the file's own folder, in overrides from the working folder. ``only``
    names the one checkpoint that is kept of those that patterns stand for.
    Raises InputError that lists every problem at once, each with its key and line, and if that one is not there.
    """
    root, raw = read_raw(path, overrides)
    place = place_in(root, overrides)
    try:
        raw, origins = _expanded(raw, place)
        if only is not None:
            raw = _of_one(raw, only)
        return validated(RunConfig, raw, lambda where: place(origins(where)))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _of_one(raw: dict[str, Any], name: str) -> dict[str, Any]:
    """The mapping for one of its checkpoints: without the others, and without the prices of other names."""
    kept = {**raw, CHECKPOINTS: [entry for entry in raw.get(CHECKPOINTS) or () if entry.get("name") == name]}
    if not kept[CHECKPOINTS]:
        raise InputError(f"there is no checkpoint {name} now")
    prices = raw.get("prices")
    if isinstance(prices, dict) and isinstance(prices.get("tokens"), dict):
        tokens = {pattern: price for pattern, price in prices["tokens"].items() if fnmatchcase(name, str(pattern))}
        priced = tokens or prices.keys() - {"currency", "tokens"}
        kept["prices"] = {**prices, "tokens": tokens} if priced else None
    return kept


def read_raw(path: Path, overrides: Sequence[str]) -> tuple[yaml.Node | None, dict[str, Any]]:
    """The file's nodes, and its mapping with overrides over it and its preset under it.

    Raises InputError for a file that is no mapping in YAML.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such run file")
    root, raw = _read(path)
    if not isinstance(raw, dict):
        raise InputError(f"{path}: a run file is a mapping with the keys {', '.join(RunConfig.model_fields)}")
    for override in overrides:
        _put(raw, override)
    if raw.get("preset") in preset_names():
        raw = merged(load_preset(raw["preset"]), raw)
    return root, raw


def _expanded(raw: dict[str, Any], place: Callable[[Where], str]) -> tuple[dict[str, Any], Callable[[Where], Where]]:
    """The run file with its patterns replaced by checkpoints, and a function to where a value stood before."""
    entries = raw.get("checkpoints")
    if not isinstance(entries, list | tuple):
        return raw, lambda where: where
    checkpoints: list[Any] = []
    numbers: list[int] = []
    for number, entry in enumerate(entries):
        try:
            found = expand(entry)
        except InputError as error:
            raise InputError(f"{place((CHECKPOINTS, number))}checkpoints.{number}.{error}") from error
        checkpoints += [entry] if found is None else found
        numbers += [number] * (1 if found is None else len(found))

    def origin(where: Where) -> Where:
        if len(where) > 1 and where[0] == CHECKPOINTS and isinstance(where[1], int):
            return (CHECKPOINTS, numbers[where[1]], *where[2:])
        return where

    return {**raw, CHECKPOINTS: checkpoints}, origin


def load_evaluation(
    flags: Mapping[str, Any], overrides: Sequence[str] = (), pins: Path | None = None
) -> EvaluationConfig:
    """How a command without a run file evaluates: its flags, with ``evaluation.key=value`` overrides put over them.

    ``flags`` maps keys below ``evaluation`` to values; those that are None were not given. ``pins`` is a JSON file,
    the value of ``images.pins``. Raises InputError that lists every problem at once, each with its key.
    """
    given = dict(flags) | ({"images.pins": _read_pins(pins)} if pins else {})
    raw: dict[str, Any] = {"evaluation": {}}
    for name, value in given.items():
        if value is not None:
            _set(raw, f"evaluation.{name}", value, name)
    for override in overrides:
        _put(raw, override)
    names = [override.partition("=")[0] for override in overrides]

    def place(where: Where) -> str:
        return _overridden(names, where) or (f"{pins}: " if pins and tuple(where[:3]) == PINS else "")

    return validated(_CommandLine, raw, place).evaluation


def _read_pins(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: can't read the pins ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})") from error


class _Loader(yaml.SafeLoader):
    """YAML whose texts know the folder of the file that they stand in."""

    folder: Path

    def written(self, node: yaml.ScalarNode) -> Written:
        return Written(str(self.construct_scalar(node)), self.folder)


_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.written)


def _read(path: Path) -> tuple[yaml.Node | None, Any]:
    """The file's nodes, and the value that they make."""
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        loader.folder = path.parent
        root = loader.get_single_node()
        if repeated := [f"line {line}: {key}" for line, key in _repeated_keys(root)]:
            raise InputError(f"{path}: a key comes twice in one mapping; keep one: {' | '.join(repeated)}")
        return root, loader.construct_document(root) if root else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, or a date that is none
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from error


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


def _put(raw: dict[str, Any], override: str) -> None:
    """Put one ``a.b=value`` into the nested mapping; the value is read as YAML."""
    name, equals, text = override.partition("=")
    if not equals or not name:
        raise InputError(f"override {override!r} is not of the form key.sub=value")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"override {override!r}: the value is not YAML") from error
    _set(raw, name, value, override)


def _set(raw: dict[str, Any], name: str, value: Any, override: str) -> None:
    *parents, last = name.split(".")
    target: Any = raw
    for part in parents:
        target = target[int(part)] if _is_index(target, part) else _child(target, part, override)
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


def validated(model: type[Config], raw: dict[str, Any], place: Callable[[Where], str]) -> Config:
    """The model of a mapping. Raises InputError that lists every problem, each at its ``place``."""
    try:
        return model.model_validate(raw, context=CHECK_PATHS)
    except ValidationError as error:
        raise InputError(problems_in(model, error, place)) from error


def problems_in(
    model: type[Section],
    error: ValidationError,
    place: Callable[[Where], str],
    counts: Callable[[Where], bool] | None = None,
) -> str:
    """One line with every problem that ``counts``, each at its ``place``; empty if none does."""
    problems = [_problem(model, detail) for detail in error.errors()]
    return " | ".join(f"{place(where)}{message}" for where, message in problems if counts is None or counts(where))


def _problem(model: type[Section], detail: Any) -> tuple[Where, str]:
    where = tuple(part for part in detail["loc"] if not str(part).startswith(UNION_TAG))
    name = ".".join(map(str, where))
    if detail["type"] == "extra_forbidden":
        known = _fields_at(model, where[:-1])
        return (
            where,
            f"unknown key {name}{nearest(str(where[-1]), known, 1) or '; known: ' + ', '.join(known)}",
        )
    if detail["type"] == "missing":
        return where, f"missing key {name}"
    message = SHAPES.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    silent = isinstance(detail["input"], dict | list) or detail["type"] == NOT_THERE
    shown = "" if silent else f" (given: {detail['input']!r})"
    choices = detail.get("ctx", {}).get("expected", "")
    hint = nearest(str(detail["input"]), [c.strip("' ") for c in choices.replace(" or ", ",").split(",")], 1)
    return (
        where,
        f"{name + ': ' if name else ''}{message}{shown}{hint if detail['type'] == 'literal_error' else ''}",
    )


def _fields_at(model: Any, where: Where) -> list[str]:
    """Names of the keys allowed at a place below a model."""
    for part in where:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        inner = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)]
        if not inner:
            return []
        model = inner[0]
    return list(model.model_fields)


def place_in(root: yaml.Node | None, overrides: Sequence[str]) -> Callable[[Where], str]:
    """A function from keys to how a message names their place: the override that set them, or the file's line."""
    names = [override.partition("=")[0] for override in overrides]
    return lambda where: _overridden(names, where) or _line(root, where)


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
