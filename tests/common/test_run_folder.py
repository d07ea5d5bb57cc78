from pathlib import Path

import pytest

from harness.common.run_folder import RunFolder
from harness.errors import InputError


@pytest.mark.parametrize("name", ["file", "file/below", "null\0byte", "x" * 300])
def test_a_folder_that_cannot_be_is_the_users_to_mend(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't be the output folder"):
        RunFolder(tmp_path / name)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with RunFolder(tmp_path), pytest.raises(InputError, match="another process"):
        RunFolder(tmp_path)
    with RunFolder(tmp_path):
        pass
