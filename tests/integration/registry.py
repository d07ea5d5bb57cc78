"""A registry of a test's own on this machine, little images in it, and a proxy before it that fails as it is told."""

import http.client
import io
import os
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from docker import DockerClient

CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "{address}"}}
"""
HOP_HEADERS = ("connection", "transfer-encoding", "content-length", "host")


class Registry:
    """``docker-registry`` on a free port, with a folder of its own."""

    def __init__(self, folder: Path, auth: str = "") -> None:
        """``auth`` is a line of its configuration."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        configuration = folder / "registry.yml"
        configuration.write_text(CONFIGURATION.format(folder=folder / "registry", address=self.address) + auth)
        self._process = subprocess.Popen(
            ["docker-registry", "serve", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        host, _, port = self.address.partition(":")
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "docker-registry does not listen"
                time.sleep(0.05)

    def push(self, client: DockerClient, path: str, layers: Sequence[bytes], **labels: str) -> str:
        """Make an image of these layers, put it into the registry as ``path:tag``, and forget it here; its digest."""
        name = f"{self.address}/{path}"
        repository, _, tag = name.rpartition(":")
        make_image(client, name, layers, **labels)
        return self.take(client, repository, tag)

    def take(self, client: DockerClient, repository: str, tag: str) -> str:
        """Push a local image and forget it here; its digest in the registry."""
        *_, last = client.images.push(repository, tag, stream=True, decode=True)
        assert "aux" in last, last
        client.images.remove(f"{repository}:{tag}")
        return last["aux"]["Digest"]

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=20)


def make_image(client: DockerClient, name: str, layers: Sequence[bytes], base: str = "scratch", **labels: str) -> None:
    """An image of one file for each layer."""
    lines = [f"FROM {base}", *(f"COPY {number} /{number}" for number in range(len(layers)))]
    lines += [f'LABEL {key}="{value}"' for key, value in labels.items()]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as context:
        for path, content in [("Dockerfile", "\n".join(lines).encode()), *((str(n), b) for n, b in enumerate(layers))]:
            member = tarfile.TarInfo(path)
            member.size = len(content)
            context.addfile(member, io.BytesIO(content))
    buffer.seek(0)
    client.images.build(fileobj=buffer, custom_context=True, tag=name, rm=True, forcerm=True)


def forget(client: DockerClient, address: str) -> None:
    """Remove every image that came from a registry, under whatever name."""
    for image in client.images.list():
        if any(name.startswith(f"{address}/") for name in (*image.tags, *image.attrs.get("RepoDigests", ()))):
            client.images.remove(image.id, force=True)


def noise(size: int) -> bytes:
    """Bytes that no image had before."""
    return os.urandom(size)


Rule = Callable[["Handler"], bool]  # answers a request itself (True), or lets it through


class Handler(BaseHTTPRequestHandler):
    """One connection of the daemon to the proxy."""

    protocol_version = "HTTP/1.1"
    server: "FaultyProxy"

    def do_GET(self) -> None:
        """Let the rule answer, or the registry."""
        self.server.asked.append(f"{self.command} {self.path}")
        if not (self.server.rule and self.server.rule(self)):
            self._pass_on()

    do_HEAD = do_GET

    def answer(self, status: int, body: bytes = b"", **headers: str) -> bool:
        """Answer in the registry's place."""
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return True

    def hang_up(self) -> bool:
        """Break the connection off."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        return True

    def _pass_on(self) -> None:
        with closing(http.client.HTTPConnection(self.server.behind, timeout=60)) as connection:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for key, value in [("Host", self.server.behind), *self.headers.items()]:
                if key.lower() not in HOP_HEADERS or value == self.server.behind:
                    connection.putheader(key, value)
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in HOP_HEADERS:
                    self.send_header(key, value)
            self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the tests read what was asked."""


class FaultyProxy(ThreadingHTTPServer):
    """Passes requests on to a registry, except for those that its ``rule`` answers."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind = behind
        self.address = f"127.0.0.1:{self.server_address[1]}"
        self.rule: Rule | None = None
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Nothing: the daemon first tries to speak TLS, and connections are broken on purpose."""

    def stop(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()


def times(count: int, rule: Rule) -> Rule:
    """The rule for so many requests that it answers."""
    left = [count]

    def limited(request: Handler) -> bool:
        if left[0] > 0 and rule(request):
            left[0] -= 1
            return True
        return False

    return limited


def failing(part: str, status: HTTPStatus, **headers: str) -> Rule:
    """Answers requests for paths with ``part`` in them with a status, in the registry's form."""
    body = b'{"errors": [{"code": "%s", "message": "told to"}]}' % status.name.replace("_", "").encode()
    return lambda request: part in request.path and request.answer(status, body, **headers)
