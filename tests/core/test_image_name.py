"""Names of images, read as Docker reads them. The SDK's own reading, which knows less, is the second opinion."""

from dataclasses import replace

import pytest
from docker.auth import resolve_repository_name
from docker.utils import parse_repository_tag
from hypothesis import given
from hypothesis import strategies as st

from harness.core.image_name import HUB, ImageName

DIGEST = "sha256:" + "0123456789abcdef" * 4

words = st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-{1,2})[a-z0-9]{1,4}){0,2}", fullmatch=True)
hosts = st.builds(
    "{}{}".format,
    st.sampled_from(["localhost", "127.0.0.1", "ghcr.io", "a.b-c.example", "Own", "[::1]", "library.example"]),
    st.sampled_from(["", ":5000", ":1"]),
)
owners = words.filter(lambda word: "." not in word and word != "localhost")  # else it would be a host
paths = st.lists(words, min_size=1, max_size=4).map("/".join)
on_the_hub = st.tuples(owners, st.lists(words, max_size=2)).map(lambda parts: "/".join([parts[0], *parts[1]]))
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
endings = st.one_of(
    st.just(("", "latest")),
    tags.map(lambda tag: (f":{tag}", tag)),
    st.just((f"@{DIGEST}", DIGEST)),
    tags.map(lambda tag: (f":{tag}@{DIGEST}", DIGEST)),
)


@st.composite
def names(draw) -> tuple[str, ImageName]:
    """A name as somebody may write it, and what it denotes."""
    ending, version = draw(endings)
    if draw(st.booleans()):
        host, path = draw(hosts), draw(paths)
        return f"{host}/{path}{ending}", ImageName(host, path, version)
    path = draw(on_the_hub)
    written = draw(st.sampled_from(["", "docker.io/", "index.docker.io/"]))
    return f"{written}{path}{ending}", ImageName(HUB, path if "/" in path else f"library/{path}", version)


@given(names())
def test_a_name_is_read_as_docker_reads_it_and_kept_as_it_is_written(pair):
    text, meant = pair
    name = ImageName.parse(text)
    assert name == meant
    assert str(name) == text
    assert hash(name) == hash(meant)


@given(names())
def test_what_is_composed_denotes_the_same_image(pair):
    _, meant = pair
    assert ImageName.parse(str(meant)) == meant
    assert ImageName.parse(f"{meant.registry}/{meant.path}") == meant
    assert meant.path.endswith(meant.last)
    assert "/" not in meant.last
    pinned = ImageName.parse(str(meant.pinned(DIGEST)))
    assert pinned == replace(meant, version=DIGEST)
    assert pinned.by_digest


@given(names())
def test_the_client_library_takes_it_for_the_same(pair):
    """Its functions split a name for a pull, and find the registry whose credentials a pull needs."""
    text, meant = pair
    repository, version = parse_repository_tag(str(meant))
    assert (repository, version) == (meant.familiar, meant.version)
    if meant.registry.lower() == meant.registry:  # capitals make a host for the daemon alone
        assert resolve_repository_name(meant.familiar)[0] == meant.registry
    repository, tag = parse_repository_tag(text.partition("@")[0])
    assert ImageName.parse(repository).familiar == meant.familiar
    assert meant.by_digest or meant.version == (tag or "latest")


@pytest.mark.parametrize(
    ("written", "shortest"),
    [
        ("python:3.9", "python:3.9"),
        ("docker.io/library/python", "python:latest"),
        ("localhost:5000", "localhost:5000"),
        ("localhost/a", "localhost/a:latest"),
        ("library/a/b:1", "library/a/b:1"),
        ("127.0.0.1:5000/library/a:1", "127.0.0.1:5000/library/a:1"),
        ("ghcr.io/a/b:1@sha256:ab", "ghcr.io/a/b@sha256:ab"),
        # the hub could not be left out: what stands first would be taken for a host
        ("docker.io/a.b/c", "docker.io/a.b/c:latest"),
    ],
)
def test_the_shortest_form(written, shortest):
    assert str(replace(ImageName.parse(written), written="")) == shortest
    assert str(ImageName.parse(written)) == written


@pytest.mark.parametrize("name", ["h:5/a/b:1", "h:5/a/b", "h:5/a/b@sha256:cd"])
def test_a_pinned_name(name):
    assert str(ImageName.parse(name).pinned("sha256:ab")) == "h:5/a/b@sha256:ab"
    assert str(ImageName.parse("a:1").pinned("sha256:ab")) == "a@sha256:ab"


@pytest.mark.parametrize("text", ["not a name", "a@b@c", ":", "/", "a//b", "a:1:2"])
def test_what_is_no_name_stays_as_it_is_written(text):
    assert str(ImageName.parse(text)) == text
