"""The page's files: what they hold, that they agree with the comparison, and that text in them is inert."""

from pathlib import Path

import pytest
from disks import fill, small_disk
from runs import EVIL, LOG, PATCH, PLACES, TEST, attempt, begin, candidates, two_checkpoints, value_of, write_run

from harness.common.run_folder import freeze
from harness.compare.finished import read_arm
from harness.compare.run_comparison import compare_runs
from harness.core.verdict import Outcome
from harness.errors import InputError
from harness.page import log_parts
from harness.page.run_records import RunRecords
from harness.page.site import STATIC, Site
from harness.page.write_page import write_page


def open_site(path: Path) -> Site:
    records = RunRecords(path)
    records.update()
    return Site(records, None, ())


def data(site: Site, name: str):
    return value_of(site.content(f"data/{name}.js"))


def texts_of(value):
    """Every text in a value of JSON, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.items() for part in item for text in texts_of(part))
    elif isinstance(value, list):
        yield from (text for part in value for text in texts_of(part))


@pytest.fixture
def run(tmp_path, row):
    return two_checkpoints(tmp_path / "out", row)


def test_the_overview_has_every_part_and_outcome(run):
    found = data(open_site(run), "overview")
    assert [one["name"] for one in found["checkpoints"]] == ["gold", "a", "b"]
    assert found["parts"] == [[0, ""], [1, "model"], [1, "gt-file"], [2, "model"], [2, "gt-file"]]
    resolved = found["outcomes"].index("resolved")
    failed = found["outcomes"].index("unresolved")
    assert found["instances"][0] == [
        "owner__name-1", "owner/name", "x should be 2", [resolved, resolved, resolved, failed, failed]
    ]  # fmt: skip
    assert [line["resolve_rate"] for line in found["scores"]] == [1.0, *[pytest.approx(1 / 3)] * 4]
    assert found["live"] is False
    assert ["dataset", [["", "d"]]] in found["settings"]


def test_a_comparison_is_that_of_harness_compare(run):
    found = data(open_site(run), "compare/0-1")
    expected = compare_runs(read_arm(f"{run}:a"), read_arm(f"{run}:b"))
    overall = expected.overall.comparison
    assert found["overall"]["estimate"] == overall.estimate
    assert found["overall"]["interval"] == list(overall.interval)
    assert found["overall"]["p"] == overall.p
    assert [(scope["name"], scope["holm"]) for scope in found["conditions"]] == [
        (scope.name, scope.adjusted) for scope in expected.conditions
    ]
    assert [tuple(flip[:3]) for flip in found["flips"]] == [
        (flip.instance_id, flip.condition, flip.kind) for flip in expected.flips
    ]
    assert found["flips"][0][2] == "broken"  # what B broke comes first
    assert found["gate"]["decision"] == "not-decided"  # three instances decide nothing


def test_an_instance_has_issue_gold_patch_tests_and_why_they_fail(run):
    site = open_site(run)
    found = data(site, "instances/owner__name-1")
    assert (found["issue"], found["gold"]) == ("x should be 2", PATCH)
    broken = found["attempts"][3]
    assert broken["outcome"] == "unresolved"
    assert broken["tests"] == [{"kind": "FAIL_TO_PASS", "passed": 0, "failed": 1, "names": [TEST]}]
    [excerpt] = broken["excerpts"]
    assert "E   assert 2 == 3" in excerpt["lines"]
    assert data(site, f"logs/{broken['log']['key']}/{excerpt['part']}") == LOG
    stages = data(site, "stages/owner__name-1/3")
    assert stages["prompts"] == {"p0": "x should be 2"}
    assert [one["reason"] for one in stages["candidates"]] == ["", "no-edits"]
    assert stages["candidates"][0]["answer"]["text"] == "x should be 2"


def test_what_the_page_names_is_there_and_nothing_else_is(run):
    site = open_site(run)
    names = list(site.names())
    assert len(names) == len(set(names))
    assert all(site.content(name) is not None for name in names)
    for name in ("data/instances/../x.js", "static/../site.py", "data/logs/x/0.js", "data/stages/owner__name-1/99.js",
                 "data/compare/0-2.js", "pictures/rates.exe", "../frozen.yaml"):  # fmt: skip
        assert site.content(name) is None


def test_text_is_inert_and_long_texts_are_cut(tmp_path, row):
    line = EVIL + "x" * 5_000_000
    run = two_checkpoints(tmp_path / "out", row, text=line, patch=PATCH.replace("x = 2", line), log=LOG + line, count=2)
    site = open_site(run)
    for name in site.names():
        content = site.content(name)
        if name.startswith("data/"):
            assert b"<" not in content
            texts = list(texts_of(value_of(content)))
            assert sum(map(len, texts)) < 3_000_000
            assert all(c.isprintable() or c in "\n\t" for text in texts for c in set(text))
    found = data(site, "instances/owner__name-1")
    assert "characters left out]" in found["issue"]
    assert "\\x1b]0;t\\x07\\u202e" in found["issue"]


def test_a_page_that_does_not_fit_names_its_file_and_leaves_the_old_one(run, tmp_path):
    """The line was `the disk is full` alone, and what was written stayed in its way."""
    with small_disk(tmp_path / "disk", "8m") as disk:
        index = write_page(run, disk / "page", None, ())
        before = {path: path.read_bytes() for path in index.parent.rglob("*") if path.is_file()}
        fill(disk, room=8192)
        with pytest.raises(OSError, match=r"left on device: .*page\.unfinished/"):
            write_page(run, disk / "page", None, ())
        assert {
            path: path.read_bytes() for path in disk.rglob("*") if path.is_file() and path.name != "filler"
        } == before


def test_attempts_that_do_not_fit_name_their_file(tmp_path):
    with small_disk(tmp_path / "disk", "64k") as disk:
        fill(disk)
        with pytest.raises(OSError, match=r"left on device: .*attempts\.jsonl"):
            begin(disk, [attempt("a", "model", "owner__name-1", Outcome.RESOLVED)])


def test_a_page_is_written_whole_and_replaces_only_a_page(run, tmp_path):
    index = write_page(run, tmp_path / "page", None, ())
    stale = tmp_path / "page" / "stale"
    stale.write_text("")
    assert write_page(run, tmp_path / "page", "b", ()) == index
    assert not stale.exists()
    written = {path.relative_to(index.parent).as_posix() for path in index.parent.rglob("*") if path.is_file()}
    assert written == set(open_site(run).names())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="holds something that is no page"):
        write_page(run, tmp_path / "other", None, ())
    with pytest.raises(InputError, match="no group 'c'; name one of a, b"):
        write_page(run, None, "c", ())
    with pytest.raises(InputError, match="is no requirement"):
        write_page(run, None, None, ["better"])
    with pytest.raises(InputError, match="no such folder"):
        write_page(tmp_path / "gone", None, None, ())


def test_a_run_under_way_shows_what_has_ended(tmp_path, row):
    names = ("owner__name-1", "owner__name-2")
    results = [attempt("a", "model", name, Outcome.RESOLVED, **candidates(PATCH)) for name in names]
    results += [attempt("b", "model", names[0], Outcome.UNRESOLVED, detail="two fail")]
    path = begin(tmp_path / "out", results[:1])
    records = RunRecords(path)
    records.update()
    assert records.live
    assert [len(facts) for facts in records.parts.values()] == [1]
    begin(path, results)
    records.update()
    site = Site(records, None, ())
    found = data(site, "overview")
    assert [cells for *_, cells in found["instances"]] == [[0, 1], [0, -1]]
    assert found["pairs"] == []  # b is not done
    assert data(site, f"instances/{names[0]}")["attempts"][1]["detail"] == "two fail"
    write_run(path, [*results, attempt("b", "model", names[1], Outcome.RESOLVED)], [])
    (path / "attempts.jsonl").unlink()
    records.update()
    site.refresh()
    assert data(site, "overview")["pairs"] == [[0, 1], [1, 0]]


def test_the_parts_of_a_log_are_its_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(log_parts, "PART", 100)
    monkeypatch.setattr(log_parts, "OVERLAP", 40)
    log = tmp_path / "log"
    for lines in (
        [f"line {number} é" for number in range(90)],
        ["x" * 950, "y"],
        ["z" * 30] * 7,
        ["w" * 99, "v" * 500],
    ):
        text = "\n".join(lines) + "\n"
        log.write_text(text)
        parts = [log_parts.read_part(log, number) for number in range(log_parts.part_count(log))]
        assert "".join(parts) == text
        assert all(len(part) <= 150 for part in parts)


def test_the_libraries_carry_their_licences():
    folder = STATIC / "vendor" / "diff2html"
    assert (
        "MIT" in (folder / "LICENSE-diff2html.md").read_text()
        or "Permission is hereby granted" in (folder / "LICENSE-diff2html.md").read_text()
    )
    assert "BSD 3-Clause" in (folder / "LICENSE-jsdiff.txt").read_text()
    assert "Apache License" in (folder / "LICENSE-hogan.txt").read_text()


def test_the_conditions_of_a_run_keep_their_order(run):
    assert [part.condition for part in open_site(run).parts if part.checkpoint == "a"] == list(PLACES)


def test_seeds_are_compared_as_a_group_and_one_by_one(tmp_path, row):
    ends = {"a1": (0, 1), "a2": (0,), "b1": (0, 1, 2), "b2": (0, 2)}
    names = [f"owner__name-{number}" for number in range(3)]
    results = [
        attempt(checkpoint, "model", name, Outcome.RESOLVED if number in solved else Outcome.UNRESOLVED)
        for checkpoint, solved in ends.items()
        for number, name in enumerate(names)
    ]
    path = write_run(tmp_path / "out", results, [])
    seeds = [{"name": name, "strategy": name[0], "seed": int(name[1]), "step": 10} for name in ends]
    freeze(path / "frozen.yaml", {"checkpoints": seeds}, {})
    found = data(open_site(path), "overview")
    assert [(side["name"], side["members"]) for side in found["sides"]] == [
        ("a, step 10", [0, 1]), ("b, step 10", [2, 3]), ("a1", [0]), ("a2", [1]), ("b1", [2]), ("b2", [3])
    ]  # fmt: skip
    assert found["pairs"] == [[0, 1], [1, 0], [2, 4], [3, 5], [4, 2], [5, 3]]
    assert found["ablation"]["tables"][0]["rows"][1][0] == ["b, step 10", False]
    groups = data(open_site(path), "compare/0-1")
    assert groups["flipped"] is False
    assert groups["overall"]["estimate"] == pytest.approx((5 - 3) / 6)
    assert [flip[2] for flip in data(open_site(path), "compare/3-5")["flips"]] == ["fixed"]


def test_what_can_not_be_compared_says_why(tmp_path, row):
    results = [attempt(name, "model", "owner__name-1", Outcome.INFRASTRUCTURE) for name in "ab"]
    found = data(open_site(write_run(tmp_path / "out", results, [])), "compare/0-1")
    assert "no instance was graded under both" in found["problem"]


def test_checkpoints_of_one_training_have_a_picture_over_its_steps(tmp_path):
    results = [attempt(name, "model", "owner__name-1", Outcome.RESOLVED) for name in ("early", "late")]
    path = write_run(tmp_path / "out", results, [])
    assert "series" not in open_site(path).pictures()
    steps = [{"name": name, "strategy": "a", "step": step} for name, step in (("early", 1), ("late", 2))]
    freeze(path / "frozen.yaml", {"checkpoints": steps}, {})
    site = open_site(path)
    assert site.content("pictures/series.svg").startswith(b"<?xml")
    assert site.content("pictures/series.png").startswith(b"\x89PNG")
