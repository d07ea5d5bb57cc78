import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.repo.package_archive import fetch_package, unpack_package
from harness.repo.pip_settings import read_settings

NAME = "demo-1.0.tar.gz"


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def file(name: str, mode: int = 0o644) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode = mode
    return member


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


PACKAGE = archive((file("demo-1.0/a.py"), b"x = 1\n"), (file("demo-1.0/run", 0o755), b""))
SHA256 = hashlib.sha256(PACKAGE).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A package index in a folder, with one project of one file, set as pip's own."""
    project = tmp_path / "simple/demo"
    project.mkdir(parents=True)
    (project / NAME).write_bytes(PACKAGE)
    (project / "index.html").write_text(f'<!DOCTYPE html><a href="{NAME}">{NAME}</a>')
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", (tmp_path / "simple").as_uri())
    return project


def fetch(cache: Path, sha256: str = SHA256, size: int = len(PACKAGE), filename: str = NAME) -> Path:
    return fetch_package("demo", filename, sha256, size, cache)


def test_a_package_is_fetched_once(index, tmp_path):
    path = fetch(tmp_path / "cache")
    assert path == tmp_path / "cache/sdists" / NAME
    assert path.read_bytes() == PACKAGE
    (index / NAME).unlink()
    assert fetch(tmp_path / "cache") == path


def test_a_torn_file_in_the_cache_is_fetched_again(index, tmp_path):
    path = fetch(tmp_path / "cache")
    path.write_bytes(PACKAGE[:-1])
    assert fetch(tmp_path / "cache").read_bytes() == PACKAGE


@pytest.mark.parametrize("wrong", [{"sha256": "0" * 64}, {"size": 1}])
def test_another_file_under_the_same_name_is_refused(index, tmp_path, wrong):
    with pytest.raises(InfrastructureError, match="not the one"):
        fetch(tmp_path / "cache", **wrong)
    assert list((tmp_path / "cache/sdists").iterdir()) == []


def test_a_file_that_the_index_does_not_hold(index, tmp_path):
    with pytest.raises(InfrastructureError, match="PIP_INDEX_URL"):
        fetch(tmp_path / "cache", filename="demo-2.0.tar.gz")


def test_an_index_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(InfrastructureError, match=NAME):
        fetch(tmp_path)


def test_unpacking_drops_the_outer_folder_and_keeps_modes_and_links(tmp_path):
    (tmp_path / "before").touch(0o777)
    path = tmp_path / NAME
    path.write_bytes(archive((file("d/run", 0o755), b"x"), (file("d/a.py"), b"y"), (link("d/to", "a.py"), b"")))
    unpack_package(path, tmp_path / "out")
    assert (tmp_path / "out/run").stat().st_mode & 0o111
    assert not (tmp_path / "out/a.py").stat().st_mode & 0o111
    assert (tmp_path / "out/to").readlink() == Path("a.py")
    (tmp_path / "later").touch(0o777)
    modes = [(tmp_path / name).stat().st_mode for name in ("before", "later")]
    assert modes[0] == modes[1], "the process's umask is what it was"


@pytest.mark.parametrize(
    "members",
    [
        [(file("d/../../outside"), b"x"), (file("d/a"), b"")],
        [(link("d/sub", "../.."), b""), (file("d/sub/outside"), b"x")],
    ],
    ids=["parent", "link"],
)
def test_nothing_is_written_outside(tmp_path, members):
    path = tmp_path / NAME
    path.write_bytes(archive(*members))
    try:
        unpack_package(path, tmp_path / "out/in")
    except InfrastructureError:
        pass
    else:
        assert not (tmp_path / "out/in/sub").is_symlink()
    assert not list(tmp_path.glob("outside"))
    assert not list((tmp_path / "out").glob("outside"))


def test_a_broken_archive(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(PACKAGE[:50])
    with pytest.raises(InfrastructureError, match="can't be unpacked"):
        unpack_package(path, tmp_path / "out")


def test_settings_come_from_pips_own_configuration(tmp_path, monkeypatch):
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    config = tmp_path / "pip.conf"
    config.write_text(
        f"[global]\nindex-url = http://a/simple\nextra-index-url =\n  http://b\n  http://c\ncert = {bundle}\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    settings = read_settings()
    assert (settings.url, settings.extra_urls) == ("http://a/simple", ("http://b", "http://c"))
    assert settings.certificates == bundle
    monkeypatch.setenv("PIP_INDEX_URL", "http://d/simple")
    assert read_settings().url == "http://d/simple"
