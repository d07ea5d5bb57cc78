"""Registries that let in only who has logged in: with a password, and with a token; asked by the daemon and by us."""

import json
import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from registry import Registry, forget, noise
from tokens import TokenServer, basic

from harness.common.docker_client import connect
from harness.core.image_name import ImageName
from harness.errors import InfrastructureError, InputError
from harness.images.pull import Puller, find
from harness.images.registry import Registries

pytestmark = pytest.mark.docker
USER, PASSWORD = "tester", "secret"
HASHED = "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"  # bcrypt's, of the password


@pytest.fixture
def tokens(tmp_path) -> Iterator[TokenServer]:
    if not shutil.which("openssl"):
        pytest.skip("openssl, which signs the tokens, is not installed")
    server = TokenServer(tmp_path, USER, PASSWORD)
    yield server
    server.stop()


@pytest.fixture(params=["basic", "bearer"])
def guarded(request, registry, tmp_path) -> Iterator[Registry]:
    """A registry that asks who is there (``registry`` is only for its program)."""
    if request.param == "basic":
        (tmp_path / "passwords").write_text(f"{USER}:{HASHED}\n")
        auth = f"auth: {json.dumps({'htpasswd': {'realm': 'test', 'path': str(tmp_path / 'passwords')}})}\n"
    else:
        auth = request.getfixturevalue("tokens").auth
    guarded = Registry(tmp_path, auth)
    yield guarded
    guarded.stop()


@pytest.fixture
def login(tmp_path, monkeypatch) -> Callable[..., None]:
    """Writes a configuration of Docker's, as `docker login` would."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    (tmp_path / "docker").mkdir()

    def write(**configuration: object) -> None:
        (tmp_path / "docker/config.json").write_text(json.dumps(configuration))

    return write


@pytest.fixture
def name(guarded, login, docker_client) -> Iterator[str]:
    """An image that lies in the guarded registry alone; who put it there is logged out again."""
    login(auths={guarded.address: {"auth": basic(USER, PASSWORD)}})
    client = connect()
    guarded.push(client, "private/image:1", [noise(1 << 10)])
    client.close()
    login()
    yield f"{guarded.address}/private/image:1"
    forget(docker_client, guarded.address)


def asked(name: str) -> int:
    registries = Registries()
    try:
        return registries.manifest(ImageName.parse(name)).size
    finally:
        registries.close()


def pull(name: str) -> None:
    client = connect()
    try:
        Puller(client).pull(ImageName.parse(name))
    finally:
        client.close()


def test_who_is_logged_in_is_let_in(name, guarded, login, docker_client):
    login(auths={guarded.address: {"auth": basic(USER, PASSWORD)}})
    assert asked(name) > 1 << 10
    pull(name)
    assert find(docker_client, name)


@pytest.mark.parametrize("password", [None, "wrong"])
def test_who_is_not_is_told_at_once_what_to_do(name, guarded, login, docker_client, password):
    """No pause and no second try: the registry has answered."""
    if password:
        login(auths={guarded.address: {"auth": basic(USER, password)}})
    with pytest.raises(InputError, match=r"^image \S+/private/image:1 can't be had: its registry answers 401") as said:
        asked(name)
    assert "\n" not in str(said.value)
    with pytest.raises(
        InputError, match=r"^image \S+/private/image:1 can't be pulled: .*`docker login` first$"
    ) as said:
        pull(name)
    assert "\n" not in str(said.value)
    assert find(docker_client, name) is None


def test_a_token_is_asked_for_the_one_image(tokens, registry, tmp_path, login):
    guarded = Registry(tmp_path, tokens.auth)
    try:
        login(auths={guarded.address: {"auth": basic(USER, PASSWORD)}})
        with pytest.raises(InputError, match="404"):
            asked(f"{guarded.address}/private/none:1")
        assert tokens.asked == ["repository:private/none:pull"]
    finally:
        guarded.stop()


def helper(folder, script: str) -> str:
    """Installs a program that keeps credentials; its name for Docker's configuration."""
    (folder / "docker-credential-of-a-test").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker-credential-of-a-test").chmod(0o755)
    return "of-a-test"


def test_a_credential_helper_is_asked(name, guarded, login, docker_client, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    said = json.dumps({"ServerURL": guarded.address, "Username": USER, "Secret": PASSWORD})
    login(credHelpers={guarded.address: helper(tmp_path, f"echo '{said}'")})
    assert asked(name) > 1 << 10
    pull(name)
    assert find(docker_client, name)


def test_a_credential_helper_that_fails(name, guarded, login, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.common.retry.RETRY_SECONDS", ())
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    login(credHelpers={guarded.address: helper(tmp_path, "echo the safe is locked; exit 1")})
    for ask in (asked, pull):
        with pytest.raises(InfrastructureError, match="the safe is locked") as said:
            ask(name)
        assert "\n" not in str(said.value)
