"""Repair over a real git snapshot; only the model is scripted."""

import asyncio
import json
import subprocess

import pytest
from doubles import ScriptedModel

from harness.core.candidate import Candidate, Effect, Grade, Reason
from harness.core.interfaces import CUT, Answer, ContextOverflow, Drawing, Sampling
from harness.core.location import Location
from harness.errors import InfrastructureError
from harness.model.prompts import Prompts
from harness.repair.sample import repair
from harness.repo.memory_snapshot import MemorySnapshot
from harness.repo.mirror import BareRepository
from harness.repo.snapshot import GitSnapshot

FILES = {
    "src/a.py": b"def f(x):\n    return x\n\n\ndef g(x):\n    return x\n",
    "src/b.py": b"import a\r\n\r\nvalue = a.f(1)\r\n",
    "notes.txt": b"caf\xe9\nopen since 1990",
    "data.bin": b"\0\1\2",
}
SAMPLING = Sampling(max_tokens=100)
WHOLE = (Location("src/a.py"), Location("src/b.py"))


def block(path: str, search: str, replace: str) -> str:
    return f"{path}\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"


FIX = block("src/a.py", "def f(x):\n    return x\n", "def f(x):\n    return x + 1\n")
COMMENTED = block("src/a.py", "def f(x):\n    return x\n", "def f(x):\n    # one more\n    return (x + 1)\n")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    for path, content in FILES.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "link").symlink_to("/etc/passwd")
    with BareRepository.create(tmp_path_factory.mktemp("bare") / "bare.git") as repository:
        yield GitSnapshot(repository, repository.commit_folder(folder))


async def repaired(
    instance, snapshot, answers, locations=WHOLE, context=100_000, prompts="agentless"
) -> list[Candidate]:
    model = ScriptedModel(answers, context)
    return await repair(model, Prompts(prompts), Drawing(SAMPLING, len(answers)), instance, snapshot, [locations])


def applied(tmp_path, patch: str) -> dict[str, bytes]:
    """The files after the patch, by git alone."""
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch.encode(), check=True, capture_output=True)
    return {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


async def test_each_answer_becomes_a_candidate_of_its_own(instance, snapshot, tmp_path):
    other = block("src/a.py", "def g(x):\n    return x\n", "def g(x):\n    return -x\n")
    first, same, second = await repaired(instance, snapshot, [FIX, f"Well:\n```python\n{COMMENTED}```", other])
    assert [candidate.index for candidate in (first, same, second)] == [0, 1, 2]
    assert first.vote == same.vote != second.vote
    assert first.patch != same.patch
    assert (first.reason, first.grades, first.left_out) == (None, (Grade.EXACT,), ())
    assert (first.cost.completion_tokens, first.cost.seconds) == (len(FIX) // 4, 0.5)
    assert applied(tmp_path, first.patch)["src/a.py"] == FILES["src/a.py"].replace(b"return x\n", b"return x + 1\n", 1)
    assert Candidate.model_validate_json(first.model_dump_json()) == first


async def test_several_files_and_a_new_one_with_any_bytes(instance, snapshot, tmp_path):
    answer = (
        block("src/b.py", "value = a.f(1)\n", "value = a.f(2)\n")
        + block("notes.txt", "café\nopen since 1990\n", "café\nopen since 1991\n")
        + block("src/new/c.py", "", "x = 'ü'\n")
    )
    (candidate,) = await repaired(instance, snapshot, [answer])
    assert candidate.grades == (Grade.WHITESPACE, Grade.EXACT, Grade.NEW_FILE)
    files = applied(tmp_path, candidate.patch)
    assert files["src/b.py"] == b"import a\r\n\r\nvalue = a.f(2)\r\n"
    assert files["notes.txt"] == b"caf\xe9\nopen since 1991"
    assert files["src/new/c.py"] == "x = 'ü'\n".encode()
    assert files["src/a.py"] == FILES["src/a.py"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        *((Answer(FIX[:-20], end, 1, 100, 0.1), Reason.TRUNCATED) for end in CUT),
        (Answer(f"<think>{FIX}", "length", 1, 100, 0.1), Reason.TRUNCATED),
        (Answer("", "length", 1, 100, 0.1, reasoning=FIX), Reason.TRUNCATED),
        (Answer("", "not-recorded", 0, 0, 0.0), Reason.NOT_RECORDED),
        (Answer("", "stop", 1, 9, 0.1, reasoning=FIX), Reason.ONLY_REASONING),
        (Answer("<think>x</think>\n", "stop", 1, 9, 0.1, reasoning=FIX), Reason.ONLY_REASONING),
        (block("src/a.py", "def f(x):\n...\n", "def f(y):\n"), Reason.ELISION),
        ("I can't.", Reason.NO_EDITS),
        ("", Reason.NO_EDITS),
        (f"<think>{FIX}", Reason.NO_EDITS),
        (FIX.replace("=======", "-------"), Reason.PARSE_FAILURE),
        (FIX.replace(">>>>>>> REPLACE", "") + FIX, Reason.PARSE_FAILURE),
        (block("src/z.py", "x\n", "y\n"), Reason.UNKNOWN_PATH),
        (block("../z.py", "", "y\n"), Reason.FORBIDDEN_PATH),
        (block("/etc/cron.d/x", "", "y\n"), Reason.FORBIDDEN_PATH),
        (block(".git/hooks/post-checkout", "", "y\n"), Reason.FORBIDDEN_PATH),
        (block("link", "", "y\n"), Reason.FORBIDDEN_PATH),
        (block("data.bin", "x\n", "y\n"), Reason.BINARY_FILE),
        (block("src/a.py", "def h(x):\n", "y\n"), Reason.NO_MATCH),
        (block("src/a.py", "    return x\n", "y\n"), Reason.AMBIGUOUS_MATCH),
        (FIX + FIX.replace("x + 1", "x + 2"), Reason.OVERLAPPING_EDITS),
        (block("notes.txt", "open since 1990\n", "since → 1990\n"), Reason.UNENCODABLE),
        (block("src/a.py", "def f(x):\n", "def f(x):\n"), Reason.NO_OP),
        (block("src/a.py", "def f(x):\n", "def f(x:\n"), Reason.SYNTAX_ERROR),
        (ContextOverflow("counted otherwise"), Reason.CONTEXT_OVERFLOW),
    ],
)
async def test_every_candidate_without_a_patch_has_a_reason(instance, snapshot, answer, reason):
    (candidate,) = await repaired(instance, snapshot, [answer])
    assert (candidate.patch, candidate.reason) == ("", reason)
    assert candidate.detail
    assert "\n" not in candidate.detail


@pytest.mark.parametrize("end", CUT)
async def test_whole_blocks_of_a_cut_answer_are_read_and_the_record_says_so(instance, snapshot, end):
    """A base model without an end token goes on until the limit: 25 of 27 such answers used to be thrown away."""
    other = block("src/a.py", "def g(x):\n", "def h(x):\n")
    for rest in ("", "\nI also", f"\n{other[:-20]}", "\n## The report\n<report>\nAnother"):
        (candidate,) = await repaired(instance, snapshot, [Answer(FIX + rest, end, 1, 100, 0.1)])
        assert (candidate.reason, candidate.notes) == (None, ("read-before-cut",))
        assert "x + 1" in candidate.patch
        assert "def h" not in candidate.patch
    (whole,) = await repaired(instance, snapshot, [FIX])
    assert whole.notes == ()
    wrong = block("src/a.py", "def k(x):\n", "def h(x):\n")
    (refused,) = await repaired(instance, snapshot, [Answer(wrong, end, 1, 100, 0.1)])
    assert (refused.reason, refused.notes) == (Reason.NO_MATCH, ("read-before-cut",))


async def test_a_patch_that_git_refuses_is_none(instance):
    class Refusing(MemorySnapshot):
        def check_applies(self, patch: str) -> str:
            return "error: patch failed\nerror: no"

    (candidate,) = await repaired(instance, Refusing(FILES), [FIX])
    assert (candidate.patch, candidate.reason) == ("", Reason.DOES_NOT_APPLY)
    assert candidate.detail == "error: patch failed error: no"


async def test_nothing_located_is_not_asked_about(instance, snapshot):
    for locations in ((), (Location("data.bin"),), (Location("gone.py"),)):
        candidates = await repaired(instance, snapshot, [FIX, FIX], locations)
        assert [candidate.reason for candidate in candidates] == [Reason.NO_LOCATION] * 2
        assert all(candidate.detail for candidate in candidates)


async def test_what_does_not_fit_is_left_out_least_relevant_first(instance, tmp_path):
    lines = [f"    filler_{i} = {i}\n" for i in range(400)]
    lines[200] = "    frobnicate(x)\n"
    snapshot = MemorySnapshot({"a.py": "".join(lines).encode()})
    instance = instance.model_copy(update={"problem_statement": "frobnicate breaks"})
    model = ScriptedModel([block("a.py", lines[200], "    y\n"), block("a.py", lines[399], "    y\n")], 700)
    candidates = await repair(model, Prompts("compact"), Drawing(SAMPLING, 2), instance, snapshot, [[Location("a.py")]])
    assert "frobnicate(x)" in model.prompts[0]
    assert model.prompts[0] == model.prompts[1]
    assert len(model.prompts[0]) // 4 + SAMPLING.max_tokens <= 700
    left_out = [tuple(map(int, entry.removeprefix("a.py:").split("-"))) for entry in candidates[0].left_out]
    hidden = {number for first, last in left_out for number in range(first, last + 1)}
    visible = {i + 1 for i, line in enumerate(lines) if line in model.prompts[0]}
    assert hidden
    assert visible | hidden == set(range(1, 401))
    assert not visible & hidden


async def test_an_issue_that_fills_the_context_overflows(instance, snapshot):
    instance = instance.model_copy(update={"problem_statement": "word " * 5000})
    candidates = await repaired(instance, snapshot, [FIX, FIX], context=3000)
    assert [candidate.reason for candidate in candidates] == [Reason.CONTEXT_OVERFLOW] * 2


async def test_only_the_located_lines_are_shown(instance, snapshot):
    model = ScriptedModel([block("src/a.py", "    return x\n", "    return 2\n")])
    locations = [Location("src/a.py", ((5, 6),))]
    (candidate,) = await repair(model, Prompts("agentless"), Drawing(SAMPLING, 1), instance, snapshot, [locations])
    assert "def g(x):\n    return x\n" in model.prompts[0]
    assert "def f(x)" not in model.prompts[0]
    assert "lines 5 to 6 of 6" in model.prompts[0]
    assert "@@ -3,4 +3,4 @@" in candidate.patch


async def test_a_machine_that_fails_is_not_the_models_failure(instance, snapshot):
    with pytest.raises(InfrastructureError):
        await repaired(instance, snapshot, [FIX, InfrastructureError("gone")])


async def test_samples_are_asked_for_at_once(instance, snapshot):
    class Waiting(ScriptedModel):
        waiting = asyncio.Barrier(3)

        async def answer(self, prompt: str, sampling: Sampling, index: int) -> Answer:
            await asyncio.wait_for(self.waiting.wait(), 5)
            return await super().answer(prompt, sampling, index)

    candidates = await repair(Waiting([FIX] * 3), Prompts("compact"), Drawing(SAMPLING, 3), instance, snapshot, [WHOLE])
    assert len({candidate.patch for candidate in candidates}) == 1


async def test_each_set_of_locations_is_drawn_from_greedily_first(instance, snapshot):
    model = ScriptedModel([FIX, COMMENTED, FIX, "no", block("src/b.py", "value = a.f(1)\n", "value = 2\n"), FIX])
    sets = [WHOLE, [Location("src/b.py")]]
    drawing = Drawing(SAMPLING, 3, greedy=True)
    candidates = await repair(model, Prompts("compact"), drawing, instance, snapshot, sets)
    assert [candidate.index for candidate in candidates] == list(range(6))
    assert [candidate.location_set for candidate in candidates] == [0, 0, 0, 1, 1, 1]
    assert [candidate.greedy for candidate in candidates] == [True, False, False] * 2
    assert [candidate.duplicate_of for candidate in candidates] == [None, 0, 0, None, None, 0]
    asked = sorted(zip(model.indices, model.samplings, model.prompts, strict=True))  # the sets are asked side by side
    assert [index for index, _, _ in asked] == list(range(6))
    assert [sampling.temperature for _, sampling, _ in asked] == [0.0, 0.8, 0.8] * 2
    assert ["def g(x)" in prompt for _, _, prompt in asked] == [True] * 3 + [False] * 3


async def test_a_set_that_locates_nothing_leaves_the_others_alone(instance, snapshot):
    model = ScriptedModel(["", FIX])
    first, second = await repair(model, Prompts("compact"), Drawing(SAMPLING, 1), instance, snapshot, [(), WHOLE])
    assert (first.reason, second.reason, second.index) == (Reason.NO_LOCATION, None, 1)


async def test_no_set_at_all_locates_nothing(instance, snapshot):
    candidates = await repair(ScriptedModel([]), Prompts("compact"), Drawing(SAMPLING, 2), instance, snapshot, [])
    assert [candidate.reason for candidate in candidates] == [Reason.NO_LOCATION] * 2


async def test_a_deleted_file_and_what_a_patch_can_do_are_recorded(instance, snapshot, tmp_path):
    deletion = block("src/a.py", FILES["src/a.py"].decode(), "") + block("notes.txt", "café\nopen since 1990\n", "")
    comment = block("src/a.py", "def f(x):\n", "# f\ndef f(x):\n")
    first, second = await repaired(instance, snapshot, [deletion, comment])
    assert (first.effect, second.effect) == (Effect.CODE, Effect.FORMATTING)
    assert set(applied(tmp_path, first.patch)) == {"src/b.py", "data.bin"}


NEW_F = "def f(x):\n    return x + 1\n"
WRITTEN = {
    "search-replace": FIX,
    "diff": "--- a/src/a.py\n+++ b/src/a.py\n@@ @@\n def f(x):\n-    return x\n+    return x + 1\n \n",
    "whole-file": f"src/a.py\n```python\n{NEW_F}\n\ndef g(x):\n    return x\n```\n",
    "apply-patch": "*** Begin Patch\n*** Update File: src/a.py\n@@\n def f(x):\n-    return x\n+    return x + 1\n"
    "*** End Patch\n",
    "str-replace": json.dumps(
        {"name": "edit", "arguments": {"path": "src/a.py", "old_str": "def f(x):\n    return x\n", "new_str": NEW_F}}
    ),
}
OTHER = {
    asked: FIX.replace("x + 1", "0") if asked != "search-replace" else WRITTEN["diff"].replace("x + 1", "0")
    for asked in WRITTEN
}


@pytest.mark.parametrize("asked", WRITTEN)
async def test_a_prompt_set_chooses_the_format_and_the_ends_of_its_answers(instance, snapshot, tmp_path, asked):
    """What an answer has in another format counts only if it has nothing in the one that was asked for."""
    (tmp_path / "set.yaml").write_text(f"extends: compact\nanswer: {asked}\nstop: {{repair: ['THE END']}}\n")
    (tmp_path / "repair.jinja").write_text("Fix it. {{ issue }}")
    model = ScriptedModel([WRITTEN[asked], f"{WRITTEN[asked]}\nor\n\n{OTHER[asked]}", OTHER[asked]])
    drawing = Drawing(SAMPLING, 3)
    made = await repair(model, Prompts(f"{tmp_path}/"), drawing, instance, snapshot, [WHOLE])
    assert [candidate.reason for candidate in made] == [None] * 3
    assert made[0].patch == made[1].patch != made[2].patch
    assert "+    return x + 1\n" in made[0].patch
    assert {sampling.stop for sampling in model.samplings} == {("THE END",)}
