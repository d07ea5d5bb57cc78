"""Asking a registry about an image without pulling it: its size, and how long a refused client is to wait.

The protocol is the OCI distribution specification's; the daemon does the pulling itself.
"""

import hashlib
import math
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from harness.core.image_name import HUB, ImageName
from harness.core.machine_platform import architecture, own_platform
from harness.errors import InfrastructureError, InputError

if TYPE_CHECKING:
    from requests import Response

HUB_HOST = "registry-1.docker.io"
ANSWER_SECONDS = 20.0
LISTS = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
LOCAL = ("localhost", "127.")  # hosts that the daemon speaks plain HTTP with


@dataclass(frozen=True)
class Manifest:
    """What a registry says of an image."""

    layers: Mapping[str, int]  # digest -> bytes as they are sent, compressed

    @property
    def size(self) -> int:
        """Bytes to download if none of the layers is here."""
        return sum(self.layers.values())


@dataclass(frozen=True)
class Configuration:
    """An image of a registry, as an engine would know it."""

    id: str  # content id, "sha256:..."
    manifest: str  # digest that the registry knows it by
    environment: tuple[str, ...]  # "NAME=value"
    platform: str  # "linux/amd64"
    size: int  # bytes of its layers as they are sent, compressed


class Registries:
    """Questions to registries. One for each thread; close it when done."""

    def __init__(self) -> None:
        from requests import Session

        self._session: Session = Session()
        self._tokens: dict[tuple[str, str], str] = {}  # registry, repository -> what it let us in with

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def manifest(self, name: ImageName) -> Manifest:
        """The manifest of an image for this platform.

        Raises InputError if its registry does not hold it or refuses, InfrastructureError if it does not answer.
        """
        return _manifest(self._fitting(name)[1])

    def configuration(self, name: ImageName) -> Configuration:
        """The configuration of an image for this platform. Raises as `manifest` does."""
        manifest, found = self._fitting(name)
        digest = str(found.get("config", {}).get("digest"))
        _, about = self._json(name, digest, "blobs")
        environment = (about.get("config") or {}).get("Env") or ()
        platform = f"{about.get('os')}/{about.get('architecture')}"
        return Configuration(digest, manifest, tuple(environment), platform, _manifest(found).size)

    def _fitting(self, name: ImageName) -> tuple[str, dict[str, Any]]:
        """The manifest for this platform, and its digest."""
        digest, found = self._json(name, name.version)
        if "manifests" not in found:
            return digest, found
        wanted = {"os": "linux", "architecture": architecture()}
        fitting = [m["digest"] for m in found["manifests"] if wanted.items() <= m.get("platform", {}).items()]
        if not fitting:
            raise InputError(f"image {name} is not made for {own_platform()}")
        return self._json(name, fitting[0])

    def wait_asked(self, name: ImageName) -> float:
        """Seconds that the image's registry asks us to wait before we pull it, 0 if it says nothing of that."""
        try:
            answer = self._answer("HEAD", name, name.version)
        except InfrastructureError:
            return 0.0
        if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            return 0.0
        return seconds_asked(answer.headers.get("Retry-After", ""), datetime.now(UTC))

    def _json(self, name: ImageName, version: str, kind: str = "manifests") -> tuple[str, dict[str, Any]]:
        """A document, and its digest."""
        answer = self._answer("GET", name, version, kind)
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise InputError(f"image {name} can't be had: its registry answers {answer.status_code} {answer.reason}")
        if answer.status_code != HTTPStatus.OK:
            raise InfrastructureError(f"image {name}: its registry answers {answer.status_code} {answer.reason}")
        try:
            found: dict[str, Any] = answer.json()
        except ValueError as error:
            raise InfrastructureError(f"image {name}: its registry's answer is not JSON ({error})") from error
        return f"sha256:{hashlib.sha256(answer.content).hexdigest()}", found

    def _answer(self, method: str, name: ImageName, version: str, kind: str = "manifests") -> "Response":
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        host = HUB_HOST if name.registry == HUB else name.registry
        scheme = "http" if host.startswith(LOCAL) else "https"
        url = f"{scheme}://{host}/v2/{name.repository}/{kind}/{version}"
        place = (name.registry, name.repository)
        try:
            answer = self._ask(method, url, place)
            if answer.status_code == HTTPStatus.UNAUTHORIZED and self._authorize(answer, place):
                answer = self._ask(method, url, place)
        except (RequestException, DockerException, ValueError, KeyError) as error:
            raise InfrastructureError(f"image {name}: its registry can't be asked ({error})") from error
        return answer

    def _ask(self, method: str, url: str, place: tuple[str, str]) -> "Response":
        headers = {"Accept": ", ".join((*MANIFESTS, *LISTS))}
        if place in self._tokens:
            headers["Authorization"] = self._tokens[place]
        return self._session.request(method, url, headers=headers, timeout=ANSWER_SECONDS)

    def _authorize(self, refused: "Response", place: tuple[str, str]) -> bool:
        """Get what the registry's challenge asks for, with the credentials that `docker login` left, if any."""
        kind, _, rest = refused.headers.get("WWW-Authenticate", "").partition(" ")
        user = credentials(place[0])
        if kind.lower() == "basic" and user:
            self._tokens[place] = f"Basic {b64encode(':'.join(user).encode()).decode('ascii')}"
            return True
        if kind.lower() != "bearer":
            return False
        given = dict(CHALLENGE.findall(rest))
        asked = {"service": given.get("service", ""), "scope": f"repository:{place[1]}:pull"}
        answer = self._session.get(given["realm"], params=asked, auth=user, timeout=ANSWER_SECONDS)
        if answer.status_code != HTTPStatus.OK:
            return False
        found = answer.json()
        self._tokens[place] = f"Bearer {found.get('token') or found['access_token']}"
        return True


def _manifest(found: Mapping[str, Any]) -> Manifest:
    return Manifest({layer["digest"]: int(layer["size"]) for layer in found.get("layers", ())})


def credentials(registry: str) -> tuple[str, str] | None:
    """User and password that Docker's own configuration, or the helper that it names, keeps for a registry.

    Raises DockerException if the helper fails.
    """
    from docker.auth import load_config

    # what a helper returns has its keys in other letters than what the file itself holds
    found = {key.lower(): value for key, value in (load_config().resolve_authconfig(registry) or {}).items()}
    return (found["username"], found["password"]) if found.get("username") else None


def seconds_asked(header: str, now: datetime) -> float:
    """Seconds that a ``Retry-After`` header asks for (a number, or a date), 0 if it can't be read."""
    try:
        seconds = float(header) if header.strip().isdigit() else (parsedate_to_datetime(header) - now).total_seconds()
    except (ValueError, TypeError):
        return 0.0
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0
