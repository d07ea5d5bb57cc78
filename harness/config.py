"""The run file: what to evaluate, how, and where the records go. The one place for every default."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.errors import InputError
from harness.instance import FILE_FORMATS, nearest
from harness.presets import load_preset, merged, preset_names
from harness.seams import Limits, Sampling

Condition = Literal["model", "gt-location", "gt-file"]
Reference = Literal["gold", "empty"]

# Lengths of names that become folders and labels stay well under file system limits.
NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$"


class Section(BaseModel):
    """Base of every part of the run file: unknown keys are errors, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DatasetConfig(Section):
    """Which instances."""

    path: str  # hub id, or a local .jsonl, .json or .parquet file
    split: str = "test"
    instances: tuple[str, ...] | None = None  # all where not given
    limit: int | None = Field(default=None, ge=1)
    recipes: Path | None = None  # how classic rows are tested; the shipped recipes where not given


class CheckpointConfig(Section):
    """One set of weights under test: a local folder that we serve, an endpoint that is there, or recorded answers."""

    name: str = Field(pattern=NAME)
    path: Path | None = None  # Hugging Face folder, served with vLLM
    endpoint: str | None = None  # base URL of an OpenAI-compatible server, ".../v1"
    answers: Path | None = None  # recording looked up instead of asking; a path beside it measures prompts only
    model: str | None = None  # name to ask for at the endpoint; its only model where not given
    revision: str | None = None  # of an endpoint's weights: what tells them apart from others there or in a recording
    api_key_env: str | None = None  # environment variable that holds the endpoint's key
    packing: str | None = None  # packing strategy of the training data, as named in the tables
    packing_metrics: dict[str, float] | Path | None = None  # columns for the tables, or `harness pack`'s file
    server_args: tuple[str, ...] = ()  # further arguments for vLLM, such as --max-model-len=8192

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None and self.answers is None) == (self.endpoint is None):
            raise ValueError("give either a path or an endpoint, or recorded answers")
        return self


class SamplingConfig(Section):
    """How answers are drawn, per stage."""

    localize: Sampling = Sampling(temperature=0.0, max_tokens=300)
    repair: Sampling = Sampling(temperature=0.8, max_tokens=1024)
    samples: int = Field(default=4, ge=1)  # repair candidates for each set of locations
    greedy: bool = False  # whether the first of these is drawn at temperature 0
    files: int = Field(default=3, ge=1)  # files that localization may name
    context_lines: int = Field(default=10, ge=0)  # shown around each location in condition gt-location
    concurrency: int = Field(default=64, ge=1)  # requests under way at one server


class FoldersConfig(Section):
    """Folders that the model finds irrelevant, for retrieval to leave out."""

    enabled: bool = False
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=300)


class EmbeddingsConfig(Section):
    """Retrieval's best documents put in another order by an embeddings endpoint: a further vote."""

    endpoint: str  # base URL of an OpenAI-compatible server, ".../v1"
    model: str
    revision: str = ""  # of the endpoint's weights: what tells their vectors apart from the last ones
    api_key_env: str | None = None  # environment variable that holds the endpoint's key
    documents: int = Field(default=100, ge=1)  # embedded for each instance
    characters: int = Field(default=2000, ge=1)  # of each of them, and of the issue


class RetrievalConfig(Section):
    """Files by BM25 over their text, combined with those that the model names by votes."""

    files: int = Field(default=0, ge=0)  # that retrieval votes for; none: switched off
    unit: Literal["file", "class", "function"] = "function"  # what is a document
    embeddings: EmbeddingsConfig | None = None  # votes for as many files


class ElementsConfig(Section):
    """Classes, functions and variables that the model names from the located files' skeletons."""

    enabled: bool = False
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=500)


class LinesConfig(Section):
    """Lines and elements to change that the model names from numbered source."""

    samples: int = Field(default=0, ge=0)  # none: switched off
    greedy: bool = False  # whether the first of them is drawn at temperature 0
    merged: bool = False  # one set of locations for repair, of all samples; otherwise one for each sample
    context_lines: int = Field(default=10, ge=0)  # around what is shown, and around what is named
    sampling: Sampling = Sampling(temperature=0.8, max_tokens=500)


class LocalizationConfig(Section):
    """The stages of localization beside naming files from the tree, which `SamplingConfig` has."""

    folders: FoldersConfig = FoldersConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    elements: ElementsConfig = ElementsConfig()
    lines: LinesConfig = LinesConfig()

    @model_validator(mode="after")
    def _folders_for_retrieval(self) -> Self:
        if (self.folders.enabled or self.retrieval.embeddings) and not self.retrieval.files:
            raise ValueError("folders and embeddings serve retrieval only: set retrieval.files, too")
        return self


class RegressionConfig(Section):
    """Tests of the base state that a candidate should not break."""

    enabled: bool = False
    files: int = Field(default=4, ge=1)  # test files that are run, the most relevant by their names
    strike: Sampling = Sampling(temperature=0.0, max_tokens=1024)  # the model names those that a fix must change


class ReproductionConfig(Section):
    """Scripts of the model's that show the issue, and that a candidate should turn."""

    samples: int = Field(default=0, ge=0)  # scripts asked for; none: switched off
    greedy: bool = True  # the first of them at temperature 0
    sampling: Sampling = Sampling(temperature=0.8, max_tokens=1024)
    tests: int = Field(default=1, ge=1)  # distinct scripts used, those sampled most first; several vote by consensus


class ValidationConfig(Section):
    """What candidates are tried on before one is selected."""

    regression: RegressionConfig = RegressionConfig()
    reproduction: ReproductionConfig = ReproductionConfig()


class ServingConfig(Section):
    """How vLLM is started for a checkpoint with a path."""

    port: int = Field(default=0, ge=0, le=65535)  # 0: any free port
    startup_seconds: float = Field(default=900.0, gt=0)
    request_seconds: float = Field(default=600.0, gt=0)
    args: tuple[str, ...] = ()  # for every checkpoint, before its own server_args


class EvaluationConfig(Section):
    """How a patch is tested."""

    workers: int | None = Field(default=None, ge=1)  # containers at a time; from CPUs and memory where not given
    timeout: float = Field(default=1800.0, gt=0, le=604800)  # seconds for the tests of one patch; a week at most
    memory: int = Field(default=4096, ge=64, le=1 << 24)  # MiB for one container, no swap
    processes: int = Field(default=512, ge=8, le=1 << 22)  # Linux has no more process ids
    cpus: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    network: bool = False
    pull: bool = False  # whether an image that is not here may be pulled from its registry
    calibration: Path | None = None  # what the gold patches did here; reports say which instances it excludes

    def limits(self) -> Limits:
        """The same, in the sandbox's units."""
        return Limits(
            seconds=self.timeout,
            memory_bytes=self.memory << 20,
            processes=self.processes,
            cpus=self.cpus,
            network=self.network,
        )


class RunConfig(Section):
    """A whole run file."""

    dataset: DatasetConfig
    preset: str | None = None  # a published pipeline's settings, for every key that the run file does not give itself
    checkpoints: tuple[CheckpointConfig, ...] = ()
    conditions: tuple[Condition, ...] = get_args(Condition)
    references: tuple[Reference, ...] = ()
    prompts: str = "agentless"  # folder of prompts/, or a path to a folder of one's own
    sampling: SamplingConfig = SamplingConfig()
    localization: LocalizationConfig = LocalizationConfig()
    validation: ValidationConfig = ValidationConfig()
    serving: ServingConfig = ServingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    evaluate_candidates: bool = False  # every candidate's patch is tested, for pass@k and the best selection possible
    output: Path

    @field_validator("checkpoints")
    @classmethod
    def _unique(cls, value: tuple[CheckpointConfig, ...]) -> tuple[CheckpointConfig, ...]:
        names = [checkpoint.name for checkpoint in value]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"checkpoint names must differ, but {', '.join(repeated)} comes more than once")
        reserved = sorted(set(names) & set(get_args(Reference)))
        if reserved:
            raise ValueError(f"{', '.join(reserved)} names a reference row; call the checkpoint something else")
        return value

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, value: str | None) -> str | None:
        if value is not None and value not in preset_names():
            hint = nearest(value, preset_names(), 1) or f"; known: {', '.join(preset_names())}"
            raise ValueError(f"no such preset{hint}")
        return value

    @field_validator("conditions", "references")
    @classmethod
    def _no_repeats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value))

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if not self.checkpoints and not self.references:
            raise ValueError("nothing to evaluate: name at least one of checkpoints and references")
        return self


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
    return _validate(raw, str(path), root)


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


def _validate(raw: dict[str, Any], source: str, root: yaml.Node | None) -> RunConfig:
    problems = [f"{_where(root, where)}{message}" for where, message in _path_problems(raw)]
    try:
        config = RunConfig.model_validate(raw)
    except ValidationError as error:
        found = [_problem(detail) for detail in error.errors()]
        problems = [f"{_where(root, where)}{message}" for where, message in found] + problems
        config = None
    if config is None or problems:
        raise InputError(f"{source}: " + " | ".join(problems))
    return config


def _problem(detail: Any) -> tuple[tuple[str | int, ...], str]:
    where = tuple(
        part
        for part in detail["loc"]
        if not str(part).startswith(("dict[", "path", "function-", "lax-or-strict[")) or part == "path"
    )
    name = ".".join(map(str, where))
    if detail["type"] == "extra_forbidden":
        known = _fields_at(where[:-1])
        return (
            where,
            f"unknown key {name}{nearest(str(where[-1]), known, 1) or '; known: ' + ', '.join(known)}",
        )
    if detail["type"] == "missing":
        return where, f"missing key {name}"
    message = detail["msg"].removeprefix("Value error, ").removesuffix(" for <class 'pathlib.Path'>")
    shown = "" if isinstance(detail["input"], dict | list) else f" (given: {detail['input']!r})"
    choices = detail.get("ctx", {}).get("expected", "")
    hint = nearest(str(detail["input"]), [c.strip("' ") for c in choices.replace(" or ", ",").split(",")], 1)
    return (
        where,
        f"{name + ': ' if name else ''}{message}{shown}{hint if detail['type'] == 'literal_error' else ''}",
    )


def _fields_at(where: Sequence[str | int]) -> list[str]:
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


def _path_problems(raw: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
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


def _where(root: yaml.Node | None, where: Sequence[str | int]) -> str:
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
