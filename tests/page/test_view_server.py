"""The server of a page: which requests it answers."""

import threading
from http.client import HTTPConnection

import pytest
from runs import two_checkpoints
from typer.testing import CliRunner

from harness.cli import app
from harness.errors import InputError
from harness.page.view_server import page_server


@pytest.fixture
def ask(tmp_path, row):
    """Asks a served page for a path; returns status, kind and body."""
    with page_server(two_checkpoints(tmp_path / "out", row), 0, ()) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def get(path, host="127.0.0.1:1"):
            connection = HTTPConnection(*server.server_address)
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, answer.getheader("Content-Type"), body

        yield get
        server.shutdown()


def test_files_of_the_page_are_served_and_nothing_else(ask):
    assert ask("/")[:2] == (200, "text/html; charset=utf-8")
    assert ask("/data/overview.js?1")[:2] == (200, "text/javascript")
    assert ask("/version")[0] == 200
    for path in ("/frozen.yaml", "/../frozen.yaml", "/static/%2e%2e/site.py", "/data/logs/%2e%2e/0.js"):
        assert ask(path)[0] == 404, path


def test_another_host_name_is_refused(ask):
    assert ask("/", "evil.example:80")[0] == 403
    assert ask("/", "localhost:80")[0] == 200


def test_a_server_needs_results_and_a_free_port(tmp_path, row):
    path = two_checkpoints(tmp_path / "out", row)
    with page_server(path, 0, ()) as server, pytest.raises(InputError, match="name another with --port"):
        page_server(path, server.server_port, ())
    with pytest.raises(InputError, match="no such folder"):
        page_server(tmp_path / "gone", 0, ())


def test_the_commands_show_tables_and_write_the_page(tmp_path, row):
    path = two_checkpoints(tmp_path / "out", row)
    done = CliRunner().invoke(app, ["report", str(path)])
    assert done.output == (path / "table.md").read_text()
    done = CliRunner().invoke(app, ["report", str(path), "--html"])
    assert done.output == f"page: {path / 'page' / 'index.html'}\n"
    assert (path / "page" / "data" / "compare" / "0-1.js").is_file()
