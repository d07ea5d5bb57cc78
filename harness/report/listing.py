"""The project's images, as a list for the terminal."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from harness.evaluate.images import ImageInfo


def image_table(images: "Iterable[ImageInfo]") -> "Table":
    """One row for each image, and the disk space of all of them, shared layers counted once."""
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE)
    for column in ("image", "kind", "own MB", "with shared layers"):
        table.add_column(column, overflow="fold", justify="right" if "MB" in column or "layers" in column else "left")
    own = 0
    for image in images:
        own += image.own_size
        table.add_row(image.name, image.kind, f"{image.own_size / 1e6:.0f}", f"{image.size / 1e6:.0f}")
    table.caption = f"{table.row_count} images; {own / 1e6:.0f} MB in layers that one image alone has"
    return table
