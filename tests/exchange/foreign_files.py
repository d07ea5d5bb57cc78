"""Folders as other harnesses leave them, small: three instances, of which one is solved."""

import json

NEW, OLD = "tests/test_a.py::test_new", "tests/test_a.py::test_old"
IDS = [f"pallets__flask-{number}" for number in (1, 2, 3)]
PATCH = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = {}\n"
GOOD = PATCH.format(2)


def rows(row, ids=IDS):
    return [row(instance_id=name, repo="pallets/flask", version="2.0") for name in ids]


def log_of_tests(new="PASSED", status=None):
    """What the official harness keeps of the tests: its script traced, the markers among the trace."""
    failed = new != "PASSED"
    ending = "1 failed, 1 passed" if failed else "2 passed"
    lines = [
        "+ git checkout abc tests/test_a.py",
        "Updated 1 path from abc",
        "+ : '>>>>> Start Test Output'",
        "+ pytest -rA tests/test_a.py",
        f"{new} {NEW}",
        f"PASSED {OLD}",
        f"===== {ending} in 0.10s =====",
        "+ : '>>>>> End Test Output'",
        "+ git checkout abc tests/test_a.py",
    ]
    if status is not None:
        lines.append(f">>>>> Test Exit Code: {status}")
    return "\n".join(lines) + "\n"


def report(name, resolved, tests=True):
    lists = {
        "FAIL_TO_PASS": {"success": [NEW] if resolved else [], "failure": [] if resolved else [NEW]},
        "PASS_TO_PASS": {"success": [OLD], "failure": []},
    }
    said = {
        "patch_is_None": False,
        "patch_exists": True,
        "patch_successfully_applied": True,
        "resolved": resolved,
    }
    return {name: said | ({"tests_status": lists} if tests else {})}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=4))
    return path


def write_lines(path, lines):
    return write(path, "".join(json.dumps(line) + "\n" for line in lines))


def instance_logs(place, name, solved, patch=GOOD, **kept):
    """One instance's folder of the official harness; ``kept``: other content, or None for a file that is gone."""
    files = {
        "patch.diff": patch,
        "eval.sh": "#!/bin/bash\n",
        "run_instance.log": "2026-01-01 - INFO - >>>>> Applied Patch:\nTest runtime: 3.20 seconds\n",
        "test_output.txt": log_of_tests("PASSED" if solved else "FAILED"),
        "report.json": report(name, solved),
    }
    for file, content in (files | kept).items():
        if content is not None:
            write(place / name / file, content)


def official(root, model="some/model", run_id="first", solved=IDS[:1], ids=IDS, predictions=True):
    """A working folder of the official harness."""
    logs = root / "logs" / "run_evaluation" / run_id / model.replace("/", "__")
    for name in ids:
        instance_logs(logs, name, name in solved)
    ended = {"resolved_ids": list(solved), "unresolved_ids": [name for name in ids if name not in solved]}
    document = {"total_instances": len(IDS), "submitted_ids": list(ids), "empty_patch_ids": [], **ended}
    write(root / f"{model.replace('/', '__')}.{run_id}.json", document | {"schema_version": 2})
    if predictions:
        write_lines(root / "predictions.jsonl", [prediction(name, model) for name in ids])
    return root


def prediction(name, model="some/model", patch=GOOD):
    return {"instance_id": name, "model_name_or_path": model, "model_patch": patch}


def submission(root, title="Some System + some-model", solved=IDS[:1], ids=IDS, logs=True):
    """A folder of the public repository of submissions to the leaderboard."""
    write_lines(root / "all_preds.jsonl", [prediction(name, "20240101_some") for name in ids])
    write(root / "metadata.yaml", f"info:\n  name: {title}\n  site: https://example.org\ntags:\n  checked: false\n")
    write(root / "README.md", "A system.\n")
    for name in ids if logs else ():
        instance_logs(root / "logs", name, name in solved, **{"run_instance.log": None, "eval.sh": None})
    write(root / "results" / "results.json", {"no_generation": [], "no_logs": [], "resolved": list(solved)})
    return root


def agentless(root, solved=IDS[:1]):
    """A results folder of Agentless: samples, located places, the patches that its vote selected, and logs."""
    for folder in (1, 2):
        for sample in (0, 1):
            lines = [
                {
                    **prediction(name, "agentless", "" if sample and folder == 2 else PATCH.format(2 + sample)),
                    "raw_model_patch": "",
                    "original_file_content": ["x = 1\n"],
                }
                for name in IDS
            ]
            write_lines(root / f"repair_sample_{folder}" / f"output_{sample}_processed.jsonl", lines)
    write_lines(
        root / "edit_location_individual" / "loc_merged_0-0_outputs.jsonl",
        [
            {
                "instance_id": name,
                "found_files": ["a.py", "b.py"],
                "found_edit_locs": {"a.py": ["function: f\nline: 1\nline: 3"], "b.py": [""]},
            }
            for name in IDS
        ],
    )
    write_lines(root / "all_preds.jsonl", [prediction(name, "agentless") for name in IDS])
    for name in IDS:
        instance_logs(root / "logs" / "run_evaluation" / "a" / "agentless", name, name in solved)
    return root


def mini(root):
    """What mini-swe-agent leaves: predictions by instance, and a trajectory of each."""
    write(root / "preds.json", {name: prediction(name, "anthropic/claude") for name in IDS})
    write(root / IDS[0] / f"{IDS[0]}.traj.json", {"info": {"exit_status": "Submitted"}, "messages": []})
    return root


def openhands(root, solved=IDS[:1], evaluated=True):
    """The output of OpenHands' agents, as its evaluation completes it."""
    lines = []
    for name in IDS:
        done = {
            "report": {"resolved": name in solved, "empty_generation": False, "failed_apply_patch": False},
            "apply_patch_output": ">>>>> Applied Patch",
            "test_output": log_of_tests("PASSED" if name in solved else "FAILED"),
        }
        lines.append(
            {
                "instance_id": name,
                "instruction": "fix it",
                "metadata": {"agent_class": "CodeActAgent", "llm_config": {"model": "litellm_proxy/some-model"}},
                "history": [],
                "error": None,
                "test_result": {"git_patch": PATCH.format(2), **(done if evaluated else {})},
            }
        )
    write_lines(root / "output.jsonl", lines)
    return root
