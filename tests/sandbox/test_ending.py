"""What the engine's events say of who ended a container."""

from types import SimpleNamespace

import pytest

from harness.errors import InfrastructureError
from harness.sandbox import ending
from harness.sandbox.ending import ended_from_inside, memory_kills, unexplained

SECOND = 1_000_000_000


def event(action: str, container: str = "ours", seconds: float = 100.0) -> dict:
    return {"Action": action, "Actor": {"ID": container}, "timeNano": int(seconds * SECOND)}


def test_a_death_that_nothing_explains_came_from_inside() -> None:
    assert unexplained([event("die")], "ours")
    neighbour = [event("kill", "other"), event("die", "other")]  # the usual end of an evaluation
    assert unexplained([*neighbour, event("die"), event("die", "third", 90.0)], "ours")


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="no death that the engine knows of"),
        pytest.param([event("kill"), event("die")], id="the engine's kill"),
        pytest.param([event("die"), event("kill")], id="reported the other way round"),
        pytest.param([event("oom"), event("die")], id="the kernel, for memory"),
        pytest.param([event("die"), event("die", "other", 101.0)], id="together with a neighbour"),
        pytest.param([event("die", "other")], id="of another one"),
    ],
)
def test_a_death_that_something_explains_did_not(events: list) -> None:
    assert not unexplained(events, "ours")


def client(answer, url: str = "http+docker://localhost") -> SimpleNamespace:
    def events(**_):
        if isinstance(answer, Exception):
            raise answer
        return iter(answer)

    return SimpleNamespace(api=SimpleNamespace(base_url=url, events=events))


def test_a_machine_that_can_not_be_asked_or_ran_out_of_memory_is_to_blame(tmp_path, monkeypatch) -> None:
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("nr_free_pages 7\noom_kill 3\n")
    monkeypatch.setattr(ending, "VMSTAT", vmstat)
    ours = SimpleNamespace(id="ours")
    died = client([event("die")])
    assert memory_kills(died) == 3
    assert ended_from_inside(died, ours, "run", 3)
    assert not ended_from_inside(died, ours, "run", 2)  # the kernel killed something meanwhile
    assert memory_kills(client([], "https://remote:2376")) is None
    assert not ended_from_inside(died, ours, "run", None)
    assert not ended_from_inside(client(InfrastructureError("daemon gone")), ours, "run", 3)
    vmstat.write_text("nr_free_pages 7\n")
    assert memory_kills(died) is None
