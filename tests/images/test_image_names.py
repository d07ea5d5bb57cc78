import pytest

from harness.config.schema import ImagesConfig
from harness.core.image_name import ImageName, parse, pinned
from harness.dataset.versions import published_image
from harness.images.names import built_name, local_names, sources


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("python:3.9", ("docker.io", "library/python", "3.9")),
        ("swebench/a.b", ("docker.io", "swebench/a.b", "latest")),
        ("localhost/a", ("localhost", "a", "latest")),
        ("127.0.0.1:5000/a/b:1", ("127.0.0.1:5000", "a/b", "1")),
        ("ghcr.io/a/b@sha256:ab", ("ghcr.io", "a/b", "sha256:ab")),
        ("ghcr.io/a/b:1@sha256:ab", ("ghcr.io", "a/b", "sha256:ab")),
    ],
)
def test_a_name_has_parts(name, parts):
    assert parse(name) == ImageName(*parts)


@pytest.mark.parametrize("name", ["h:5/a/b:1", "h:5/a/b", "h:5/a/b@sha256:cd"])
def test_a_pinned_name(name):
    assert pinned(name, "sha256:ab") == "h:5/a/b@sha256:ab"
    assert pinned("a:1", "sha256:ab") == "a@sha256:ab"


def test_a_row_has_its_own_name_and_no_other(instance):
    assert local_names(instance) == [built_name("owner__name-1"), published_image("owner__name-1")]
    assert local_names(instance.model_copy(update={"image": "own:1"})) == ["own:1"]


def test_places_in_their_order(instance):
    images = ImagesConfig(mirror="m:1/hub/", registries=("r:2/ns", "ghcr.io/e/{owner}_s_{name}:v1", "q/{instance}"))
    assert sources("swebench/x:2", images, instance) == [
        "m:1/hub/swebench/x:2",
        "swebench/x:2",
        "r:2/ns/x:2",
        "ghcr.io/e/owner_s_name-1:v1",
        "q/owner__name-1",
    ]
    # an image that is of no instance, and one that the hub does not have
    assert sources("python:3.9", images) == ["m:1/hub/library/python:3.9", "python:3.9"]
    assert sources("own:5/x@sha256:ab", images)[0] == "own:5/x@sha256:ab"
