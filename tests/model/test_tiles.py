import ctypes
import platform
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from harness.model.tiles import ARCH_PRCTL, XFEATURE_XTILEDATA, permit_tiles

ARCH_GET_XCOMP_PERM = 0x1022


def permitted() -> bool:
    """Whether this process may use tiles."""
    features = ctypes.c_uint64()
    ctypes.CDLL(None).syscall(ARCH_PRCTL, ARCH_GET_XCOMP_PERM, ctypes.byref(features))
    return bool(features.value >> XFEATURE_XTILEDATA & 1)


def test_vllm_finds_it_among_its_plugins() -> None:
    [plugin] = [one for one in entry_points(group="vllm.general_plugins") if one.name == "harness_tiles"]
    assert plugin.load() is permit_tiles


@pytest.mark.skipif(
    platform.machine() != "x86_64" or " amx_tile " not in Path("/proc/cpuinfo").read_text(),
    reason="this processor has no tiles",
)
def test_a_process_may_use_tiles_afterwards() -> None:
    script = "from test_tiles import permitted, permit_tiles; print(permitted(), permit_tiles(), permitted())"
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "None", "True"], done.stderr
