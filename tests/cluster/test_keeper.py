"""Which images a node's keeper holds, and how long."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import MagicMock

import pytest

from harness.config.schema import EvaluationConfig
from harness.core.image_name import ImageName
from harness.images.supply import LocalImage

ray = pytest.importorskip("ray")

IMAGE = LocalImage(ImageName.parse("a"), "sha256:1")


class Provider:
    """Images that come when ``may_come`` is set, and how often each is held."""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self.may_come = threading.Event()
        self.asked = threading.Event()
        self.may_come.set()

    def find(self, _) -> LocalImage:
        return IMAGE

    @contextmanager
    def hold(self, instance) -> Iterator[LocalImage]:
        self.asked.set()
        self.may_come.wait(10)
        self.held[instance.instance_id] += 1
        yield IMAGE
        self.held[instance.instance_id] -= 1


@pytest.fixture
def keeper(monkeypatch):
    from harness.cluster.keeper import Keeper

    monkeypatch.setattr(ray, "get_actor", lambda name: MagicMock())
    keeper = Keeper("node", "run", EvaluationConfig(image_budget=1))
    keeper._opened = Provider()
    return keeper


def holds(keeper) -> int:
    return keeper._opened.held.total()


def test_an_image_stays_from_when_it_is_brought_until_its_job_is_over(keeper, instance) -> None:
    assert keeper.bring("token", instance, "sha256:1").image == IMAGE
    assert keeper.begin("token", 1, instance, "sha256:1") == IMAGE
    assert holds(keeper) == 1
    keeper.end("token")
    assert holds(keeper) == 0


def test_another_image_under_the_name_is_not_held(keeper, instance) -> None:
    failed = keeper.bring("token", instance, "sha256:2").image
    assert "is sha256:1 here, not sha256:2" in failed.message
    assert holds(keeper) == 0


def test_a_job_that_is_forgotten_before_it_comes_holds_nothing(keeper, instance) -> None:
    """The keeper may be asked to forget a job before it got round to bring its image."""
    keeper.forget("token")
    assert keeper.bring("token", instance, None).image.kind == "stopped"
    assert holds(keeper) == 0


def test_a_job_that_is_forgotten_while_its_image_comes_holds_nothing(keeper, instance) -> None:
    keeper._opened.may_come.clear()
    bringing = threading.Thread(target=keeper.bring, args=("token", instance, None))
    bringing.start()
    assert keeper._opened.asked.wait(10)
    keeper.forget("token")
    keeper._opened.may_come.set()
    bringing.join()
    assert keeper._opened.held == {instance.instance_id: 0}


def test_a_job_that_has_begun_is_not_forgotten(keeper, instance) -> None:
    """Its process may be killed: then its container has to be removed before its image may go."""
    keeper.bring("token", instance, None)
    keeper.begin("token", 1, instance, None)
    keeper.forget("token")
    assert holds(keeper) == 1
