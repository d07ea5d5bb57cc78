import pytest

from harness.model.checkpoint import answering_arguments


@pytest.mark.parametrize(
    ("args", "kept"),
    [
        (("--gpu-memory-utilization=0.9",), ()),
        (("--gpu-memory-utilization", "0.9", "--dtype", "float32"), ("--dtype", "float32")),
        (("--gpu_memory_utilization=0.5", "--seed=1"), ("--seed=1",)),
        (("--disable-log-stats", "--enforce-eager"), ("--enforce-eager",)),
        (("--max-model-len", "4096"), ("--max-model-len", "4096")),
        ((), ()),
    ],
)
def test_arguments_about_room_and_logs_are_left_out_with_their_values(args, kept):
    assert answering_arguments(args) == kept
