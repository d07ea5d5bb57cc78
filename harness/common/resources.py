"""Where the template folders lie: in the checkout, or inside the installed package."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

PACKAGE = Path(__file__).parent.parent


def resource(name: str) -> Path:
    """Path of a top-level resource folder such as ``prompts`` or ``docker``.

    Raises FileNotFoundError if neither the checkout nor the wheel holds it.
    """
    for folder in (PACKAGE.parent / name, PACKAGE / "_resources" / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"resource folder {name!r} is missing from this installation")


@cache
def templates(folder: Path) -> "Environment":
    """Jinja2 environment over ``folder``: strict about undefined names, escaping nothing.

    Templates make prompts, Dockerfiles and scripts, never HTML; text put into them is data
    and is never itself rendered.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
