import pytest

from harness.config.schema import EvaluationConfig
from harness.grading import session
from harness.grading.session import default_workers


@pytest.mark.parametrize(
    ("cpus", "load", "free_gib", "expected"),
    [(16, 0.0, 1000, 16), (16, 6.0, 1000, 10), (16, 40.0, 1000, 8), (16, 0.0, 25, 5), (1, 3.0, 1, 1)],
)
def test_workers_follow_free_cpus_and_memory(monkeypatch, cpus, load, free_gib, expected) -> None:
    monkeypatch.setattr(session.os, "cpu_count", lambda: cpus)
    monkeypatch.setattr(session.os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(session, "_free_memory", lambda: free_gib << 30)
    assert default_workers(EvaluationConfig(memory=4096)) == expected


def test_free_memory_is_less_than_all_of_it() -> None:
    assert 0 < session._free_memory() <= session.os.sysconf("SC_PAGE_SIZE") * session.os.sysconf("SC_PHYS_PAGES")
