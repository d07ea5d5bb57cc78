"""Pulling images: from several places in turn, rate-limited, tried again, checked against their pins.

What is done is what is here, and no state is kept beside it: whoever was cut off goes on with the images that are
missing. The daemon (seen: 20.10) drops the layers of an image whose pull ended early, but for those of other images.
"""

import logging
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from harness.common.docker_client import translated
from harness.common.retry import retried
from harness.config.schema import ImagesConfig
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.errors import HarnessError, InfrastructureError, InputError
from harness.images.names import sources
from harness.images.pull_progress import OnAmount, Transfer
from harness.images.rate_limit import Gate
from harness.images.registry import Registries

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

log = logging.getLogger(__name__)

# of a registry that answered: it does not know the name, or does not let us have it
REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
REFUSED = (
    "unauthorized",
    "no basic auth credentials",
    "denied",
    "manifest unknown",
    "no matching manifest",
    "unsupported manifest",
)
TOO_MANY = ("toomanyrequests", "too many requests", "rate limit")
LONGEST_WAIT = 900.0  # seconds that a registry may ask for before we give up on it
UNASKED_WAIT = 10.0  # seconds of pause if it refuses for too many requests and does not say for how long


class Puller:
    """Pulls images with one client. Safe for threads."""

    def __init__(self, client: "DockerClient", images: ImagesConfig | None = None) -> None:
        """``images`` says where from and how fast; a name's own registry alone if not given."""
        self._client = client
        self._images = images or ImagesConfig()
        self._gates: dict[str, Gate] = {}
        self._silent: set[str] = set()  # registries that did not answer when asked again and again
        self._closed = False

    def close(self) -> None:
        """End the pulls that run or wait, soon, with CancelledError."""
        self._closed = True
        for gate in list(self._gates.values()):
            gate.close()

    def pull(
        self, name: ImageName, instance: Instance | None = None, on_amount: OnAmount = lambda _: None
    ) -> ImageName:
        """Pull the image ``name`` from the first place that has it, which is given back; it is here as ``name`` then.

        A name by digest (``@sha256:...``) can't be given to an image: from elsewhere it is here as that place calls it.
        Raises InputError when no place holds the image, lets us have it or holds what the instance's pin names,
        InfrastructureError when a registry did not answer.
        """
        pin = self._images.pins.get(instance.instance_id) if instance else None
        transfer = Transfer(on_amount)
        problems: list[HarnessError] = []
        for source in self._places(name, instance):
            try:
                self._pull_from(source, name, pin, transfer)
                return source
            except HarnessError as error:
                problems.append(error)
        said = " | ".join(map(str, problems))
        if all(isinstance(problem, InputError) for problem in problems):
            raise InputError(f"{said}; check its name, or `docker login` first")
        raise InfrastructureError(
            f"{said}; where no registry answers, build it with `harness images build` or load it with `docker load`"
        )

    def _places(self, name: ImageName, instance: Instance | None) -> list[ImageName]:
        """Where to pull from, without registries that did not answer before, as long as there are others."""
        places = sources(name, self._images, instance)
        return [place for place in places if place.registry not in self._silent] or places

    def _pull_from(self, source: ImageName, name: ImageName, pin: str | None, transfer: Transfer) -> None:
        image = self._insisted(source, pin, transfer)
        if (source != name or pin) and not name.by_digest:
            self._name(image, name)

    def _name(self, image: "Image", name: ImageName) -> None:
        with translated(f"naming image {name}"):
            image.tag(name.familiar, name.version)

    def _insisted(self, source: ImageName, pin: str | None, transfer: Transfer) -> "Image":
        """The image of one place, asked for again while its registry fails."""
        ask = partial(self._pinned, source, pin, transfer) if pin else partial(self._fetched, source, transfer)
        try:
            image = retried(str(source), ask)
            self._silent.discard(source.registry)
            return image
        except InfrastructureError:
            self._silent.add(source.registry)
            raise

    def _pinned(self, source: ImageName, pin: str, transfer: Transfer) -> "Image":
        """The image under the pin: a registry's digest, or an image's content id. Raises InputError on any other."""
        by_digest = source.pinned(pin)
        unanswered = None
        try:
            self._attempt(by_digest, transfer)
            return self._arrived(by_digest)
        except HarnessError as error:
            # a content id is no digest that can be asked for, and some registries answer that as if they had failed
            log.info("%s; asking for its tag", error)
            unanswered = error if isinstance(error, InfrastructureError) else None
        had = find(self._client, str(source))
        image = self._fetched(source, transfer)
        if matches(image, pin):
            return image
        if had is None or had.id != image.id:
            with translated(f"taking back the name {source}"):
                self._client.images.remove(str(source))
            if had:
                self._name(had, source)
        said = f"image {source} is {image.id} ({', '.join(map(str, digests(image)))}), not {pin} as pinned"
        if unanswered:  # the tag may have moved since, and the pinned image still be there
            raise InfrastructureError(f"{said}, and asking for that one failed: {unanswered}")
        raise InputError(said)

    def _fetched(self, source: ImageName, transfer: Transfer) -> "Image":
        self._attempt(source, transfer)
        return self._arrived(source)

    def _arrived(self, source: ImageName) -> "Image":
        image = find(self._client, str(source))
        if image is None:
            raise InfrastructureError(f"image {source} is gone again after its pull")
        return image

    def _attempt(self, source: ImageName, transfer: Transfer) -> None:
        from docker.errors import APIError

        gate = self._gates.setdefault(source.registry, Gate(self._images.pulls, self._images.pulls_per_hour))
        if self._closed:
            gate.close()
        with gate.turn(), translated(f"image {source} can't be pulled"):
            try:
                for event in self._client.api.pull(source.familiar, source.version, stream=True, decode=True):
                    gate.check()
                    if "error" in event:
                        raise self._failure(source, event["error"], gate)
                    transfer.event(event)
            except APIError as error:
                raise self._failure(source, str(error.explanation), gate, error.status_code) from error

    def _failure(self, source: ImageName, said: str, gate: Gate, status: int | None = None) -> HarnessError:
        """What the daemon's words mean: some failures it passes on under no status of their own."""
        message, words = f"image {source} can't be pulled: {said}", said.lower()
        if any(sign in words for sign in TOO_MANY):
            registries = Registries()
            seconds = registries.wait_asked(source) or UNASKED_WAIT
            registries.close()
            if seconds > LONGEST_WAIT:
                return InputError(f"{message}; its registry asks to wait {seconds / 60:.0f} minutes: try again then")
            gate.hold(seconds)
            return InfrastructureError(f"{message} (waiting {seconds:.0f} s for its registry)")
        if status in REFUSALS or any(sign in words for sign in REFUSED):
            return InputError(message)
        return InfrastructureError(message)


def find(client: "DockerClient", name: str) -> "Image | None":
    """The local image of that name or content id, None if there is none."""
    from docker.errors import ImageNotFound

    with translated(f"looking for image {name}"):
        try:
            return client.images.get(name)
        except ImageNotFound:
            return None


def platform_of(image: "Image") -> str:
    """The platform that an image is made for: ``linux/amd64``."""
    return f"{image.attrs['Os']}/{image.attrs['Architecture']}"


def digests(image: "Image") -> list[ImageName]:
    """Names by digest under which registries know a local image: empty if it came from none."""
    return [ImageName.parse(known) for known in image.attrs.get("RepoDigests") or ()]


def matches(image: "Image", pin: str) -> bool:
    """Whether a pin means this image: by its content id, or by a registry's digest."""
    return image.id == pin or any(known.version == pin for known in digests(image))
