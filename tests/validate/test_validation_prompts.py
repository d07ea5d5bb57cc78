"""The prompts of validation, rendered at their boundaries."""

import pytest

from harness.model.prompts import Prompts
from harness.validate.programs import RUBY

INERT = "{{ 7 * 7 }} {% raise %} {# gone #} {{ undefined }} {% raw %}"
LINES = {"reproduced": "Issue reproduced", "resolved": "Issue resolved", "other": "Other issues", "program": RUBY}


@pytest.fixture(params=["agentless", "compact"])
def prompts(request) -> Prompts:
    return Prompts(request.param)


def test_tests_stand_one_a_line(prompts):
    tests = ["tests/test_ä.py::test_größe[a b]", "test_x (mod.Case)"]
    text = prompts.render("regression", issue="Größe → 0 💥", tests=tests)
    assert "Größe → 0 💥\n" in text
    assert "\n".join(tests) + "\n" in text


def test_the_three_lines_are_named(prompts):
    text = prompts.render("reproduction", issue="Größe → 0 💥", **LINES)
    assert "Größe → 0 💥\n" in text
    assert all(line in text for name, line in LINES.items() if name != "program")
    assert "Ruby script" in text
    assert "```ruby" in text


def test_nothing_to_show_and_very_much(prompts):
    assert prompts.render("regression", issue="", tests=[])
    assert prompts.render("reproduction", issue="", **LINES)
    many = [f"tests/test_a.py::test_{number}" for number in range(50_000)]
    assert "\n".join(many) in prompts.render("regression", issue="It fails.", tests=many)


def test_template_syntax_in_data_is_inert(prompts):
    assert prompts.render("regression", issue=INERT, tests=[INERT]).count(INERT) == 2
    assert INERT in prompts.render("reproduction", issue=INERT, **LINES)
