"""What building decides without Docker: base states, layers, who fails with whom."""

import hashlib
import io
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from git import Repo

from harness.build import base as bases
from harness.build.base import base_layer
from harness.build.base_state import write_base_state, write_sources
from harness.build.environment import environment_layer
from harness.build.layer import Layer, render
from harness.common import retry
from harness.core.image_name import ImageName
from harness.dataset.recipes import Environment, FolderSource, MirrorSource, Recipe, SdistSource, Sources
from harness.dataset.versions import published_image
from harness.errors import InfrastructureError, InputError
from harness.images.names import built_name
from harness.repo.mirror import BareRepository
from harness.repo.snapshot import RebuiltRepository

FIXED = {"a.py": b"x = 2\n", "tests/test_a.py": b"def test_old():\n    pass\ndef test_new():\n    pass\n"}
AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@localhost")
BROKEN = {"a.py": b"x = 1\n", "tests/test_a.py": b"def test_old():\n    pass\n"}


@pytest.fixture
def repository(tmp_path):
    with BareRepository.create(tmp_path / "repos/owner__name.git") as repository:
        yield repository


def recipe(source) -> Recipe:
    return Recipe(instance_id="owner__name-1", environment="e", source=source, install=None, test_cmd="true")


def package(cache, files, direction) -> Recipe:
    """A recipe from a source package that lies in the cache already."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"name-1.0/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    data = packed.getvalue()
    (cache / "sdists").mkdir(exist_ok=True)
    (cache / "sdists/name-1.0.tar.gz").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    return recipe(
        SdistSource(package="name", filename="name-1.0.tar.gz", sha256=sha256, bytes=len(data), direction=direction)
    )


def contents(cache, instance) -> dict[str, bytes]:
    with RebuiltRepository(cache / "repos") as rebuilt:
        snapshot = rebuilt.snapshot(instance)
        return {path: snapshot.read(path) for path in snapshot.paths()}


@pytest.mark.parametrize(("files", "direction"), [(FIXED, "reverse"), (BROKEN, "forward")])
def test_a_package_gives_the_state_before_the_fix(repository, instance, tmp_path, files, direction):
    write_base_state(repository, instance, package(tmp_path, files, direction), tmp_path)
    assert contents(tmp_path, instance) == BROKEN


def test_both_directions_meet_in_one_commit(repository, instance, tmp_path):
    back = write_base_state(repository, instance, package(tmp_path, FIXED, "reverse"), tmp_path)
    assert back == write_base_state(repository, instance, package(tmp_path, BROKEN, "forward"), tmp_path)


def test_a_known_state_needs_its_package_no_more(repository, instance, tmp_path):
    made_from = package(tmp_path, FIXED, "reverse")
    commit = write_base_state(repository, instance, made_from, tmp_path)
    (tmp_path / "sdists/name-1.0.tar.gz").unlink()
    assert write_base_state(repository, instance, made_from, tmp_path) == commit


def test_a_package_without_the_fix(repository, instance, tmp_path):
    with pytest.raises(InputError, match=r"owner__name-1: .* do not come out of name-1\.0\.tar\.gz"):
        write_base_state(repository, instance, package(tmp_path, BROKEN, "reverse"), tmp_path)


def test_a_folder_that_changed_is_read_again(repository, instance, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for content in (b"one", b"two"):
        (source / "a").write_bytes(content)
        write_base_state(repository, instance, recipe(FolderSource(path=source)), tmp_path)
        assert contents(tmp_path, instance) == {"a": content}


def test_a_missing_folder(repository, instance, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        write_base_state(repository, instance, recipe(FolderSource(path=tmp_path / "none")), tmp_path)


def history(folder, *states) -> list[str]:
    """A repository with one commit for each of the states (path -> content, None for a link to nowhere); the hashes."""
    git = Repo.init(folder)
    commits = []
    for number, state in enumerate(states):
        for path in state:
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(state[path])
        git.git.add("--all")
        git.git.execute(["git", *AUTHOR, "commit", "--quiet", "-m", f"state {number}"])
        commits.append(git.head.commit.hexsha)
    return commits


@pytest.fixture
def upstream(tmp_path):
    """A bare mirror whose second of three commits is the base state; gives its path and that commit."""
    commits = history(tmp_path / "work", {"a.py": b"x = 0\n"}, BROKEN, FIXED)
    mirror = tmp_path / "mirrors/owner__name.git"
    Repo(tmp_path / "work").clone(str(mirror), mirror=True)
    return mirror, commits[1]


def mirrored(instance, commit):
    return instance.model_copy(update={"base_commit": commit})


@pytest.mark.parametrize("place", ["{mirror}", "file://{mirror}", None])
def test_a_mirror_gives_the_base_commits_files_and_no_history(repository, instance, tmp_path, upstream, place):
    """A folder, a URL, or the mirror in the cache: the commit is the one that equal files from a package would make."""
    mirror, commit = upstream
    source = recipe(MirrorSource(location=place and place.format(mirror=mirror)))
    made = write_base_state(repository, mirrored(instance, commit), source, tmp_path)
    assert contents(tmp_path, instance) == BROKEN
    assert repository.git("rev-list", "--all", "--objects").count(made) == 1
    assert repository.git("rev-list", "--all") == made
    assert not (repository.path / "shallow").exists()
    other = tmp_path / "sdist-made"
    other.mkdir()
    assert made == write_base_state(repository, instance, package(other, BROKEN, "forward"), other)


def test_a_mirror_gives_older_sources_the_same_way(repository, tmp_path):
    older, _ = history(tmp_path / "work", BROKEN, FIXED)
    sources = Sources(source=MirrorSource(location=str(tmp_path / "work")), commit=older)
    made = write_sources(repository, "owner/name", "p-1", sources, tmp_path)
    held = {path: repository.read(entry.object) for path, entry in repository.entries(made).items()}
    assert held == BROKEN
    assert repository.git("rev-list", "--all") == made
    missing = sources.model_copy(update={"commit": "1" * 40})
    with pytest.raises(InputError, match=r"^sources p-1: .*work does not hold commit 1111"):
        write_sources(repository, "owner/name", "p-1", missing, tmp_path)


def test_older_sources_are_a_package_as_it_is(repository, tmp_path):
    packed = package(tmp_path, FIXED, "forward").source
    made = write_sources(repository, "owner/name", "p-1", Sources(source=packed), tmp_path)
    assert {path: repository.read(entry.object) for path, entry in repository.entries(made).items()} == FIXED


def test_a_known_state_needs_its_mirror_no_more(repository, instance, tmp_path, upstream):
    mirror, commit = upstream
    source = recipe(MirrorSource(location=str(mirror)))
    made = write_base_state(repository, mirrored(instance, commit), source, tmp_path)
    mirror.rename(tmp_path / "gone.git")
    assert write_base_state(repository, mirrored(instance, commit), source, tmp_path) == made
    with pytest.raises(InputError, match=r"owner__name-1: no git repository at .*owner__name\.git"):
        write_base_state(repository, mirrored(instance, "1" * 40), source, tmp_path)


@pytest.mark.parametrize("place", ["{mirror}", "file://{mirror}"])
def test_a_mirror_without_the_commit(repository, instance, tmp_path, upstream, place, monkeypatch):
    monkeypatch.setattr(retry, "RETRY_SECONDS", ())
    source = recipe(MirrorSource(location=place.format(mirror=upstream[0])))
    with pytest.raises(InputError, match=r"owner__name-1: .*owner__name\.git does not hold commit 1111"):
        write_base_state(repository, mirrored(instance, "1" * 40), source, tmp_path)


def test_a_mirror_is_asked_for_nothing_that_moves(repository, instance, tmp_path, upstream):
    source = recipe(MirrorSource(location=str(upstream[0])))
    with pytest.raises(InputError, match="full commit hash, not 'main'"):
        write_base_state(repository, mirrored(instance, "main"), source, tmp_path)


def test_a_mirror_that_does_not_answer_is_asked_again(repository, instance, tmp_path, monkeypatch):
    """Connections that are cut, then a server that answers with an error: the machine's failure, not the row's."""
    tries = []

    class Broken(BaseHTTPRequestHandler):
        def do_GET(self):
            tries.append(self.path)
            if len(tries) < 3:
                self.connection.close()
                return
            self.send_error(503)

    monkeypatch.setattr(retry, "RETRY_SECONDS", (0.0, 0.0, 0.0))
    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        location = f"http://127.0.0.1:{server.server_port}/p.git"
        with pytest.raises(InfrastructureError, match=r"^http://127.*/p\.git: git fetch failed: .*503"):
            write_base_state(
                repository, mirrored(instance, "1" * 40), recipe(MirrorSource(location=location)), tmp_path
            )
        server.shutdown()
    assert len(tries) == 4
    assert set(tries) == {"/p.git/info/refs?service=git-upload-pack"}


def test_mirrored_states_may_be_taken_at_the_same_time(instance, tmp_path):
    """Builds run side by side: taking one commit must not lock out, or cut off, another."""
    states = [{"a.py": f"x = {number}\n".encode()} for number in range(8)]
    commits = history(tmp_path / "work", *states)
    source = recipe(MirrorSource(location=str(tmp_path / "work")))

    def take(number: int) -> str:
        named = mirrored(instance, commits[number]).model_copy(update={"instance_id": f"owner__name-{number}"})
        return write_base_state(repository, named, source, tmp_path)

    with (
        BareRepository.create(tmp_path / "repos/owner__name.git") as repository,
        ThreadPoolExecutor(4) as pool,
    ):
        made = list(pool.map(take, range(8)))
        assert len(set(made)) == 8
        for number, commit in enumerate(made):
            entry = repository.entries(commit)["a.py"]
            assert repository.read(entry.object) == states[number]["a.py"]


def test_names():
    assert str(built_name("Owner__Name-1")) == "harness/sweb.eval.x86_64.owner__name-1:latest"
    assert str(published_image("Owner__Name-1")) == "swebench/sweb.eval.x86_64.owner_1776_name-1:latest"


def test_equal_requirements_share_an_image():
    one = Environment(python="3.9", requirements=("b==1", "A==1"))
    base, other = ImageName.parse("base"), ImageName.parse("other-base")
    assert environment_layer(one, base) == environment_layer(
        Environment(python="3.9", requirements=("A==1", "b==1")), base
    )
    others = [
        environment_layer(Environment(python="3.9", requirements=("A==1",)), base),
        environment_layer(Environment(python="3.11", requirements=("b==1", "A==1")), base),
        environment_layer(one, other),
    ]
    assert len({environment_layer(one, base).name, *(layer.name for layer in others)}) == 4


def test_content_tells_its_parts_apart():
    assert Layer("r", "k", "ab", ("c",)).content != Layer("r", "k", "a", ("bc",)).content


def test_an_install_command_is_one_argument_whatever_it_holds():
    text = render("instance.Dockerfile.jinja", below="e", replacing=False, install="echo \"a\" '<b>' &&\necho c")
    [line] = [line for line in text.splitlines() if line.startswith("RUN [")]
    assert "\\n" in line
    assert "RUN [" not in render("instance.Dockerfile.jinja", below="e", replacing=False, install=None)


def test_a_python_that_no_release_carries():
    with pytest.raises(InputError, match=r"Python 3\.7 can't be bootstrapped"):
        base_layer("3.7", "debootstrap")
    assert "FROM python:3.7-slim" in base_layer("3.7", "pull").dockerfile


def test_a_machine_that_can_not_bootstrap(monkeypatch):
    monkeypatch.setattr(bases.shutil, "which", lambda name: None)
    monkeypatch.setattr(bases.os, "geteuid", lambda: 0)
    with pytest.raises(InputError, match="install it, or use `--base pull`"):
        bases.require_debootstrap()
    monkeypatch.setattr(bases.os, "geteuid", lambda: 1000)
    with pytest.raises(InputError, match="needs root"):
        bases.require_debootstrap()


def test_a_failing_command_shows_its_last_lines():
    with pytest.raises(InfrastructureError, match="status 3:\nwhy"):
        bases.run_command("sh", "-c", "echo why; exit 3")
