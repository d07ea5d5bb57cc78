import pytest

from harness.config.schema import ImagesConfig
from harness.core.image_name import ImageName
from harness.dataset.versions import is_published, published_image
from harness.images.names import built_name, local_names, sources


def test_a_row_has_its_own_name_and_no_other(instance):
    assert local_names(instance) == [built_name("owner__name-1"), published_image("owner__name-1")]
    assert [str(name) for name in local_names(instance.model_copy(update={"image": "docker.io/own"}))] == [
        "docker.io/own"
    ]


def test_places_in_their_order(instance):
    images = ImagesConfig(mirror="m:1/hub/", registries=("r:2/ns", "ghcr.io/e/{owner}_s_{name}:v1", "q/{instance}"))
    assert [str(place) for place in sources(ImageName.parse("swebench/x:2"), images, instance)] == [
        "m:1/hub/swebench/x:2",
        "swebench/x:2",
        "r:2/ns/x:2",
        "ghcr.io/e/owner_s_name-1:v1",
        "q/owner__name-1",
    ]
    # an image that is of no instance, and one that the hub does not have
    python = ImageName.parse("python:3.9")
    assert [str(place) for place in sources(python, images)] == ["m:1/hub/library/python:3.9", "python:3.9"]
    own = ImageName.parse("own:5/x@sha256:ab")
    assert [str(place) for place in sources(own, images, instance)][:2] == ["own:5/x@sha256:ab", "r:2/ns/x@sha256:ab"]


def test_a_place_that_is_written_in_two_ways_is_asked_once(instance):
    images = ImagesConfig(registries=("docker.io/swebench", "index.docker.io/swebench"))
    assert [str(place) for place in sources(ImageName.parse("swebench/x"), images, instance)] == ["swebench/x"]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (str(published_image("owner__name-1")), True),
        ("ghcr.io/swebench/sweb.eval.x86_64.owner_1776_name-1:latest", False),
        (str(built_name("owner__name-1")), False),
        ("sha256:0123", False),
    ],
)
def test_names_that_the_benchmark_publishes(name, is_one):
    assert is_published(ImageName.parse(name)) == is_one
