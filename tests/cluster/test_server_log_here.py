"""The log of a server on a node, kept on this machine."""

import pytest

pytest.importorskip("ray")

from harness.cluster.ray_servers import LogHere


def test_a_full_disk_costs_the_log_alone_and_is_said_once(tmp_path, caplog):
    (tmp_path / "full.log").symlink_to("/dev/full")
    full = LogHere(tmp_path / "full.log")
    full.add(b"one")
    full.add(b"two")
    [said] = caplog.messages
    assert said.endswith("full.log: No space left on device; the server goes on without what it says there")


def test_what_is_said_is_added_to_what_stands_there(tmp_path):
    path = tmp_path / "folder" / "server.log"
    for text in (b"one\n", b"two\n"):
        LogHere(path).add(text)
    assert path.read_bytes() == b"one\ntwo\n"
