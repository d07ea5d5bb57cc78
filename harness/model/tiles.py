"""The kernel's permission to use a processor's matrix tiles (AMX), for every process of a vLLM server.

vLLM's CPU build uses tiles if the processor has them, and leaves it to other libraries to ask for them. On some
processors none of these does, and the worker dies of an illegal instruction at its first generation. vLLM loads this
module as one of its general plug-ins, in each process. Linux documents the call in Documentation/arch/x86/xstate.rst.
"""

import ctypes
import platform
import sys

ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA = 158, 0x1023, 18


def permit_tiles() -> None:
    """Ask for the permission. A kernel or a processor without tiles refuses it, which changes nothing."""
    if sys.platform == "linux" and platform.machine() == "x86_64":
        ctypes.CDLL(None).syscall(ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)
