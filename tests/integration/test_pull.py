"""Pulling through a real daemon from a real registry, with faults between the two."""

import time
from http import HTTPStatus

import pytest
from registry import FaultyProxy, failing, noise, times

from harness.common import retry
from harness.config.schema import EvaluationConfig, ImagesConfig
from harness.core.image_name import ImageName
from harness.dataset.versions import published_image
from harness.errors import InfrastructureError, InputError
from harness.images.provider import ImageProvider
from harness.images.pull import Puller, digests, find
from harness.images.pull_progress import Amount
from harness.images.registry import Registries

pytestmark = pytest.mark.docker
KIB = 1 << 10


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Tries without pauses of ours."""
    monkeypatch.setattr(retry, "RETRY_SECONDS", (0.0, 0.0, 0.0))


@pytest.fixture
def wanted(instance):
    """Makes instances of test images."""

    def make(number: int, **columns):
        return instance.model_copy(update={"instance_id": f"harness-Test__pull-{number}", **columns})

    return make


@pytest.fixture(autouse=True)
def official_names_removed(docker_client):
    yield
    for image in docker_client.images.list():
        for tag in image.tags:
            if "harness-test_1776_pull" in tag:
                docker_client.images.remove(tag)


def supply(client, **images) -> ImageProvider:
    return ImageProvider(client, EvaluationConfig(pull=True, images=ImagesConfig(**images)))


def test_a_mirror_gives_the_official_image_its_name(docker_client, registry, proxy, wanted):
    instance = wanted(1)
    official = published_image(instance.instance_id)
    digest = registry.push(docker_client, str(official), [noise(9 * KIB)])
    came = []
    image = supply(docker_client, mirror=proxy.address).obtain(instance, came.append)
    assert image.name == official
    here = digests(find(docker_client, str(official)))
    assert [str(known) for known in here] == [f"{proxy.address}/{official.familiar}@{digest}"]
    assert (sum(amount.layers_done for amount in came), sum(amount.layers for amount in came)) == (1, 1)
    proxy.asked.clear()
    assert supply(docker_client, mirror=proxy.address).obtain(instance) == image
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("registries", "path"), [("{proxy}/other", "other/own:2"), ("{proxy}/x/{{owner}}_s_{{name}}:3", None)]
)
def test_other_registries_have_what_the_first_does_not(docker_client, registry, proxy, wanted, registries, path):
    instance = wanted(2, image=f"{registry.address}/none/own:2")
    registry.push(docker_client, path or "x/harness-test_s_pull-2:3", [noise(KIB)])
    asked = [f"{proxy.address}/nothing", registries.format(proxy=proxy.address)]
    image = supply(docker_client, registries=asked).obtain(instance)
    assert str(image.name) == instance.image
    docker_client.images.remove(instance.image)


def test_no_registry_holds_it(docker_client, registry, proxy, wanted):
    instance = wanted(3, image=f"{registry.address}/none/own:3")
    with pytest.raises(InputError, match=r"none/own:3 can't be pulled.*unknown.* \| image .*/other/own:3 can't"):
        supply(docker_client, registries=[f"{proxy.address}/other"]).obtain(instance)


def test_pins_by_digest_and_by_content(docker_client, registry, proxy, wanted):
    name = f"{proxy.address}/ns/pinned:1"
    instance = wanted(4, image=name)
    digest = registry.push(docker_client, "ns/pinned:1", [noise(KIB)])
    registry.push(docker_client, "ns/pinned:1", [noise(KIB)])
    newest = supply(docker_client).obtain(instance)
    # the tag has moved on; the pin still means what it meant
    image = supply(docker_client, pins={instance.instance_id: digest}).obtain(instance)
    assert str(image.name) == name
    assert image.name.pinned(digest) in digests(find(docker_client, name))
    assert image.digest != newest.digest
    assert supply(docker_client, pins={instance.instance_id: newest.digest}).obtain(instance).digest == newest.digest


def test_a_pin_that_nothing_holds_is_refused(docker_client, registry, proxy, wanted):
    instance = wanted(5, image=f"{proxy.address}/ns/moved:1")
    registry.push(docker_client, "ns/moved:1", [noise(KIB)])
    pins = {instance.instance_id: "sha256:" + "0" * 64}
    with pytest.raises(InputError, match=r"ns/moved:1 is sha256:.*, not sha256:0{64} as pinned"):
        supply(docker_client, pins=pins).obtain(instance)
    assert find(docker_client, instance.image) is None
    with pytest.raises(InputError, match=r"no image on this machine \(.*/ns/moved:1 as sha256:0{64}\)"):
        ImageProvider(docker_client, EvaluationConfig(images=ImagesConfig(pins=pins))).obtain(instance)


def test_a_pin_outlives_a_passing_fault_after_its_tag_has_moved(docker_client, registry, proxy, wanted):
    """Bug: one 500 for the pinned digest, and what the tag names by now was refused as not the pinned one."""
    instance = wanted(11, image=f"{proxy.address}/ns/fault:1")
    digest = registry.push(docker_client, "ns/fault:1", [noise(KIB)])
    registry.push(docker_client, "ns/fault:1", [noise(KIB)])
    proxy.rule = times(1, failing("/manifests/sha256:", HTTPStatus.INTERNAL_SERVER_ERROR))
    image = supply(docker_client, pins={instance.instance_id: digest}).obtain(instance)
    assert image.name.pinned(digest) in digests(find(docker_client, instance.image))
    assert [line for line in proxy.asked if digest in line][1:]


def test_a_refused_pull_leaves_the_name_with_the_image_that_had_it(docker_client, registry, proxy, wanted):
    instance = wanted(12, image=f"{proxy.address}/ns/kept:1")
    registry.push(docker_client, "ns/kept:1", [noise(KIB)])
    had = supply(docker_client).obtain(instance)
    registry.push(docker_client, "ns/kept:1", [noise(KIB)])
    with pytest.raises(InputError, match="as pinned"):
        supply(docker_client, pins={instance.instance_id: "sha256:" + "0" * 64}).obtain(instance)
    assert find(docker_client, instance.image).id == had.digest


def pulled(client, registry, proxy: FaultyProxy, path: str, **images) -> float:
    """Seconds that pulling a new image through the proxy takes."""
    registry.push(client, path, [noise(KIB)])
    began = time.monotonic()
    assert Puller(client, ImagesConfig(**images)).pull(ImageName.parse(f"{proxy.address}/{path}"))
    assert find(client, f"{proxy.address}/{path}")
    return time.monotonic() - began


def test_a_registry_that_asks_to_wait_is_waited_for(docker_client, registry, proxy):
    refuse = failing("/manifests/", HTTPStatus.TOO_MANY_REQUESTS, Retry_After="2")
    refused: list[float] = []

    def rule(request) -> bool:
        if refused and time.monotonic() > refused[0] + 1.5:
            return False
        if not refuse(request):
            return False
        refused.append(time.monotonic())
        return True

    proxy.rule = rule
    pulled(docker_client, registry, proxy, "ns/busy:1")
    assert time.monotonic() >= refused[0] + 2.0
    # the daemon asked in vain, we asked for how long, and nobody asked again before it was over
    assert sum("/manifests/1" in line for line in proxy.asked) <= 5


def test_a_registry_that_asks_for_hours_is_not(docker_client, registry, proxy):
    proxy.rule = failing("/manifests/", HTTPStatus.TOO_MANY_REQUESTS, Retry_After="7200")
    with pytest.raises(InputError, match="asks to wait 120 minutes"):
        pulled(docker_client, registry, proxy, "ns/full:1")


@pytest.mark.parametrize(
    "rule",
    [
        failing("/manifests/", HTTPStatus.INTERNAL_SERVER_ERROR),
        failing("/blobs/", HTTPStatus.TOO_MANY_REQUESTS, Retry_After="0"),
        lambda request: request.hang_up(),
    ],
    ids=["500", "429 in the middle", "broken off"],
)
def test_what_fails_twice_is_tried_again(docker_client, registry, proxy, rule, monkeypatch):
    monkeypatch.setattr("harness.images.pull.UNASKED_WAIT", 0.0)
    proxy.rule = times(2, rule)
    pulled(docker_client, registry, proxy, "ns/shaky:1")


def test_an_error_in_the_middle_is_no_image(docker_client, registry, proxy):
    """The SDK's own ``images.pull`` passes over errors that come when the answer has begun."""
    proxy.rule = failing("/blobs/", HTTPStatus.NOT_FOUND)
    with pytest.raises(InfrastructureError, match=r"ns/torn:1 can't be pulled: .*unknown blob"):
        pulled(docker_client, registry, proxy, "ns/torn:1")


def test_an_unanswering_mirror_is_asked_once(docker_client, registry, proxy):
    name = ImageName.parse(f"{proxy.address}/ns/only:1")
    registry.push(docker_client, "ns/only:1", [noise(KIB)])
    puller = Puller(docker_client)
    proxy.rule = lambda request: request.hang_up()
    with pytest.raises(InfrastructureError, match="no registry answers"):
        puller.pull(name)
    proxy.rule = None
    assert puller.pull(name) == name


def test_no_more_pulls_at_a_time_than_allowed(docker_client, registry, proxy):
    """Two in an hour: the third would wait, so the gate is asked for how long instead of waiting."""
    puller = Puller(docker_client, ImagesConfig(pulls_per_hour=2))
    for number in (1, 2):
        registry.push(docker_client, f"ns/many{number}:1", [noise(KIB)])
        puller.pull(ImageName.parse(f"{proxy.address}/ns/many{number}:1"))
    assert 3500 < puller._gates[proxy.address].wait_now() <= 3600


def test_a_manifest_tells_the_size(docker_client, registry):
    layers = [noise(70 * KIB), noise(30 * KIB)]
    registry.push(docker_client, "ns/sized:1", layers)
    registries = Registries()
    manifest = registries.manifest(ImageName.parse(f"{registry.address}/ns/sized:1"))
    assert len(manifest.layers) == 2
    assert 100 * KIB < manifest.size < 102 * KIB
    with pytest.raises(InputError, match="404"):
        registries.manifest(ImageName.parse(f"{registry.address}/ns/unknown:1"))
    with pytest.raises(InfrastructureError, match="can't be asked"):
        registries.manifest(ImageName.parse("127.0.0.1:9/ns/sized:1"))
    registries.close()


def test_amounts_add_up(docker_client, registry, proxy):
    registry.push(docker_client, "ns/amounts:1", [noise(300 * KIB), noise(200 * KIB)])
    came: list[Amount] = []
    Puller(docker_client).pull(ImageName.parse(f"{proxy.address}/ns/amounts:1"), on_amount=came.append)
    assert sum(a.layers for a in came) == sum(a.layers_done for a in came) == 2
    # the daemon may pass over the progress of a small layer, and its size with that
    assert sum(a.bytes_done for a in came) == sum(a.bytes for a in came) <= 501 * KIB
