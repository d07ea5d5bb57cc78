"""docs/run-file.md beside the code: every key, its default and its choices; every template with its variables."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

import yaml
from jinja2 import Environment, meta
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from harness.config.schema import RunConfig
from harness.config.section import Section
from harness.core.interfaces import Sampling

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "run-file.md").read_text(encoding="utf-8")
KEYS = "| key | value | default | meaning |"
REPEATED = {tuple: "N.", dict: "NAME."}  # kind of a field -> what stands for the place of one of its parts
TEMPLATES = "| template | needed, if there are checkpoints | variables | answer that is read |"


def table_rows(text: str, head: str) -> list[list[str]]:
    """The cells of every row below each table head of that text."""
    tables = re.findall(rf"^{re.escape(head)}\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [re.split(r" \| ", line[2:-2]) for table in tables for line in table.splitlines()]


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key that a run file may have, with its field; of what may be left out or repeated, the key itself, too."""
    for name, field in model.model_fields.items():
        inner = nested(field.annotation)
        if inner is not field.annotation:
            yield f"{prefix}{name}", field
        if inner is not None:
            yield from fields(inner, f"{prefix}{name}." + REPEATED.get(get_origin(field.annotation), ""))


def nested(annotation: Any) -> type[Section] | None:
    """The section that a field is, may be, or has any number of."""
    kinds = [annotation, *get_args(annotation)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)


def known_keys() -> dict[str, FieldInfo]:
    return dict(fields(RunConfig)) | {f"GROUP.{name}": field for name, field in Sampling.model_fields.items()}


def wrong_default(said: str, field: FieldInfo) -> bool:
    """Whether the page's word on a default is not the code's."""
    if said in ("required", "not given"):
        return said != ("required" if field.is_required() else "not given" if field.default is None else "")
    if field.is_required() or not re.fullmatch(r"`.+`", said):
        return True
    value = yaml.safe_load(said.strip("`"))
    if isinstance(field.default, Sampling):
        return bool(Sampling(**value) != field.default)
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    return type(value) is not type(default) or value != default


def choices(annotation: Any) -> set[str]:
    """The words that a field's value can be chosen from."""
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    inner = get_args(annotation) if get_origin(annotation) in (tuple, UnionType) else ()
    return {word for kind in inner for word in choices(kind)}


def problems(page: str) -> list[str]:
    """What the page says otherwise than the code, or does not say."""
    rows = {key.strip("`"): rest for key, *rest in table_rows(page, KEYS)}
    known = known_keys()
    found = [f"not on the page: {key}" for key in known.keys() - rows.keys()]
    found += [f"no such key: {key}" for key in rows.keys() - known.keys()]
    for key in known.keys() & rows.keys():
        value, default, _ = rows[key]
        if wrong_default(default, known[key]):
            found.append(f"default of {key}: {default}, not {known[key].default!r}")
        found += [f"not said of {key}: {word}" for word in choices(known[key].annotation) if f"`{word}`" not in value]
    return found


def test_the_page_has_every_key_and_no_other_with_its_default_and_choices() -> None:
    assert problems(PAGE) == []
    assert len(table_rows(PAGE, KEYS)) == len(known_keys())


def test_the_test_itself_sees_what_is_missing_invented_or_wrong() -> None:
    def changed(old: str, new: str) -> list[str]:
        assert old in PAGE
        return problems(PAGE.replace(old, new))

    assert changed("| `serving.port` |", "| `serving.prot` |") == [
        "not on the page: serving.port",
        "no such key: serving.prot",
    ]
    assert changed("| `64` | requests", "| `65` | requests") == ["default of sampling.concurrency: `65`, not 64"]
    assert changed("| `1800.0` |", "| required |") == ["default of evaluation.timeout: required, not 1800.0"]
    assert changed("`{temperature: 0.8, max_tokens: 500}`", "`{max_tokens: 501}`") != []
    assert changed("`file`, `class` or", "`file` or") == ["not said of localization.retrieval.unit: class"]
    nested_keys = {"localization.retrieval.embeddings", "localization.retrieval.embeddings.model", "checkpoints.N.path"}
    assert nested_keys < known_keys().keys()
    assert {"dataset", "sampling.localize.seed"}.isdisjoint(known_keys())


def test_sampling_parameters_given_in_part_keep_the_rest_of_their_own_default() -> None:
    given = {"dataset": {"path": "some/hub-id"}, "references": ["gold"], "output": "out"}
    config = RunConfig.model_validate({**given, "sampling": {"localize": {"max_tokens": 64}}})
    assert config.sampling.localize == Sampling(temperature=0.0, max_tokens=64)
    assert config.sampling.repair == Sampling(temperature=0.8, max_tokens=1024)
    strike = {"validation": {"regression": {"strike": {"top_p": 0.5}}}}
    assert RunConfig.model_validate({**given, **strike}).validation.regression.strike == Sampling(
        temperature=0.0, top_p=0.5
    )


def test_the_page_has_every_template_with_its_variables() -> None:
    said = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[2])) for row in table_rows(PAGE, TEMPLATES)}
    used: dict[str, set[str]] = {}
    for path in (ROOT / "prompts").glob("*/*.jinja"):
        names = meta.find_undeclared_variables(Environment(autoescape=True).parse(path.read_text(encoding="utf-8")))
        used.setdefault(path.stem, set()).update(names)
    assert said == used
    explained = set(re.findall(r"`(\w+)`", "".join(row[0] for row in table_rows(PAGE, "| variable | what it is |"))))
    assert explained - used.keys() == set().union(*used.values())
    needed = {key for row in table_rows(PAGE, TEMPLATES) for key in re.findall(r"`([\w.]+)`", row[1])}
    assert needed < known_keys().keys()
