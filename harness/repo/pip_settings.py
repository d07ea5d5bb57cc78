"""Where this machine gets Python packages: what pip's environment and configuration say."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class IndexSettings:
    """The package index as pip would use it."""

    url: str | None  # None: the default of whichever library asks
    extra_urls: tuple[str, ...]
    trusted_hosts: tuple[str, ...]
    certificates: Path | None  # bundle of authorities, None: the library's own


def read_settings() -> IndexSettings:
    """The settings of this machine: pip's variables first, then its configuration files."""
    bundles = (_pip_option("cert"), *(os.environ.get(name) for name in BUNDLE_VARIABLES), str(SYSTEM_BUNDLE))
    return IndexSettings(
        url=_pip_option("index-url"),
        extra_urls=tuple((_pip_option("extra-index-url") or "").split()),
        trusted_hosts=tuple((_pip_option("trusted-host") or "").split()),
        certificates=next((Path(bundle) for bundle in bundles if bundle and Path(bundle).is_file()), None),
    )


def _pip_option(name: str) -> str | None:
    if value := os.environ.get(f"PIP_{name.upper().replace('-', '_')}"):
        return value
    # pip ends with a message and status 1 for a key that is not set, and is not there at all in some environments
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", f"global.{name}"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or None
