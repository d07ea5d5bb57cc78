"""The process that reads Python files: ``python -m harness.repo.syntax_worker``, pickled sources in, `Syntax` out."""

import pickle
import signal
import sys

from harness.repo.python_syntax import syntax_of


def main() -> None:
    """Answer until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    while True:
        try:
            source = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(syntax_of(source), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
