"""A run's own journal stands for its model: the same candidates again, and a typed reason for what it lacks."""

import subprocess
import sys

import pytest
from fake_openai import FakeOpenAI, completion

from harness.common.journal import Journal
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.candidate import Reason
from harness.core.interfaces import Drawing, Sampling
from harness.core.location import Location
from harness.model.client import open_model
from harness.model.prompts import Prompts
from harness.repair.sample import repair
from harness.repo.memory_snapshot import MemorySnapshot

FIX = "a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n"
LOCATIONS = [[Location("a.py")], [Location("b.py")]]
SNAPSHOT = MemorySnapshot({"a.py": b"x = 1\n", "b.py": b"y = 1\n"})


@pytest.fixture
def candidates(instance, tmp_path):
    """Called with a checkpoint and how to draw: its candidates."""

    async def draw(checkpoint: CheckpointConfig, drawing: Drawing, prompts: str = "compact"):
        with Journal(tmp_path / f"{checkpoint.name}.jsonl") as journal:
            async with open_model(checkpoint, ServingConfig(), 4, tmp_path, journal) as model:
                about = model.about(instance.instance_id)
                return await repair(about, Prompts(prompts), drawing, instance, SNAPSHOT, LOCATIONS)

    return draw


async def test_a_journal_gives_the_same_candidates_and_names_what_it_lacks(candidates, tmp_path):
    drawing = Drawing(Sampling(max_tokens=20), 2, greedy=True)
    fake = FakeOpenAI(
        completion(FIX), completion("no"), completion(FIX[:-20], finish="length"), completion(FIX), context=4000
    )
    async with fake.running():
        asked = await candidates(CheckpointConfig(name="asked", endpoint=fake.base_url), drawing)
    assert sorted(str(candidate.reason) for candidate in asked) == ["None", "None", "no-edits", "truncated"]
    replayed = CheckpointConfig(name="replayed", answers=tmp_path / "asked.jsonl")
    assert await candidates(replayed, drawing) == asked
    for other, prompts in ((Drawing(Sampling(max_tokens=21), 2), "compact"), (drawing, "agentless")):
        missing = await candidates(replayed, other, prompts)
        assert [candidate.reason for candidate in missing] == [Reason.NOT_RECORDED] * 4
    assert len(fake.questions) == 4


def test_importing_recorded_answers_loads_nothing_heavy():
    code = "import sys, harness.model.recorded; print(sorted({'tokenizers', 'aiohttp', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
