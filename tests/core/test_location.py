import pytest

from harness.core.location import merge_intervals, resolve_path

PATHS = ("setup.py", "src/app/io.py", "src/app/core.py", "lib/io.py", "x/src/app/core.py.orig")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("setup.py", "setup.py"),
        (" ./src/app/io.py ", "src/app/io.py"),
        ("app/io.py", "src/app/io.py"),
        ("core.py", "src/app/core.py"),
        ("io.py", None),
        ("p/io.py", None),
        ("repo/src/app/io.py", "src/app/io.py"),
        ("/testbed/lib/io.py", "lib/io.py"),
        ("other/setup.py", None),
        ("", None),
        ("./", None),
        (".", None),
    ],
)
def test_a_name_stands_for_one_path_or_none(name, path):
    assert resolve_path(name, PATHS) == path


def test_intervals_that_touch_are_joined():
    assert merge_intervals([(8, 9), (1, 3), (4, 5), (2, 2), (11, 12)]) == ((1, 5), (8, 9), (11, 12))
    assert merge_intervals([(1, 10), (2, 3)]) == ((1, 10),)
