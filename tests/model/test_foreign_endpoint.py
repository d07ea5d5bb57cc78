import asyncio
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from harness.errors import InputError
from harness.model.connection import connect
from harness.model.listing import list_models


@pytest.mark.parametrize("body", [b"<html>hi</html>", b"\xff\xfe{", b"null", b'{"x": 1}', b'{"data": [1]}'])
def test_a_server_of_another_kind_is_the_users_to_mend(body: bytes) -> None:
    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as server:
        Thread(target=server.serve_forever, daemon=True).start()

        async def ask() -> None:
            async with connect(f"http://127.0.0.1:{server.server_port}/v1", own=True) as client:
                await list_models(client)

        with pytest.raises(InputError, match="no OpenAI-compatible server"):
            asyncio.run(ask())
        server.shutdown()
