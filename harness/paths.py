"""Where things that outlive a run lie on this machine."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Folder for downloads, rebuilt repositories and caches: ``$HARNESS_CACHE``, or one under the home folder."""
    base = os.environ.get("HARNESS_CACHE")
    return Path(base) if base else Path.home() / ".cache" / "harness"
