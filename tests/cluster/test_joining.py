"""Nodes whose engines do not enforce the same limits."""

from types import SimpleNamespace

import pytest
from doubles import limits_with

from harness.cluster.values import Opened, Order
from harness.core.interfaces import Job
from harness.errors import InfrastructureError

pytest.importorskip("ray")


@pytest.fixture
def connection(monkeypatch):
    """A connection without a cluster, to which nodes may be joined."""
    from harness.cluster import cluster_connection

    monkeypatch.setattr(cluster_connection, "code_version", lambda: "1")
    made = object.__new__(cluster_connection.Connection)
    made.not_enforced, made.known, made.refused, made._keepers = (), {}, set(), {}
    made._watcher = SimpleNamespace(is_alive=lambda: False)
    monkeypatch.setattr(made, "ask", lambda node, question: question(None), raising=False)
    return made


def joined(connection, node: str, *not_enforced: str) -> str:
    return connection._opened(node, Opened("1", not_enforced, {}))


def test_what_one_of_the_first_nodes_does_not_enforce_holds_nowhere(connection):
    assert joined(connection, "a") == joined(connection, "b", "memory") == joined(connection, "c", "swap") == ""
    assert connection.not_enforced == ("memory", "swap")


def test_a_late_node_with_fewer_limits_takes_no_part(connection):
    joined(connection, "a", "swap")
    connection._watcher = SimpleNamespace(is_alive=lambda: True)
    assert joined(connection, "b") == joined(connection, "c", "swap") == ""
    said = joined(connection, "d", "memory", "swap", "watched_files")
    assert said == "node d does not limit what the others do: memory, watched files"
    assert (connection.refused, connection.not_enforced) == ({"d"}, ("swap",))


def test_a_job_does_not_run_where_a_limit_is_missing_that_its_key_counts_on(monkeypatch):
    """A late node may get a job before it is refused."""
    from harness.cluster import job_task

    monkeypatch.setattr(job_task, "_opened", lambda run, kind: SimpleNamespace(not_enforced=("memory",)))

    def order(*not_enforced: str) -> Order:
        return Order("1", "run", "namespace", Job("a", {}, (), limits_with(not_enforced=not_enforced)), "docker")

    assert job_task._sandbox(order("swap", "memory")).not_enforced == ("memory",)
    with pytest.raises(InfrastructureError, match=r"limit what this one does not: memory$"):
        job_task._sandbox(order("swap"))
