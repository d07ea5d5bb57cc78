from collections import Counter

import pytest

from harness.errors import InfrastructureError, InputError
from harness.images.disk import UNKNOWN, expected, together
from harness.images.registry import Manifest, Registries


@pytest.fixture
def asked(monkeypatch):
    """Registries that answer by their name; counts what they are asked."""
    questions: Counter[str] = Counter()

    def manifest(self, name: str) -> Manifest:
        registry = name.partition("/")[0]
        questions[registry] += 1
        if registry == "silent.example":
            raise InfrastructureError("no answer")
        if registry == "empty.example":
            raise InputError("404")
        return Manifest({"shared": 100, name: 10})

    monkeypatch.setattr(Registries, "manifest", manifest)
    return questions


def test_layers_that_several_send_count_once_and_unpacked(asked):
    assert expected([["full.example/a"], ["full.example/b"]], []) == (360, False)


def test_a_registry_that_does_not_answer_is_asked_once(asked):
    wanted = [[f"silent.example/{name}", f"empty.example/{name}", f"full.example/{name}"] for name in "ab"]
    assert expected(wanted, []) == (360, False)
    assert asked == {"silent.example": 1, "empty.example": 2, "full.example": 2}


def test_the_hub_is_not_asked_and_its_images_count_as_local_ones_do(asked):
    assert expected([["swebench/a"], ["swebench/b"]], []) == (2 * UNKNOWN, True)
    local = [{"base": 1000, "one": 10}, {"base": 1000, "two": 30}]
    assert expected([["swebench/a"], ["swebench/b"]], local) == (40, True)
    assert not asked
    assert together(local) == 1040
