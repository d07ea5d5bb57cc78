"""A token server of a test's own: gives who has the password a token that a registry lets in, and nobody else."""

import json
import subprocess
import threading
import time
from base64 import b64encode, urlsafe_b64encode
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SERVICE = "registry of a test"
ISSUER = "tokens of a test"


def basic(user: str, password: str) -> str:
    """What HTTP sends of a user, and Docker's configuration keeps."""
    return b64encode(f"{user}:{password}".encode()).decode("ascii")


class TokenServer(ThreadingHTTPServer):
    """Answers a registry's challenge as the specification of its tokens has it; ``asked`` has the scopes asked for."""

    daemon_threads = True

    def __init__(self, folder: Path, user: str, password: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wanted = f"Basic {basic(user, password)}"
        self.asked: list[str] = []
        self._key, self._certificate = folder / "key.pem", folder / "certificate.pem"
        making = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens"]
        files = ["-keyout", str(self._key), "-out", str(self._certificate)]
        subprocess.run([*making, *files], check=True, capture_output=True)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def auth(self) -> str:
        """The line of a registry's configuration that sends clients here."""
        realm = f"http://127.0.0.1:{self.server_port}/token"
        keys = {"realm": realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(self._certificate)}
        return f"auth: {json.dumps({'token': keys})}\n"

    def token(self, scopes: list[str]) -> str:
        """A signed token for these scopes (``repository:<name>:<actions>``), good for a minute."""
        now = int(time.time())
        access = [dict(zip(("type", "name", "actions"), scope.split(":"), strict=True)) for scope in scopes]
        claims = {
            "iss": ISSUER,
            "sub": "",
            "aud": SERVICE,
            "iat": now,
            "nbf": now - 5,
            "exp": now + 60,
            "jti": str(time.time_ns()),
            "access": [{**one, "actions": one["actions"].split(",")} for one in access],
        }
        certificate = "".join(self._certificate.read_text().splitlines()[1:-1])
        header = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        signing = ["openssl", "dgst", "-sha256", "-sign", str(self._key)]
        signature = subprocess.run(signing, input=signed, check=True, capture_output=True).stdout
        return b".".join((signed, _encoded(signature))).decode("ascii")

    def stop(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()


def _encoded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


class _Handler(BaseHTTPRequestHandler):
    server: TokenServer

    def do_GET(self) -> None:
        scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
        self.server.asked += scopes
        allowed = self.headers.get("Authorization") == self.server.wanted
        body = json.dumps({"token": self.server.token(scopes)} if allowed else {"details": "who are you"}).encode()
        self.send_response(HTTPStatus.OK if allowed else HTTPStatus.UNAUTHORIZED)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the tests read what was asked."""
