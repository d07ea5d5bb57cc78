import pytest
from benches import NOT_APPLIED, ScriptedBench, printed
from doubles import ScriptedModel

from harness.config.schema import ReproductionConfig
from harness.core.interfaces import CUT, Answer, ContextOverflow
from harness.model.ask import Reply
from harness.model.prompts import Prompts
from harness.validate.programs import BASH, JAVASCRIPT, PHP, PYTHON, RUBY, program_for
from harness.validate.reproduction import (
    ReproductionTest,
    ScriptReason,
    choose_reproductions,
    keep_reproducing,
    read_reproduction,
    sample_reproductions,
    shows_resolved,
)

SCRIPT = "import a\nprint('Issue reproduced' if a.x == 1 else 'Issue resolved')\n"
SAME = f'"""A docstring."""\n# a remark\n{SCRIPT}'
ANOTHER = f"import os\n{SCRIPT}"


def fenced(script: str) -> str:
    return f"It checks x.\n```python\n{script}```\n"


def usable(index: int, source: str = SCRIPT) -> ReproductionTest:
    return read_reproduction(Reply.of(Answer(fenced(source), "stop", 1, 1, 0.1)), index)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (fenced(SCRIPT), None),
        (f"A draft:\n```\nnot python at all\n```\n{fenced(SCRIPT)}", None),
        (f"<think>\n{fenced('x = 1')}</think>\n{fenced(SCRIPT)}", None),
        *((Answer(fenced(SCRIPT)[:-5], end, 1, 1, 0.1), ScriptReason.TRUNCATED) for end in CUT),
        *((Answer(fenced(SCRIPT) + "This", end, 1, 1, 0.1), None) for end in CUT),
        (Answer("", "stop", 1, 1, 0.1, reasoning=fenced(SCRIPT)), ScriptReason.ONLY_REASONING),
        (Answer("", "not-recorded", 0, 0, 0.0), ScriptReason.NOT_RECORDED),
        (SCRIPT, ScriptReason.NO_SCRIPT),
        ("", ScriptReason.NO_SCRIPT),
        (fenced("def f(:\n"), ScriptReason.SYNTAX_ERROR),
        (fenced("print('Issue reproduced')\n"), ScriptReason.NO_LINES),
        (fenced("print('\0 Issue reproduced Issue resolved')\n"), ScriptReason.SYNTAX_ERROR),
        (ContextOverflow("too long"), ScriptReason.CONTEXT_OVERFLOW),
    ],
)
async def test_every_answer_is_a_script_or_has_its_reason(instance, answer, reason):
    config = ReproductionConfig(samples=1)
    [test] = await sample_reproductions(ScriptedModel([answer]), Prompts("agentless"), config, instance)
    assert test.reason is reason
    assert bool(test.detail) == bool(reason)
    if not reason:
        assert test.source == SCRIPT


async def test_the_first_sample_is_greedy_where_asked_for(instance):
    class Watching(ScriptedModel):
        async def answer(self, prompt, sampling, index):
            drawn.append((index, sampling.temperature))
            return await super().answer(prompt, sampling, index)

    drawn: list[tuple[int, float]] = []
    for greedy in (True, False):
        config = ReproductionConfig(samples=2, greedy=greedy)
        await sample_reproductions(Watching([fenced(SCRIPT)] * 2), Prompts("compact"), config, instance)
    assert sorted(drawn) == [(0, 0.0), (0, 0.8), (1, 0.8), (1, 0.8)]


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (printed("Issue reproduced"), None),
        (printed("warning: x", "  Issue reproduced", status=1), None),
        (printed("Issue resolved"), ScriptReason.NOT_REPRODUCED),
        (printed("Issue reproduced", "Issue resolved"), ScriptReason.NOT_REPRODUCED),
        (printed("Issue reproduced", "Other issues"), ScriptReason.NOT_REPRODUCED),
        (printed("Traceback:", "    print('Issue reproduced')", status=1), ScriptReason.NOT_REPRODUCED),
        (printed(), ScriptReason.NOT_REPRODUCED),
        (None, ScriptReason.INFRASTRUCTURE),
    ],
)
async def test_a_test_is_kept_when_it_shows_the_issue_on_the_base_and_nothing_else(instance, run, reason):
    scripted = ScriptedBench(instance, lambda *_: run)
    [test] = await keep_reproducing(scripted.bench, [usable(0)])
    assert test.reason is reason
    [(script, patch)] = scripted.runs
    assert patch == ""
    assert script.files == {PYTHON.path: SCRIPT}


async def test_scripts_that_differ_in_comments_only_are_run_once(instance):
    scripted = ScriptedBench(instance, lambda *_: printed("Issue reproduced"))
    refused = read_reproduction(Reply.of(Answer("", "stop", 1, 1, 0.1)), 3)
    tests = await keep_reproducing(scripted.bench, [usable(0), usable(1, SAME), usable(2, ANOTHER), refused])
    assert [test.reason for test in tests] == [None, None, None, ScriptReason.NO_SCRIPT]
    assert len(scripted.runs) == 2


def test_majority_picks_one_and_consensus_several():
    tests = [usable(0, ANOTHER), usable(1), usable(2, SAME), usable(3, f"import sys\n{SCRIPT}")]
    assert [test.index for test in choose_reproductions(tests, 1)] == [1]
    assert [test.index for test in choose_reproductions(tests[::-1], 9)] == [1, 0, 3]
    assert choose_reproductions([tests[0].model_copy(update={"reason": ScriptReason.NOT_REPRODUCED})], 1) == []


@pytest.mark.parametrize(
    ("run", "good"),
    [
        (printed("Issue resolved"), True),
        (printed("Issue resolved", "Issue reproduced"), False),
        (printed("Issue reproduced"), False),
        (printed("Other issues"), False),
        (NOT_APPLIED, False),
        (None, None),
    ],
)
async def test_a_fix_must_turn_the_test(instance, run, good):
    assert await shows_resolved(ScriptedBench(instance, lambda *_: run).bench, usable(0), "a patch") is good


@pytest.mark.parametrize(
    ("paths", "program"),
    [
        (["a.py", "b.py", "c.js"], PYTHON),
        (["a.ts", "b.tsx", "README.md"], JAVASCRIPT),
        (["lib/a.rb"], RUBY),
        (["a.php"], PHP),
        (["A.java", "B.java", "x.py"], BASH),
        (["README.md"], PYTHON),
        ([], PYTHON),
    ],
)
def test_the_language_of_most_files_is_what_scripts_are_written_in(paths, program):
    assert program_for(paths) is program


SAYS = "'Issue reproduced' : 'Issue resolved'"


@pytest.mark.parametrize(
    ("program", "script", "same"),
    [
        (BASH, f"go run . || exit\necho {SAYS}\n", f"go run . || exit\n\n  echo {SAYS}"),
        (RUBY, f"puts x ? {SAYS}\n", f"# tests x\nputs x ? {SAYS}\n"),
        (JAVASCRIPT, f"console.log(x ? {SAYS});\n", f"console.log(x\n  ? {SAYS}); // x\n"),
        (PHP, f"<?php echo $x ? {SAYS};\n", f"<?php\n/* x */ echo $x ? {SAYS};\n"),
    ],
)
async def test_scripts_in_other_languages_are_asked_for_voted_on_and_run(instance, program, script, same):
    model = ScriptedModel([f"```{program.language}\n{text}\n```" for text in (script, same)])
    tests = await sample_reproductions(model, Prompts("compact"), ReproductionConfig(samples=2), instance, program)
    assert f"Write a {program.name} script" in model.prompts[0]
    assert [test.reason for test in tests] == [None, None]
    assert tests[0].vote == tests[1].vote
    scripted = ScriptedBench(instance, lambda *_: printed("Issue reproduced"))
    assert [test.reason for test in await keep_reproducing(scripted.bench, tests, program)] == [None, None]
    [(ran, _)] = scripted.runs
    assert ran.files == {program.path: tests[0].source}
    assert program.command in ran.text
