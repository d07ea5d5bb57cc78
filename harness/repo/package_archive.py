"""Source packages: fetched from the package index, checked, unpacked."""

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.common.files import put_in_place
from harness.errors import InfrastructureError
from harness.repo.pip_settings import read_settings

if TYPE_CHECKING:
    from unearth import PackageFinder

_UNPACKING = threading.Lock()  # one at a time: the umask is the whole process's


def fetch_package(package: str, filename: str, sha256: str, size: int, cache: Path) -> Path:
    """A source package, from ``<cache>/sdists`` or from the package index that pip is set up to use.

    ``size`` is in bytes. Raises InfrastructureError if the index does not have the file, or not this one.
    """
    path = cache / "sdists" / filename
    if path.is_file() and _is(path, sha256, size):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fetched = _download(package, filename, Path(folder))
        if not _is(fetched, sha256, size):
            raise InfrastructureError(
                f"{filename}: the package index gave a file of {fetched.stat().st_size} bytes, "
                f"not the one of {size} bytes with sha256 {sha256}"
            )
        put_in_place(fetched, path)
    return path


def _is(path: Path, sha256: str, size: int) -> bool:
    with path.open("rb") as file:
        return path.stat().st_size == size and hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _download(package: str, filename: str, folder: Path) -> Path:
    from unearth.errors import UnpackError
    from unearth.preparer import HTTPErrors

    try:
        with _finder() as finder:
            found = finder.find_all_packages(package, allow_yanked=True)
            link = next((candidate.link for candidate in found if candidate.link.filename == filename), None)
            if link is None:
                raise InfrastructureError(
                    f"{filename}: the package index does not answer or does not hold it; "
                    "set PIP_INDEX_URL to one that does, or put the file into the cache folder's sdists/"
                )
            fetched = Path(finder.download(link, folder))
    except (UnpackError, OSError, *HTTPErrors) as error:
        raise InfrastructureError(f"{filename}: can't be fetched from the package index: {error}") from error
    # of an index in a folder this is the index's own file
    return fetched if fetched.parent == folder else Path(shutil.copy(fetched, folder))


@contextmanager
def _finder() -> Iterator["PackageFinder"]:
    import ssl

    from unearth import PackageFinder
    from unearth.fetchers import PyPIClient

    settings = read_settings()
    trust = ssl.create_default_context(cafile=str(settings.certificates)) if settings.certificates else True
    with PyPIClient(verify=trust, trusted_hosts=settings.trusted_hosts) as session:
        index_urls = [settings.url] if settings.url else []  # the library's own default if there is none
        finder = PackageFinder(session, index_urls=index_urls, ignore_compatibility=True, no_binary=[":all:"])
        for url in settings.extra_urls:
            finder.add_index_url(url)
        yield finder


@contextmanager
def _umask_kept() -> Iterator[None]:
    """The library sets the process's umask to 0 if an archive holds executables, and leaves it so."""
    with _UNPACKING:
        mask = os.umask(0)
        os.umask(mask)
        try:
            yield
        finally:
            os.umask(mask)


def unpack_package(archive: Path, folder: Path) -> None:
    """Unpack a source package into ``folder``, without its one outer folder.

    Nothing is written outside ``folder``. Raises InfrastructureError for an archive that tries to, or is broken.
    """
    import tarfile
    import zipfile

    from unearth.errors import UnpackError
    from unearth.preparer import unpack_archive

    try:
        with _umask_kept():
            unpack_archive(archive, folder)
    except (UnpackError, tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise InfrastructureError(f"{archive}: can't be unpacked: {error}") from error
