"""The project's exceptions: one root, a few leaves that callers tell apart."""

INTERRUPTED = 130  # exit status after Ctrl-C


class HarnessError(Exception):
    """Root of every error that this package raises on purpose."""


class InputError(HarnessError):
    """The user's input can't be used: the message says what is wrong, where, and what to do.

    The command line prints the message without a traceback and exits with status 2.
    """


class EngineUnreachable(InputError):
    """No engine of containers answers."""


class InfrastructureError(HarnessError):
    """The machine failed, not the model: Docker, disk, the model server. Worth another try."""


class SandboxError(InfrastructureError):
    """A sandboxed job did not get to its end; ``command`` counts from 0, None before the first began."""

    def __init__(self, message: str, command: int | None = None) -> None:
        super().__init__(message)
        self.command = command


class Stopped(HarnessError):
    """The run is ending: a job was cut short, or not begun. Says nothing of the machine, so it is not tried again."""


class ServerError(InfrastructureError):
    """The model server did not start, or died; the message carries the reason found in its log."""


class PatchError(HarnessError):
    """A patch can't be made or does not apply to the snapshot it is meant for."""
