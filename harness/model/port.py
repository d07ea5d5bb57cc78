"""A port of this machine for one server, kept for it until it listens and as long as it runs."""

import socket
from typing import Self

from harness.errors import InputError

LOOPBACK = "127.0.0.1"


class HeldPort:
    """A port that no other process is given.

    It is bound, and never listened on. vLLM binds the same port beside it, since both sockets have SO_REUSEADDR and
    only one listens; the kernel gives a bound port to nobody who asks for any free one (Linux, socket(7)).
    """

    def __init__(self, wanted: int, address: str = LOOPBACK) -> None:
        """Hold the port ``wanted`` of an ``address`` of ours; 0 is any free one. Raises InputError if it is taken."""
        self._socket = socket.socket()
        # as vLLM binds it: a port in TIME_WAIT is free
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((address, wanted))
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise InputError(
                f"serving.port {wanted} can't be used ({getattr(error, 'strerror', None) or error}); "
                "stop what listens there or choose another, 0 for any free one"
            ) from error
        self.number = int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()
