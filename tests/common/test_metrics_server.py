"""What Prometheus scrapes, read by its own parser."""

import socket
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.common import metrics_server
from harness.common.metrics_server import metrics_served
from harness.common.run_state import Part, State
from harness.common.stage import StageState
from harness.errors import InputError

STATE = State(
    (StageState("repair", 3, 10, 1, 61.5, ()), StageState("tests", 2, 12, 0, None, ())),
    (
        Part("a/b \"c\"", "", "starting vLLM", 45.0, "Loading", {"answers": 7}, {"questions_in_flight": 64}),
        Part("containers", "", totals={"jobs": 5}, levels={"containers": 4}),
    ),
)  # fmt: skip


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def scraped(port: int) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        families = text_string_to_metric_families(reply.read().decode())
        return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_a_scrape_has_the_numbers_of_the_moment_and_the_port_is_free_afterwards():
    port, states = free_port(), [State()]
    with metrics_served(port, lambda: states[-1]):
        assert scraped(port) == {}
        states.append(STATE)
        assert scraped(port) == {
            ("harness_stage_done", "repair"): 3,
            ("harness_stage_done", "tests"): 2,
            ("harness_stage_size", "repair"): 10,
            ("harness_stage_size", "tests"): 12,
            ("harness_stage_known", "repair"): 1,
            ("harness_stage_known", "tests"): 0,
            ("harness_stage_seconds_left", "repair"): 61.5,
            ("harness_doing_seconds", "starting vLLM", 'a/b "c"'): 45,
            ("harness_answers_total", 'a/b "c"'): 7,
            ("harness_jobs_total", "containers"): 5,
            ("harness_questions_in_flight", 'a/b "c"'): 64,
            ("harness_containers", "containers"): 4,
        }
    with metrics_served(port, State):
        pass


def test_a_port_that_is_taken_is_the_users_to_change():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = rf"metrics_port: {port} can't be listened on \(Address already in use\); name another"
        with pytest.raises(InputError, match=refused), metrics_served(port, State):
            pass


def test_without_a_port_nothing_is_served(monkeypatch):
    started = []
    monkeypatch.setattr(metrics_server, "start_http_server", lambda *given: started.append(given))
    with metrics_served(None, State):
        assert not started
