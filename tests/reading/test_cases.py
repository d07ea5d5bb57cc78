"""Answers as models really write them, one for each kind of fault: what must come of each stands in its file."""

import json
from pathlib import Path
from typing import Any

import pytest
from doubles import ScriptedModel

from harness.core.interfaces import Answer, Drawing, Sampling
from harness.core.location import Location, resolve_path
from harness.localize.places import read_places, resolve_places
from harness.model.answers import read_edits, read_file_names
from harness.model.prompts import Prompts
from harness.repair.edits import apply_edits
from harness.repair.sample import repair
from harness.repo.gold_locations import gold_locations
from harness.repo.memory_snapshot import MemorySnapshot
from harness.repo.symbols import parse_elements

CASES = sorted(Path(__file__).with_name("cases").glob("*.json"))


def snapshot(case: dict[str, Any]) -> MemorySnapshot:
    return MemorySnapshot({path: text.encode() for path, text in case["files"].items()})


async def repaired(instance, case: dict[str, Any]) -> dict[str, Any]:
    answer = Answer(case["answer"], case.get("finish_reason", "stop"), 1, 1, 0.1)
    shown = [Location(path) for path in case["shown"]]
    drawing, prompts = Drawing(Sampling(), 1), Prompts("compact")
    [candidate] = await repair(ScriptedModel([answer]), prompts, drawing, instance, snapshot(case), [shown])
    if candidate.reason:
        return {"refused": candidate.reason.value}
    changes = apply_edits(read_edits(case["answer"]).edits, snapshot(case), shown).changes
    return {"contents": {change.path: change.content.decode() for change in changes}}


def named(case: dict[str, Any]) -> list[str]:
    found = (resolve_path(name, case["paths"]) for name in read_file_names(case["answer"]))
    return list(dict.fromkeys(path for path in found if path))


def placed(case: dict[str, Any]) -> dict[str, list[list[int]]]:
    lengths = {path: text.count("\n") for path, text in case["files"].items()}
    elements = {path: parse_elements(text.encode(), "python") for path, text in case["files"].items()}
    found = resolve_places(read_places(case["answer"]), lengths, elements.__getitem__)
    return {place.path: [list(interval) for interval in place.intervals] for place in found.locations}


def located(instance, case: dict[str, Any]) -> dict[str, list[list[int]]]:
    gold = instance.model_copy(update={"patch": case["patch"]})
    places = gold_locations(gold, snapshot(case), case["context_lines"])
    return {place.path: [list(interval) for interval in place.intervals] for place in places}


def is_right(found: dict[str, Any], right: dict[str, Any]) -> bool:
    if "either" in right:
        return any(is_right(found, one) for one in right["either"])
    if "refused" in right:
        return found.get("refused") in right["refused"]
    return found == right


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
async def test_a_real_answer_is_read_as_it_is_meant(path, instance):
    case = json.loads(path.read_text(encoding="utf-8"))
    match case["stage"]:
        case "repair":
            found = await repaired(instance, case)
            assert is_right(found, case["right"]), found
        case "files":
            assert named(case) == case["right"]
        case "places":
            assert placed(case) == case["right"]
        case _:
            assert located(instance, case) == case["right"]


def test_every_kind_is_there():
    assert len(CASES) == 25
