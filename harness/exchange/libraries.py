"""Libraries of other tools, which are extras of this package."""

import importlib
from typing import Any

from harness.errors import InputError


def library(name: str, extra: str) -> Any:
    """The module of that name. Raises InputError with what to install if it is not there."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise InputError(
            f"{package} is not installed or does not load ({' '.join(str(error).split())}); "
            f"pip install 'agentless-harness[{extra}]'"
        ) from error
