"""A submission to the leaderboard, in the layout of the public repository of submissions."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.common.files import write_json, write_jsonl, write_whole
from harness.common.run_folder import journal_path
from harness.compare.finished import Attempted
from harness.compare.frames import json_lines
from harness.core.verdict import Outcome, Phase, Verdict
from harness.errors import InputError
from harness.exchange.foreign_files import yaml_of
from harness.exchange.foreign_run import LISTS
from harness.exchange.official_logs import LOG, PATCH, REPORT
from harness.exchange.outgoing import Outgoing

METADATA = "metadata.yaml"
REQUIRED = {"info": ("name", "site", "authors"), "tags": ("model", "org", "os_model", "os_system", "system")}
CHECKLIST = (
    "Is a pass@1 submission (does not attempt the same task instance more than once)",
    "Does not use test knowledge (`PASS_TO_PASS`, `FAIL_TO_PASS`)",
    "Does not use the `hints` field",
    "Does not have web-browsing, or prevents look-ups of solutions",
)


def write_submission(one: Outgoing, folder: Path, metadata: Path | None) -> list[str]:
    """Write one checkpoint's submission; returns what is missing from it, in one line each.

    ``metadata`` is a file of the submitter's own, over what is known here. Raises InputError if it can't be read.
    """
    kept = _metadata(one, metadata)
    for old in ("logs", "trajs", "results"):
        shutil.rmtree(folder / old, ignore_errors=True)
    patches = {name: attempted.patch for name, attempted in one.part.items()}
    write_jsonl(
        folder / "all_preds.jsonl",
        (
            {"instance_id": name, "model_name_or_path": kept["info"]["name"], "model_patch": patch}
            for name, patch in patches.items()
        ),
    )
    for name, attempted in one.part.items():
        _write_logs(folder / "logs" / name, attempted, one.place / "instances" / name / "test.log")
    write_whole(folder / METADATA, yaml.safe_dump(kept, sort_keys=False, allow_unicode=True))
    write_whole(folder / "README.md", _readme(one, str(kept["info"]["name"])))
    _write_traces(one, folder / "trajs")
    for name, document in _results(one, folder).items():
        write_json(folder / "results" / name, document)
    return list(_missing(one, folder, kept))


def _metadata(one: Outgoing, path: Path | None) -> dict[str, Any]:
    known: dict[str, Any] = {
        "info": {"name": one.name},
        "tags": {"checked": False, "model": [one.name], "system": {"attempts": "1"}},
    }
    for part, keys in (yaml_of(path) if path else {}).items():
        if isinstance(known.get(part), dict) and not isinstance(keys, dict):
            raise InputError(f"{path}: {part} holds no keys")
        known[part] = {**known.get(part, {}), **keys} if isinstance(keys, dict) else keys
    return known


def _write_logs(place: Path, attempted: Attempted, log: Path) -> None:
    if not attempted.patch.strip():
        return  # the official harness runs nothing for it
    verdict = attempted.verdict
    write_whole(place / PATCH, attempted.patch)
    if not log.is_file() or verdict.phase is Phase.PATCH or not attempted.graded:
        return
    text = log.read_bytes().decode("utf-8", "replace")
    if verdict.outcome is Outcome.TIMEOUT:
        write_whole(place / LOG, f"{text}\n\nTimeout error: {verdict.test_seconds:.0f} seconds exceeded.")
        return
    ending = "" if verdict.exit_status is None or ">>>>> Test Exit Code" in text else _exit_line(verdict)
    write_whole(place / LOG, text + ending)
    write_json(place / REPORT, {verdict.instance_id: _report(verdict)})


def _exit_line(verdict: Verdict) -> str:
    return f"\n>>>>> Test Exit Code: {verdict.exit_status}\n"


def _report(verdict: Verdict) -> dict[str, Any]:
    """An instance's report under the official harness's keys."""
    said: dict[str, Any] = {
        "patch_is_None": False,
        "patch_exists": True,
        "patch_successfully_applied": verdict.applied,
        "resolved": verdict.resolved,
    }
    if verdict.outcome not in (Outcome.RESOLVED, Outcome.UNRESOLVED):
        return said
    lists: dict[str, dict[str, list[str]]] = {}
    for (kind, end), ours in LISTS.items():
        lists.setdefault(kind, {})[end] = list(getattr(verdict, ours))
    return said | {"tests_status": lists}


def _readme(one: Outgoing, name: str) -> str:
    low, high = one.interval
    boxes = "\n".join(f"- [ ] {line}" for line in CHECKLIST)
    return (
        f"# {name}\n\nResolved {one.resolved} of {one.total} instances ({one.rate:.1%}, 95% interval {low:.1%} to "
        f"{high:.1%}).\n\n## Submission checklist\n\n{boxes}\n"
    )


def _write_traces(one: Outgoing, folder: Path) -> None:
    """How each patch came about, with the prompts and answers if the run kept them."""
    trails = [line for line in json_lines(one.place / "trail.jsonl") if line.get("candidates") or line.get("answers")]
    wanted = {answer.get("key") for line in trails for answer in line.get("answers") or ()}
    journal = journal_path(_root(one), "answers")
    answers = {record["key"]: record for record in json_lines(journal, torn=True) if record.get("key") in wanted}
    prompts = {record.get("prompt") for record in answers.values()}
    texts = {r["key"]: r.get("text") for r in json_lines(journal, torn=True) if r.get("key") in prompts}
    for line in trails:
        steps = [_step(answer, answers, texts) for answer in line.get("answers") or ()]
        write_json(folder / f"{line['instance_id']}.json", {**line, "answers": steps})


def _root(one: Outgoing) -> Path:
    """The run's folder: above ``checkpoints/<name>[/<condition>]``."""
    return one.place.parents[2 if one.condition else 1]


def _step(answer: Mapping[str, Any], answers: Mapping[str, Any], texts: Mapping[str, Any]) -> dict[str, Any]:
    record = answers.get(str(answer.get("key")), {})
    said = record.get("answer") or {}
    return {**answer, "prompt": texts.get(record.get("prompt")), "answer": said.get("text")}


def _results(one: Outgoing, folder: Path) -> dict[str, Any]:
    """The lists that the repository's own script makes of a submission's files."""
    ids = list(one.rows) or list(one.part)
    patched = {name for name in ids if (folder / "logs" / name / PATCH).is_file()}
    logged = {name for name in patched if (folder / "logs" / name / LOG).is_file()}
    solved = {name for name, attempted in one.part.items() if attempted.verdict.resolved}
    repositories = {name: str(one.rows.get(name, {}).get("repo", "")) for name in ids}
    years = {name: str(one.rows.get(name, {}).get("created_at") or "")[:4] for name in ids}
    return {
        "results.json": {
            "no_generation": sorted(set(ids) - patched),
            "no_logs": sorted(patched - logged),
            "resolved": sorted(solved),
        },
        "resolved_by_repo.json": _counted(repositories, solved),
        "resolved_by_time.json": _counted(years, solved),
    }


def _counted(kinds: Mapping[str, str], solved: Iterable[str]) -> dict[str, dict[str, int]]:
    solved = set(solved)
    counts = {kind: {"resolved": 0, "total": 0} for kind in sorted(set(kinds.values()))}
    for name, kind in kinds.items():
        counts[kind]["total"] += 1
        counts[kind]["resolved"] += name in solved
    return counts


def _missing(one: Outgoing, folder: Path, kept: Mapping[str, Any]) -> Iterator[str]:
    for part, keys in REQUIRED.items():
        for key in keys:
            if (kept.get(part) or {}).get(key) in (None, "", []):
                yield f"{METADATA}: {part}.{key} is missing; give it in a file with --metadata"
    yield "README.md: describe the system, and tick what holds of the checklist"
    if absent := [name for name in one.rows if name not in one.part]:
        yield f"all_preds.jsonl: {len(absent)} of {one.total} instances have no prediction ({absent[0]}, ...)"
    if one.ungraded:
        yield f"logs: {len(one.ungraded)} instances are not graded ({one.ungraded[0]}, ...); let the run finish"
    bare = [n for n, found in one.part.items() if found.patch.strip() and not (folder / "logs" / n / LOG).is_file()]
    if bare := [name for name in bare if name not in one.ungraded]:
        yield f"logs: {len(bare)} patches have no {LOG} ({bare[0]}, ...): they did not apply, or were refused"
    if not (folder / "trajs").is_dir():
        yield "trajs: this run kept no traces of how its patches came about; the repository asks for them"
    solved = set(json.loads((folder / "results" / "results.json").read_text())["resolved"])
    if unlogged := sorted(name for name in solved if not (folder / "logs" / name / LOG).is_file()):
        yield f"results: {len(unlogged)} resolved instances have no log to show it ({unlogged[0]}, ...)"
