"""The Docker SDK's connection, with a bound on the one question that it asks without any."""

from typing import Any
from urllib.parse import urlsplit

from docker import APIClient


class BoundedAPIClient(APIClient):
    """An `APIClient` whose pulls end if nothing comes of them for as long as any other answer may take.

    The SDK waits for the events of a pull without a bound: a registry or a daemon that stalls would hold up a run for
    ever.
    """

    def post(self, url: Any, *arguments: Any, **options: Any) -> Any:
        """Post as the SDK does; ``options["timeout"]`` None is the client's own for a pull."""
        if options.get("timeout", self.timeout) is None and urlsplit(str(url)).path.endswith("/images/create"):
            options["timeout"] = self.timeout
        return super().post(url, *arguments, **options)
