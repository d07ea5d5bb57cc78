"""Runs a command and writes what it took as JSON: python measured.py FILE COMMAND...

A process inherits the peak memory of the one that starts it. This one imports little, so that what is read is the
command's own.
"""

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Run the command with this process's streams; end with its exit status."""
    _, report, *command = sys.argv
    began = time.monotonic()
    _, status, used = os.wait4(os.spawnvp(os.P_NOWAIT, command[0], command), 0)
    took = {
        "seconds": time.monotonic() - began,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss / 1024,
        "status": os.waitstatus_to_exitcode(status),
    }
    Path(report).write_text(json.dumps(took), encoding="ascii")
    sys.exit(took["status"])


if __name__ == "__main__":
    main()
