"""Importing, as the command does it."""

import pytest
from foreign_files import rows, write_lines

from harness.dataset.instances import load_instances
from harness.exchange.import_results import import_results
from harness.exchange.layouts import Reading


@pytest.fixture
def dataset(row, tmp_path):
    return write_lines(tmp_path / "rows.jsonl", rows(row))


@pytest.fixture
def read_in(dataset, tmp_path):
    """Imports sources; returns the results folder and what the user is told."""

    def read(*sources, names=(), trust_reports=False, run_id=None, output="imported", ids=None):
        known = load_instances(str(dataset))
        chosen = [one for one in known if ids is None or one.instance_id in ids]
        reading = Reading(chosen, frozenset(one.instance_id for one in known), run_id)
        found = import_results(sources, tmp_path / output, str(dataset), reading, names, trust_reports)
        return tmp_path / output, found

    return read
