"""What `harness report` does: a finished run's tables, and its page, written into a folder."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from harness.common.disk_faults import naming
from harness.common.paths import check_folder
from harness.errors import InputError
from harness.page.run_records import RunRecords
from harness.page.site import Site

PAGE = "page"
MARK = "static/base.js"  # lies in every page, and so tells one from another folder


def write_page(folder: Path, output: Path | None, against: str | None, requirements: Sequence[str]) -> Path:
    """Write the page of a run's folder; returns its ``index.html``.

    Into ``output``, or the run's ``page``; an older page there goes. Raises InputError for a folder without results,
    and for an output folder that holds anything else.
    """
    target = output or folder / PAGE
    check_folder(target, "the page's folder")
    if target.is_dir() and any(target.iterdir()) and not (target / MARK).is_file():
        raise InputError(f"{target}: holds something that is no page; name another folder")
    records = RunRecords(folder)
    records.update()
    site = Site(records, against, requirements)
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        _write_files(site, unfinished)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    # whoever reads meanwhile finds the old page or the new one, but for the moment between two renames
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    unfinished.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return target / "index.html"


def _write_files(site: Site, folder: Path) -> None:
    for name in site.names():
        content = site.content(name)
        if content is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with naming(path):
                path.write_bytes(content)


def run_tables(folder: Path) -> str:
    """The tables of a finished run, as it wrote them. Raises InputError if there are none."""
    try:
        return (folder / "table.md").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: holds no table.md; name the output folder of a finished run") from error
