"""What tests of models share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.common.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal of answers."""
    with Journal(tmp_path / "answers.jsonl") as journal:
        yield journal
