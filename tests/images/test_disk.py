from collections import Counter

import pytest

from harness.core.image_name import ImageName
from harness.errors import InfrastructureError, InputError
from harness.images.disk import UNKNOWN, expected, together
from harness.images.registry import Manifest, Registries


@pytest.fixture
def asked(monkeypatch):
    """Registries that answer by their name; counts what they are asked."""
    questions: Counter[str] = Counter()

    def manifest(self, name: ImageName) -> Manifest:
        questions[name.registry] += 1
        if name.registry == "silent.example":
            raise InfrastructureError("no answer")
        if name.registry == "empty.example":
            raise InputError("404")
        return Manifest({"shared": 100, str(name): 10})

    monkeypatch.setattr(Registries, "manifest", manifest)
    return questions


def named(*names: str) -> list[ImageName]:
    return [ImageName.parse(name) for name in names]


def test_layers_that_several_send_count_once_and_unpacked(asked):
    assert expected([named("full.example/a"), named("full.example/b")], []) == (360, False)


def test_a_registry_that_does_not_answer_is_asked_once(asked):
    wanted = [named(*(f"{kind}.example/{name}" for kind in ("silent", "empty", "full"))) for name in "ab"]
    assert expected(wanted, []) == (360, False)
    assert asked == {"silent.example": 1, "empty.example": 2, "full.example": 2}


def test_the_hub_is_not_asked_and_its_images_count_as_local_ones_do(asked):
    assert expected([named("swebench/a"), named("swebench/b")], []) == (2 * UNKNOWN, True)
    local = [{"base": 1000, "one": 10}, {"base": 1000, "two": 30}]
    assert expected([named("swebench/a"), named("swebench/b")], local) == (40, True)
    assert not asked
    assert together(local) == 1040
