"""The ways in which a server's processes end that tests go through."""

import subprocess

from harness.model.orphans import end_session

WAYS = ("it dies", "it is stopped", "its supervisor is killed")


def end_server(leader: subprocess.Popen[bytes], how: str) -> None:
    """End a supervised server in one of `WAYS`; one that dies does so by itself."""
    if how == "it is stopped":
        leader.terminate()
    elif how == "its supervisor is killed":
        leader.kill()
        leader.wait()
        end_session(leader.pid)
    leader.wait(timeout=20)
