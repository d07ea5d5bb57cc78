"""What `harness table` does, from folders to a text and files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from harness.common.files import json_text
from harness.compare.ablation_data import as_csv, document, write_ablation
from harness.compare.ablation_forms import as_latex, as_markdown, on_terminal
from harness.compare.ablation_tables import printed
from harness.compare.ablation_values import Ablation, ablation
from harness.compare.groups_of_run import read_run

if TYPE_CHECKING:
    from rich.console import RenderableType

Form = Literal["md", "tex", "csv", "json"]  # that have a text
TEXT_FORMS: dict[str, Form] = {form: form for form in get_args(Form)}


def read_ablation(folders: Sequence[Path], baseline: str | None = None) -> Ablation:
    """The ablation table of finished runs; see `ablation` for what is refused."""
    return ablation([read_run(folder) for folder in folders], baseline)


def table_of(folder: Path) -> "RenderableType | None":
    """What rich prints of a run's checkpoints; None for a run of references alone."""
    run = read_run(folder)
    return table_renderable(ablation([run])) if run.groups else None


def table_renderable(found: Ablation) -> "RenderableType":
    """What rich prints of a table."""
    return on_terminal(printed(found))


def table_text(found: Ablation, form: Form) -> str:
    """The table in one of its forms that are text."""
    forms: dict[Form, Callable[[], str]] = {
        "md": lambda: as_markdown(printed(found)),
        "tex": lambda: as_latex(printed(found)),
        "csv": lambda: as_csv(found),
        "json": lambda: json_text(document(found)),
    }
    return forms[form]()


def write_tables(folder: Path) -> None:
    """Write a run's ablation table into its folder, if it has checkpoints."""
    run = read_run(folder)
    if run.groups:
        write_ablation(ablation([run]), folder)
