"""The command `harness`: an interrupt is heeded from the first moment on, while the command line is still loaded."""

import os

from harness.errors import INTERRUPTED


def _leave(*_: object) -> None:
    """End at once: there is nothing to clean up, and an exception could be swallowed by whatever is being loaded."""
    os.write(2, b"harness: interrupted\n")
    os._exit(INTERRUPTED)


def main() -> None:
    """Load the command line and run it. Until it is loaded, Ctrl-C ends the process with one line and status 130."""
    try:
        import signal

        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a script's background job ignores it
            signal.signal(signal.SIGINT, _leave)
        from harness.cli import main as run
    except KeyboardInterrupt:  # before it was set
        _leave()
    run()


if __name__ == "__main__":
    main()
