"""What stands in a run's folder while the run goes on: whole checkpoints, and never less than before."""

import asyncio
import csv
import sys
from pathlib import Path

import pytest
import yaml

sys.path.append(str(Path(__file__).parents[1] / "compare"))
from finished_runs import among, result

from harness.common.run_folder import RunFolder
from harness.config.schema import RunConfig
from harness.core.verdict import Outcome
from harness.grading.exclusions import open_soundness
from harness.pipeline.records import Records

FACTS = {"dataset": "rows", "images": {}, "checkpoints": {}, "weights": {}, "routes": {}}
CONDITIONS = ["gt-location", "gt-file"]


@pytest.fixture
def make(tmp_path):
    """Records of a run in one folder, opened again as a run that was killed is."""
    config = RunConfig.model_validate(
        {
            "dataset": {"path": "hub/rows"},
            "checkpoints": [{"name": name, "endpoint": "http://h/v1", "revision": name} for name in "ab"],
            "conditions": CONDITIONS,
            "references": ["gold"],
            "output": str(tmp_path / "run"),
        }
    )

    def records(html=False):
        with RunFolder(config.output) as folder:
            made = Records(folder, config, open_soundness(None), lambda verdict: tmp_path / "none.log", html)
            made.begin(FACTS)
        return made

    return records


def of(name, conditions=CONDITIONS):
    return [result(name, condition, number, among(1)(number)) for condition in conditions for number in range(4)]


GOLD = [result("gold", None, number, Outcome.RESOLVED) for number in range(4)]


def table(records):
    with (records.folder.path / "table.csv").open() as file:
        return [(row["checkpoint"], row["condition"]) for row in csv.DictReader(file)]


def so_far(records, results, **facts):
    asyncio.run(records.write_so_far(results, {**FACTS, **facts}))


def test_the_frozen_file_is_there_from_the_start_and_knows_more_with_each_checkpoint(make):
    records = make()
    frozen = records.folder.path / "frozen.yaml"
    assert yaml.safe_load(frozen.read_text())["checkpoints"] == {}
    so_far(records, of("a"), checkpoints={"a": "1f"})
    assert yaml.safe_load(frozen.read_text())["checkpoints"] == {"a": "1f"}
    again = make()  # killed, and started again: what was known of the first is known still
    assert yaml.safe_load(frozen.read_text())["checkpoints"] == {"a": "1f"}
    so_far(again, of("a"), checkpoints={"b": "2f"})
    assert yaml.safe_load(frozen.read_text())["checkpoints"] == {"a": "1f", "b": "2f"}


def test_tables_and_files_of_a_whole_checkpoint_stand_while_others_are_under_way(make):
    records = make()
    so_far(records, of("a"))
    path = records.folder.path
    assert table(records) == [("a", condition) for condition in CONDITIONS]
    assert (path / "ablation.md").is_file()
    assert (path / "checkpoints" / "a" / "gt-file" / "verdicts.jsonl").is_file()
    assert not (path / "checkpoints" / "b").exists()
    rows = records.write_all(GOLD + of("a") + of("b"), FACTS)
    assert len(table(records)) == len(rows) == 5


def test_a_run_that_goes_on_never_leaves_less_than_it_found(make):
    first = make()
    first.write_all(GOLD + of("a") + of("b"), FACTS)
    before = table(first)
    again = make()
    so_far(again, of("b"))
    assert table(again) == before
    assert len(again.write_all(GOLD + of("a") + of("b"), FACTS)) == 5
    assert table(again) == before


def test_files_that_stand_are_not_written_again_at_the_end(make):
    records = make()
    so_far(records, of("a"))
    place = records.folder.path / "checkpoints" / "a" / "gt-file" / "verdicts.jsonl"
    written = place.stat().st_ino
    records.write_all(GOLD + of("a") + of("b"), FACTS)
    assert place.stat().st_ino == written


def test_the_page_is_among_them_if_it_was_asked_for(make):
    records = make()
    so_far(records, of("a"))
    assert not (records.folder.path / "page").exists()
    asked = make(html=True)
    so_far(asked, of("a"))
    assert (asked.folder.path / "page" / "index.html").is_file()
    overview = (asked.folder.path / "page" / "data" / "overview.js").read_bytes()
    asked.write_all(GOLD + of("a") + of("b"), FACTS)
    asked.write_page()
    assert (asked.folder.path / "page" / "data" / "overview.js").read_bytes() != overview
