"""Where things that outlive a run lie on this machine, and whether what a user names can be written."""

import os
from pathlib import Path

from harness.errors import InputError


def cache_folder() -> Path:
    """Folder for downloads, rebuilt repositories and caches: ``$HARNESS_CACHE``, or one under the home folder."""
    base = os.environ.get("HARNESS_CACHE")
    return Path(base) if base else Path.home() / ".cache" / "harness"


def check_folder(path: Path, what: str) -> None:
    """See, before any work is done, that ``path`` is or can become a folder to write in; nothing is made.

    ``what`` names its part in messages. Raises InputError if a file stands at it or above it, and if writing
    is not allowed.
    """
    try:
        place = next((place for place in (path, *path.parents) if place.exists()), Path())
        if not place.is_dir():
            reason = "it is a file" if place == path else f"{place} is a file"
        elif not os.access(place, os.W_OK | os.X_OK):
            reason = f"writing in {place} is not allowed"
        else:
            return
    except OSError as error:
        raise InputError(f"{path}: can't be {what} ({error.strerror}); name another") from error
    raise InputError(f"{path}: can't be {what} ({reason}); name another")


def check_file(path: Path, what: str) -> None:
    """Likewise that ``path`` is or can become a file. Raises InputError if it can't."""
    check_folder(path.parent, f"the folder of {what}")
    if path.is_dir():
        raise InputError(f"{path}: can't be {what} (it is a folder); name a file")
