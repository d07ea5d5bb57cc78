from types import SimpleNamespace

import pytest
from doubles import ScriptedSandbox

from harness.common.run_folder import RunFolder
from harness.config.schema import EvaluationConfig
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.core.interfaces import CommandResult
from harness.grading import executor
from harness.grading.executor import default_workers
from harness.grading.session import evaluation_session
from harness.grading.specification import END_MARKER, START_MARKER
from harness.images.supply import LocalImage

HERE = LocalImage(ImageName.parse("image"), "sha256:1")


class Machine(ScriptedSandbox):
    """One machine, its image and its sandbox, whose jobs all fail in their first command."""

    def __init__(self, *not_enforced: str) -> None:
        super().__init__(CommandResult(1, b"", 0.1))
        self.not_enforced = not_enforced
        self.containers = self.turns = ()
        self.images = SimpleNamespace(
            on_demand=False, find=lambda _: HERE, obtain=lambda _: HERE, settle=lambda: None, close=lambda: None
        )

    def sandbox(self, turns: int) -> "Machine":
        return self

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None: ...

    def reap(self) -> int:
        return 0

    def stop(self) -> None: ...


def test_a_verdict_without_a_limit_is_not_taken_for_one_with_it(tmp_path, row) -> None:
    script = f"{START_MARKER}\n{END_MARKER}"
    instance = Instance.model_validate(row(image="image", eval_script=script, log_parser="parse_log_pytest"))
    keys = []
    for machine, runs in ((Machine(), 1), (Machine("memory"), 1), (Machine(), 0), (Machine("memory"), 0)):
        with (
            RunFolder(tmp_path / "run") as folder,
            evaluation_session([instance], EvaluationConfig(workers=1), folder, machine) as session,
        ):
            verdict = session.submit(instance, "a patch").result()
        assert (len(machine.jobs), verdict.known) == (runs, not runs)
        keys.append(verdict.key)
    assert keys[0] == keys[2] != keys[1] == keys[3]


@pytest.mark.parametrize(
    ("cpus", "load", "free_gib", "expected"),
    [(16, 0.0, 1000, 16), (16, 6.0, 1000, 10), (16, 40.0, 1000, 8), (16, 0.0, 25, 5), (1, 3.0, 1, 1)],
)
def test_workers_follow_free_cpus_and_memory(monkeypatch, cpus, load, free_gib, expected) -> None:
    monkeypatch.setattr(executor.os, "cpu_count", lambda: cpus)
    monkeypatch.setattr(executor.os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(executor, "_free_memory", lambda: free_gib << 30)
    assert default_workers(EvaluationConfig(memory=4096)) == expected


def test_free_memory_is_less_than_all_of_it() -> None:
    assert 0 < executor._free_memory() <= executor.os.sysconf("SC_PAGE_SIZE") * executor.os.sysconf("SC_PHYS_PAGES")
