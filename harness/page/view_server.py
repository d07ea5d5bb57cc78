"""What `harness view` does: a run's page on the loopback address, made anew as the run goes on."""

import contextlib
import mimetypes
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from harness.errors import InputError
from harness.page.run_records import RunRecords
from harness.page.site import Site

ADDRESS = "127.0.0.1"  # never the network's: the page shows whatever the run's folder holds
LOOK = 2.0  # seconds between looks at the folder
KINDS = {".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8"}


class Served:
    """A run's page that follows its folder; requests are answered one at a time, from one state of it."""

    def __init__(self, folder: Path, requirements: Sequence[str]) -> None:
        """Read the folder. Raises InputError if it holds neither results nor a run under way."""
        self.records = RunRecords(folder)
        self.records.update()
        self.site = Site(self.records, None, requirements)
        self._looked = time.monotonic()
        self._state = self._signature()
        self._lock = threading.Lock()

    def content(self, name: str) -> bytes | None:
        """A file of the page, or None; ``version`` changes if the run went on."""
        with self._lock:
            self._look()
            return str(self._state).encode() if name == "version" else self.site.content(name)

    def _look(self) -> None:
        if time.monotonic() - self._looked < LOOK:
            return
        self._looked = time.monotonic()
        if (state := self._signature()) != self._state:
            with contextlib.suppress(InputError):  # files of a run that is just ending: at the next look they are there
                self.records.update()
                self.site.refresh()
                self._state = state

    def _signature(self) -> tuple[int, ...]:
        return tuple(self._signs())

    def _signs(self) -> Iterator[int]:
        for name in ("attempts.jsonl", "table.csv", "frozen.yaml"):
            try:
                state = (self.records.folder / name).stat()
            except OSError:
                yield 0
            else:
                yield from (state.st_mtime_ns, state.st_size)


class Handler(BaseHTTPRequestHandler):
    """Answers requests for the page's files, of this machine's browsers only."""

    def __init__(self, served: Served, *args: object) -> None:
        self._served = served
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Send a file of the page."""
        host = self.headers.get("Host", "").rpartition(":")[0]
        if host not in (ADDRESS, "localhost"):  # a site whose name was bent to this address
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        name = unquote(urlsplit(self.path).path).lstrip("/") or "index.html"
        content = self._served.content(name)
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        kind = KINDS.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "text/plain; charset=utf-8"
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the reader left
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing for a request."""


def page_server(folder: Path, port: int, requirements: Sequence[str]) -> ThreadingHTTPServer:
    """A server of the run's page, which `serve_forever` starts; port 0 takes a free one.

    Raises InputError for a folder without results, and if the port is taken.
    """
    served = Served(folder, requirements)
    try:
        server = ThreadingHTTPServer((ADDRESS, port), partial(Handler, served))
    except OSError as error:
        raise InputError(f"port {port} can't be served ({error.strerror}); name another with --port") from error
    server.daemon_threads = True
    return server
