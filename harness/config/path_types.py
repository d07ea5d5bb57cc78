"""The run file's paths: where a relative one starts, and what has to be there.

A relative path that stands in a file is taken from that file's folder, any other from the working folder. Whether
a path leads to something is checked only if the validation's context is `CHECK_PATHS`: a frozen configuration can be
read on a machine that has none of its files.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from harness.dataset.instances import FILE_FORMATS

CHECK_PATHS = "check paths"  # context of a validation that looks at the disk
ADAPTER = "adapter_config.json"  # what makes a folder a LoRA adapter
NOT_THERE = "path_not_there"  # type of the error for a path that leads to nothing of its kind


class Written(str):
    """A text that stands in a file, and that file's folder."""

    folder: Path

    def __new__(cls, text: str, folder: Path) -> Self:
        """``text`` as it stands in a file of ``folder``."""
        written = super().__new__(cls, text)
        written.folder = folder
        return written


def _from_folder(value: Any) -> Any:
    return value.folder / value if isinstance(value, Written) else value


def _with_slash(value: Any) -> Any:
    """A prompt set's own folder; it keeps a slash, which distinguishes it from the name of a shipped set."""
    if not isinstance(value, Written) or "/" not in value:
        return value
    path = str(_from_folder(value))
    return path if "/" in path else f"./{path}"


def _file_of_rows(value: Any) -> Any:
    """A local data set's file; every other text is a hub id."""
    return str(_from_folder(value)) if isinstance(value, str) and Path(value).suffix in FILE_FORMATS else value


def _checked(there: Callable[[Path], bool], problem: str, path: Path, info: ValidationInfo) -> None:
    try:
        found = info.context != CHECK_PATHS or there(path)
    except OSError:  # such as a name that is too long
        found = False
    if not found:
        raise PydanticCustomError(NOT_THERE, problem, {"path": str(path)})


def _existing_file(path: Path, info: ValidationInfo) -> Path:
    _checked(Path.is_file, "no such file: {path}", path, info)
    return path


def _existing_rows(source: str, info: ValidationInfo) -> str:
    if Path(source).suffix in FILE_FORMATS:
        _existing_file(Path(source), info)
    return source


def _checkpoint_folder(path: Path, info: ValidationInfo) -> Path:
    problem = f"{{path}} is not a checkpoint ({_what_it_is(path)})"
    _checked(lambda folder: (folder / "config.json").is_file(), problem, path, info)
    return path


def _what_it_is(path: Path) -> str:
    """What lies at a path that is no Hugging Face folder, and how one is made of it."""
    try:
        if path.suffix.lower() == ".gguf" or (path.is_dir() and any(path.glob("*.gguf"))):
            return (
                "it is GGUF: write it as a folder with transformers, "
                "AutoModelForCausalLM.from_pretrained(DIR, gguf_file=NAME).save_pretrained(OUT), the tokenizer likewise"
            )
        if (path / ADAPTER).is_file():
            return "it is an adapter: give the weights that it was trained on as base, and this as adapter"
        if not path.exists() and not path.parent.exists():
            hub_id = f"{path.parent.name}/{path.name}"
            return f"no such folder; is it the id of a hub? download it: hf download {hub_id} --local-dir DIR"
    except OSError:  # such as a name that is too long
        pass
    return "it has no config.json"


def _adapter_folder(path: Path, info: ValidationInfo) -> Path:
    problem = f"{{path}} is not an adapter (it has no {ADAPTER})"
    _checked(lambda folder: (folder / ADAPTER).is_file(), problem, path, info)
    return path


LocalPath = Annotated[Path, BeforeValidator(_from_folder)]
AbsolutePath = Annotated[LocalPath, AfterValidator(Path.absolute)]  # means the same on all machines
ExistingFile = Annotated[LocalPath, AfterValidator(_existing_file)]
CheckpointFolder = Annotated[LocalPath, AfterValidator(_checkpoint_folder)]
AdapterFolder = Annotated[LocalPath, AfterValidator(_adapter_folder)]
DataSource = Annotated[str, BeforeValidator(_file_of_rows), AfterValidator(_existing_rows)]  # a hub id, or a file
PromptSource = Annotated[str, BeforeValidator(_with_slash)]  # name of a shipped set, or a path with a slash
