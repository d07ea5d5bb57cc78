import asyncio
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from harness.core.interfaces import Sampling
from harness.errors import InputError
from harness.model.connection import connect
from harness.model.endpoint import EndpointModel
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


def test_a_base_model_that_has_no_chat_route_is_asked_by_the_other_one() -> None:
    """OpenAI's word for it comes with 404, which counted as an unknown model before the first question."""
    no_chat = {
        "error": {"message": "This is not a chat model and thus not supported in the v1/chat/completions endpoint."}
    }
    answer = {"choices": [{"text": "patch", "finish_reason": "stop"}], "usage": {"completion_tokens": 1}}

    class Base(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            chat = self.path.endswith("/chat/completions")
            body = json.dumps(no_chat if chat else answer).encode()
            self.send_response(404 if chat else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Base) as server:
        Thread(target=server.serve_forever, daemon=True).start()

        async def ask() -> tuple[str, str]:
            client = connect(f"http://127.0.0.1:{server.server_port}/v1", own=True)
            async with EndpointModel(client, "m", "r", context=4096) as model:
                await model.check()
                return (await model.ask("Fix it.", Sampling(), 0)).text, model.route

        assert asyncio.run(ask()) == ("patch", "completions")
        server.shutdown()
