"""What the demo's run file says, as far as it depends on the machine."""

import pytest

from harness.config.schema import RunConfig
from harness.model.devices import check_placing
from harness.pipeline.demo import demo_settings, shipped_checkpoints


@pytest.mark.parametrize(("on_cpu", "ahead", "devices"), [(True, 1, ()), (False, 0, ("0", "1"))])
def test_the_demo_loads_ahead_where_there_is_no_gpu_and_can_be_placed_where_there_is(on_cpu, ahead, devices):
    document = {"dataset": {"path": "rows.jsonl"}, "checkpoints": shipped_checkpoints(), **demo_settings(on_cpu)}
    config = RunConfig.model_validate(document)
    assert config.serving.ahead == ahead
    assert config.serving.args
    for checkpoint in config.checkpoints:
        check_placing(checkpoint, config.serving, devices)


def test_the_demos_tokens_are_those_that_a_checkpoint_was_trained_on():
    """A pass over restart-last-document's rows is longer than one over concat-then-split's; both trained on as many."""
    metrics = {entry["name"]: entry["packing_metrics"] for entry in shipped_checkpoints()}
    assert {numbers["tokens_billion"] for numbers in metrics.values()} == {0.00299904}
    assert metrics["pad-last-document"]["padding_percent"] > 10
