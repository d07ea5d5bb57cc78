"""Prompt sets: a folder of jinja2 templates, one for each stage that asks the model, and the set's own settings."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.common.files import LOADER
from harness.common.hashing import content_hash, content_key
from harness.common.resources import resource, templates
from harness.common.suggest import nearest
from harness.errors import InputError
from harness.reading.formats import Format

if TYPE_CHECKING:
    from jinja2 import Template

SUFFIX = ".jinja"
SETTINGS = "set.yaml"  # in the folder of a set; it may be missing


class SetSettings(BaseModel):
    """What a prompt set says of its answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    extends: str | None = None  # the set whose prompts are asked in stages that this one has none for
    answer: Format = Format.SEARCH_REPLACE  # the format that its repair prompt asks for
    stop: dict[str, tuple[Annotated[str, Field(min_length=1)], ...]] = {}  # by stage: texts that end an answer


class Prompt(str):
    """A rendered prompt, which knows the stage that it is asked in."""

    stage: str
    stop: tuple[str, ...]  # texts that end an answer, if the sampling parameters name none

    def __new__(cls, text: str, stage: str, stop: tuple[str, ...] = ()) -> Self:
        """``text`` as the prompt of ``stage``."""
        prompt = super().__new__(cls, text)
        prompt.stage, prompt.stop = stage, stop
        return prompt

    # all samples of a prompt need these, and it may be long

    @cached_property
    def key(self) -> str:
        """The key of its record."""
        return content_key(prompt=self)

    @cached_property
    def digest(self) -> str:
        """The hash of its text."""
        return content_hash(self)


class Prompts:
    """The prompts of one set: a folder of ``prompts/`` by its name, or a user's own folder by its path."""

    def __init__(self, name_or_folder: str) -> None:
        """Raises InputError if there is no such set, its folder holds no template, or its settings are wrong."""
        self.name = name_or_folder
        self.folder = _folder(name_or_folder)
        self.settings = _settings(self.folder / SETTINGS)
        self._base = _base(self.folder, self.settings.extends)
        if unknown := sorted(set(self.settings.stop) - set(self.stages())):
            raise InputError(f"{self.folder / SETTINGS}: stop: the set has no prompt for {', '.join(unknown)}")

    def stages(self) -> list[str]:
        """The stages that this set has a prompt for."""
        folders = [self.folder, *([self._base] if self._base else [])]
        return sorted({path.name.removesuffix(SUFFIX) for folder in folders for path in folder.glob(f"*{SUFFIX}")})

    def digest(self) -> str:
        """Hash of every template and setting of the set, and of the one that it extends."""
        folders = [self.folder, *([self._base] if self._base else [])]
        paths = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
        return content_key(files=[[path.name, path.read_bytes().hex()] for path in paths])

    def require(self, stages: Iterable[str]) -> None:
        """Raises InputError if the set lacks a prompt for one of the stages, or one is no template."""
        known, stages = self.stages(), list(stages)
        missing = [stage for stage in stages if stage not in known]
        if missing:
            wanted = ", ".join(f"{stage}{SUFFIX}" for stage in missing)
            raise InputError(f"prompt set {self.name}: {self.folder} has no {wanted}; it has {', '.join(known)}")
        for stage in stages:
            self._template(stage)

    def render(self, stage: str, **variables: Any) -> Prompt:
        """The prompt of a stage, as valid Unicode. What the variables hold is data and is never itself rendered.

        Raises InputError if the set has no such stage, or its template is broken or asks for more
        than it is given.
        """
        from jinja2 import TemplateError

        template = self._template(stage)
        try:
            text = template.render(**variables)
        except TemplateError as error:
            raise InputError(f"{self.folder / stage}{SUFFIX}: {error}") from error
        return Prompt(text.encode("utf-8", "replace").decode(), stage, self.settings.stop.get(stage, ()))

    def _template(self, stage: str) -> "Template":
        from jinja2 import TemplateError, TemplateNotFound

        own = (self.folder / f"{stage}{SUFFIX}").is_file()
        folder = self.folder if own or self._base is None else self._base
        try:
            return templates(folder).get_template(f"{stage}{SUFFIX}")
        except TemplateNotFound as error:
            raise InputError(f"prompt set {self.name}: {self.folder} has no {error}") from error
        except (TemplateError, ValueError) as error:  # ValueError: not UTF-8
            raise InputError(f"{self.folder / stage}{SUFFIX}: {error}") from error


def _settings(path: Path) -> SetSettings:
    import yaml

    if not path.is_file():
        return SetSettings()
    try:
        return SetSettings.model_validate(yaml.load(path.read_bytes(), LOADER) or {})
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error


def _base(folder: Path, name: str | None) -> Path | None:
    """The folder of the set that another one extends. Raises InputError for one that extends a third."""
    if name is None:
        return None
    base = _folder(str(folder / name) if name.startswith(".") else name)
    if _settings(base / SETTINGS).extends is not None:
        raise InputError(f"{folder / SETTINGS}: extends: {name} extends a set itself; name that one")
    return base


def _folder(name: str) -> Path:
    own = Path(name)
    if "/" in name or own.is_absolute():
        folder, hint = own, ""
    else:
        sets = resource("prompts")
        known = sorted(path.name for path in sets.iterdir() if path.is_dir())
        own_path = f"; a folder of your own needs a slash: ./{name}" if own.is_dir() else ""
        folder, hint = sets / name, own_path or nearest(name, known, 1) or f"; known: {', '.join(known)}"
    if not folder.is_dir():
        raise InputError(f"no prompt set {name!r}{hint or ': no such folder'}")
    if not any(folder.glob(f"*{SUFFIX}")):
        raise InputError(f"prompt set {name!r}: {folder} holds no *{SUFFIX} file")
    return folder
