"""What a run file says: what to evaluate, how, and where the records go. The one place for every default."""

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from harness.common.suggest import nearest
from harness.config.localization_keys import LocalizationConfig
from harness.config.path_types import (
    AbsolutePath,
    AdapterFolder,
    CheckpointFolder,
    DataSource,
    ExistingFile,
    LocalPath,
    PromptSource,
)
from harness.config.presets import preset_names
from harness.config.price_keys import PricesConfig
from harness.config.section import Section, Url
from harness.config.serving_keys import ServingConfig
from harness.config.whole_suite_keys import WholeSuiteKeys
from harness.core.conditions import REFERENCES, Condition, Reference
from harness.core.groups import Variant, repeated_seed
from harness.core.image_name import check_registry
from harness.core.interfaces import Limits, Sampling, SandboxKind

log = logging.getLogger(__name__)

# Lengths of names that become folders and labels stay well under file system limits.
NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}"


def _as_json(value: dict[str, Any]) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"JSON can't hold it: {error}") from error
    return plain


def _as_text(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    plain = (str, int, float, bool)
    return {str(k): str(v) if isinstance(v, plain) else v for k, v in value.items()}


Labels = Annotated[dict[str, str], BeforeValidator(_as_text)]
Fields = Annotated[dict[str, Any], AfterValidator(_as_json)]
# fields of a request that other keys set, or that would make another answer of what the server writes
TAKEN = {
    "model", "messages", "prompt", "n", "stream", "stream_options", "chat_template", "chat_template_kwargs", "echo",
    "best_of", "max_completion_tokens", *Sampling.model_fields,
}  # fmt: skip
Columns = dict[str, Annotated[float, Field(allow_inf_nan=False)]]
ColumnsOrFile = Annotated[
    Annotated[Columns, Tag("(columns)")] | Annotated[ExistingFile, Tag("(file)")],
    Discriminator(lambda value: "(columns)" if isinstance(value, Mapping) else "(file)"),
]


class DatasetConfig(Section):
    """Which instances."""

    path: DataSource  # hub id, or a local .jsonl, .json or .parquet file
    split: str = "test"
    instances: tuple[str, ...] | None = None  # all if not given
    limit: int | None = Field(default=None, ge=1)
    recipes: ExistingFile | None = None  # how classic rows are tested; the shipped recipes if not given


class CheckpointConfig(Section):
    """One set of weights under test: a local folder that we serve, an endpoint that is there, or recorded answers."""

    name: str
    path: CheckpointFolder | None = None  # Hugging Face folder, served with vLLM
    base: CheckpointFolder | None = None  # Hugging Face folder that the adapter was trained on
    adapter: AdapterFolder | None = None  # LoRA adapter, served with vLLM on top of its base
    endpoint: Url | None = None  # base URL of an OpenAI-compatible server, ".../v1"
    endpoints: tuple[Url, ...] | None = None  # several that serve the same weights, in the place of one
    replicas: int = Field(default=1, ge=1)  # servers of ours that share the instances
    answers: ExistingFile | None = None  # recording looked up instead of asking; a path beside it measures prompts only
    model: str | None = None  # name to ask for at the endpoint; its only model if not given
    revision: str | None = None  # of an endpoint's weights: what distinguishes them from others there or in a recording
    api_key_env: str | None = None  # environment variable that holds the endpoint's key
    strategy: str | None = None  # packing strategy of the training data, as named in the tables
    packing_metrics: ColumnsOrFile | None = None  # columns for the tables, or `harness pack`'s file
    labels: Labels = {}  # noqa: RUF012 - pydantic copies it; what else of the training varies between checkpoints
    seed: int | None = Field(default=None, ge=0)  # of the training: those that differ in it alone are one group
    step: int | None = Field(default=None, ge=0)  # of the training, at which the weights were saved
    tokens: float | None = Field(default=None, gt=0, allow_inf_nan=False)  # trained on until then
    server_args: tuple[str, ...] = ()  # further arguments for vLLM, such as --max-model-len=8192
    chat: Literal["auto", "chat", "completions"] = "auto"  # the route; auto: chat if there is a chat template
    system: str | None = None  # text of a system message ahead of every prompt
    chat_template: ExistingFile | None = None  # jinja file in the place of the checkpoint's own template
    # what the template is given, such as {enable_thinking: false}
    chat_template_kwargs: Fields = {}  # noqa: RUF012 - pydantic copies it
    extra_body: Fields = {}  # noqa: RUF012 - pydantic copies it; further fields of every request
    generation_config: bool = False  # whether the sampling parameters of a path's generation_config.json hold

    @model_validator(mode="before")
    @classmethod
    def _strategy_by_its_old_name(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "packing" not in data:
            return data
        if "strategy" in data:
            raise ValueError("packing is the old name of strategy; give strategy alone")
        log.warning("checkpoint %s: the key packing is called strategy now", data.get("name"))
        return {"strategy" if key == "packing" else key: value for key, value in data.items()}

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, value: str) -> str:
        if not re.fullmatch(NAME, value):
            raise ValueError("at most 100 letters, digits and . _ + -, beginning with a letter or digit")
        return value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.base is None) != (self.adapter is None) or (self.base is not None and self.path is not None):
            raise ValueError("give base and adapter together, and no path beside them")
        if self.endpoint is not None and self.endpoints is not None:
            raise ValueError("give endpoint or endpoints, not both")
        if (self.weights is None and self.answers is None) == (not self.addresses):
            raise ValueError("give either a path or an endpoint, or recorded answers")
        if twice := sorted({url for url in self.addresses if self.addresses.count(url) > 1}):
            raise ValueError(f"endpoints has {', '.join(twice)} more than once")
        if self.replicas > 1 and (self.weights is None or self.answers is not None):
            raise ValueError("replicas is for weights that are served here; name several endpoints instead")
        return self

    @property
    def addresses(self) -> tuple[str, ...]:
        """Base URLs of the servers elsewhere that have these weights; none if they are served here or recorded."""
        return (self.endpoint,) if self.endpoint is not None else self.endpoints or ()

    @property
    def weights(self) -> Path | None:
        """The Hugging Face folder whose model is served here: the path, or the base of the adapter."""
        return self.path or self.base

    @property
    def variant(self) -> Variant:
        """What distinguishes it from other checkpoints."""
        return Variant(self.name, self.strategy, self.labels, self.seed, self.step, self.tokens)

    @model_validator(mode="after")
    def _askable(self) -> Self:
        for name in ("system", "chat_template", "chat_template_kwargs"):
            if self.chat == "completions" and getattr(self, name):
                raise ValueError(f"{name} belongs to the chat route, but chat: completions is given")
        if taken := sorted(set(self.extra_body) & TAKEN):
            raise ValueError(f"extra_body can't set {taken[0]}, which another key of the run file sets")
        if self.generation_config and self.addresses:
            raise ValueError(
                "generation_config is for a checkpoint with a path; an endpoint's server decides for itself"
            )
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


class ImagesConfig(Section):
    """Where images come from that are not on this machine, and how hard registries may be asked."""

    folder: AbsolutePath | None = None  # of images that `harness images save` saved; asked before any registry
    registries: tuple[
        str, ...
    ] = ()  # tried after the image's own; a prefix, or a name with {instance} or {owner}, {name}
    mirror: str | None = None  # host[:port][/path] that holds Docker Hub's images under their names; tried first
    # instance id -> digest
    pins: dict[str, Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]] = {}  # noqa: RUF012 - pydantic copies it
    pulls: int = Field(default=3, ge=1)  # at a time
    pulls_per_hour: int | None = Field(default=None, ge=1)  # begun; no bound if not given
    evict_built: bool = False  # whether images built here may go under the budget as well

    @field_validator("registries", "mirror")
    @classmethod
    def _readable(cls, value: tuple[str, ...] | str | None) -> tuple[str, ...] | str | None:
        for registry in (value,) if isinstance(value, str) else value or ():
            check_registry(registry)
        if isinstance(value, str) and "{" in value:
            raise ValueError("a mirror is a host[:port][/path] without places such as {instance}")
        return value


class EvaluationConfig(WholeSuiteKeys):
    """How a patch is tested."""

    executor: Literal["local", "ray"] = "local"  # where containers and servers run: here, or on the nodes of a cluster
    ray_address: str = "auto"  # of the Ray cluster; auto: the one that this machine is part of, or RAY_ADDRESS names
    workers: int | None = Field(default=None, ge=1)  # containers at a time; from CPUs and memory if not given
    timeout: float = Field(default=1800.0, gt=0, le=604800)  # seconds for the tests of one patch; a week at most
    memory: int = Field(default=4096, ge=64, le=1 << 24)  # MiB for one container, no swap
    processes: int = Field(default=512, ge=8, le=1 << 22)  # Linux has no more process ids
    cpus: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    network: bool = False
    sandbox: SandboxKind | Literal["auto"] = "docker"  # what runs the containers; auto: the first that answers
    pull: bool = False  # whether an image that is not here may be pulled from its registry
    build: bool = False  # whether one that is neither here nor pulled may be built, if a recipe makes it
    images: ImagesConfig = ImagesConfig()
    # GiB of instances' images; those of finished ones go first
    image_budget: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    control: bool = True  # whether what is resolved is tested again, with an expectation changed
    calibration: ExistingFile | None = None  # what the gold patches did here; reports say which instances it excludes

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
    prompts: PromptSource = "agentless"  # folder of prompts/, or a path to a folder of one's own
    sampling: SamplingConfig = SamplingConfig()
    localization: LocalizationConfig = LocalizationConfig()
    validation: ValidationConfig = ValidationConfig()
    serving: ServingConfig = ServingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    prices: PricesConfig | None = None  # what the tables reckon costs with
    evaluate_candidates: bool = False  # every candidate's patch is tested, for pass@k and the best selection possible
    metrics_port: int | None = Field(default=None, ge=1, le=65535)  # on the loopback address, for Prometheus
    output: LocalPath

    @field_validator("checkpoints")
    @classmethod
    def _unique(cls, value: tuple[CheckpointConfig, ...]) -> tuple[CheckpointConfig, ...]:
        names = [checkpoint.name for checkpoint in value]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"checkpoint names must differ, but {', '.join(repeated)} comes more than once")
        reserved = sorted(set(names) & set(REFERENCES))
        if reserved:
            raise ValueError(f"{', '.join(reserved)} names a reference row; call the checkpoint something else")
        if twice := repeated_seed([checkpoint.variant for checkpoint in value]):
            one, other = twice
            raise ValueError(
                f"{one.name} and {other.name} have one seed and nothing else distinguishes them; give them labels"
            )
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
        if self.checkpoints and not self.conditions:
            raise ValueError("checkpoints are evaluated under conditions: name at least one, or leave the key out")
        if self.evaluation.executor == "ray" and any(c.weights and c.answers is None for c in self.checkpoints):
            self.serving.require_for_cluster()
        if self.prices is not None:
            self.prices.require_known([checkpoint.name for checkpoint in self.checkpoints])
        return self
