"""What vLLM leaves in the folder of temporary files, with a script in the server's place that leaves one, too."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from ended_servers import WAYS, end_server

from harness.model import supervisor
from harness.model.orphans import note_server, reap_servers
from harness.model.supervisor import remains

LEAVING = """
import os, signal, sys, tempfile, time
tempfile.mkstemp()
time.sleep(float(sys.argv[1]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def start(folder: Path, seconds: float) -> subprocess.Popen[bytes]:
    """A supervisor whose server has left a file in its folder by now, and dies after ``seconds``."""
    script = folder / "leaving.py"
    script.write_text(LEAVING)
    command = [sys.executable, "-I", supervisor.__file__, str(os.getpid()), "5", sys.executable, str(script)]
    leader = subprocess.Popen([*command, str(seconds)], stdin=subprocess.PIPE, start_new_session=True)
    end = time.monotonic() + 20
    while not any(file for path in remains(leader.pid) for file in path.iterdir()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return leader


@pytest.mark.parametrize("how", WAYS)
def test_a_servers_temporary_files_go_with_it(tmp_path: Path, how: str) -> None:
    """vLLM left ten sockets and a file for each start, and never any less."""
    with start(tmp_path, 2 if how == "it dies" else 600) as leader:
        end_server(leader, how)
    assert not remains(leader.pid)


def test_those_of_a_server_that_was_killed_with_its_owner_go_at_the_next_start(tmp_path: Path) -> None:
    note = tmp_path / "tiny.server.json"
    with start(tmp_path, 600) as leader:
        note_server(note, leader.pid)
        os.killpg(leader.pid, 9)
    content = json.loads(note.read_text())
    content["owner"]["started"] -= 1  # as if this process were another one than the owner
    note.write_text(json.dumps(content))
    assert remains(leader.pid)
    assert reap_servers(tmp_path) == 0
    assert not remains(leader.pid)


def test_a_folder_too_deep_for_sockets_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM could not bind them, and never started."""
    deep = tmp_path / ("d" * supervisor.LONGEST)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    assert supervisor.within(supervisor.temporary_folder()) == {}
    assert not list(deep.iterdir())
