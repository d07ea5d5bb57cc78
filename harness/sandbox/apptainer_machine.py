"""What Apptainer finds on this machine: whom its containers run as, what limits them, where images and jobs lie."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

from harness.common.paths import cache_folder
from harness.core.machine_platform import own_platform
from harness.errors import InputError
from harness.sandbox.control_group import can_make_groups
from harness.sandbox.enforced import Enforced
from harness.sandbox.image_folders import PROGRAM, ImageFolders

SANDBOX_USER = "harness-sandbox"  # whom a root's containers run as


class ThisMachine:
    """This machine, as an engine would tell of its own."""

    def info(self) -> dict[str, Any]:
        about = os.uname()
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return {
            "NCPU": os.cpu_count(),
            "MemTotal": memory,
            "KernelVersion": about.release,
            "Architecture": about.machine,
        }


def enforced_by_apptainer() -> Enforced:
    """What Apptainer enforces on this machine. Raises InputError if it can't run here safely, saying why."""
    missing = [name for name in (PROGRAM, "setpriv", "prlimit", "unshare") if shutil.which(name) is None]
    if missing:
        raise InputError(f"sandbox apptainer: {', '.join(missing)} is not on this machine's PATH")
    if os.getuid() == 0 and sandbox_user() is None:
        raise InputError(
            f"sandbox apptainer: root's containers could write to the kernel's settings; run as another user, or make "
            f"one whom they run as (useradd --system {SANDBOX_USER})"
        )
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False)
    groups = can_make_groups()
    return Enforced(
        kind="apptainer",
        version=said.stdout.strip().rpartition(" ")[2],
        platform=own_platform(),
        rootless=os.getuid() != 0,
        memory=groups,
        swap=groups,
        processes=groups,
        cpus=groups,
        system_calls=True,
        disk=False,
        watched_files=os.getuid() == 0,
    )


def image_folders() -> ImageFolders:
    """The unpacked images of this machine: where HARNESS_APPTAINER says, else where containers' users can read."""
    user = sandbox_user()
    usual = Path("/var/lib/harness") if os.getuid() == 0 else cache_folder()
    folder = Path(os.environ.get("HARNESS_APPTAINER") or usual / PROGRAM)
    return ImageFolders(folder, f"{user.pw_uid}:{user.pw_gid}" if user else "")


def jobs_folder() -> Path:
    """Where jobs have their files: on a disk of this machine, as overlays need."""
    return Path("/var/tmp") / f"harness-jobs-{os.getuid()}"


def sandbox_user() -> pwd.struct_passwd | None:
    """Whom containers run as if this process is root's; None if they run as its own user, or there is nobody."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(SANDBOX_USER)
    except KeyError:
        return None
