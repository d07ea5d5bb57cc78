"""A daemon that stalls, on a socket of its own."""

import gc
import socket
import threading
import time
from pathlib import Path

import pytest

from harness.common.docker_client import connect, translated
from harness.errors import InfrastructureError, InputError

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
VERSION = b'{"ApiVersion": "1.41"}'
EVENT = b'{"status": "Pulling from library/a"}\r\n'


@pytest.fixture
def stalling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A daemon that answers everything but pulls, of which it sends ``events`` and then nothing; gives the setter."""
    sent: list[bytes] = []
    held: list[socket.socket] = []
    address = str(tmp_path / "d.sock")
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen()

    def serve(connection: socket.socket) -> None:
        while request := connection.recv(65536):
            if b"/images/create" in request:
                head = JSON + b"Transfer-Encoding: chunked\r\n\r\n" if sent else b""
                connection.sendall(head + b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in sent))
                return
            connection.sendall(JSON + b"Content-Length: %d\r\n\r\n" % len(VERSION) + VERSION)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{address}")
    yield sent
    for connection in held:
        connection.close()
    server.shutdown(socket.SHUT_RDWR)
    server.close()


# The SDK leaves sockets whose answers ended badly to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("events", [[], [EVENT]], ids=["no answer", "after an event"])
def test_a_pull_that_stalls_is_given_up(stalling: list[bytes], events: list[bytes]) -> None:
    """The SDK asks without any bound: such a pull used to hold up a run for ever."""
    stalling += events
    client = connect(timeout=1)
    began = time.monotonic()
    with pytest.raises(InfrastructureError, match=r"pulling: .*[Tt]imed out"), translated("pulling"):
        list(client.api.pull("a", "latest", stream=True, decode=True))
    assert time.monotonic() - began < 20
    client.close()
    del client
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_daemon_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'gone.sock'}")
    with pytest.raises(InputError, match="Docker is not reachable"):
        connect()
    gc.collect()
