"""The log of a training that goes on."""

import json

from lab.training.training_log import Progress


def test_a_line_that_a_kill_tore_is_left_out(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 10}\n{"step": 20}\n{"step": 30}\n{"ste')
    Progress("x", log, steps=40, step_tokens=8, done=20).record(30, 1.0, 0.5)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [10, 20, 30]
