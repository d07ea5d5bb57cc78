"""Which devices there are, how many a server takes, and what can't be placed on them."""

import pytest
from pydantic import ValidationError

from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.errors import InputError
from harness.model import devices
from harness.model.checkpoint import server_arguments
from harness.model.devices import check_batch_invariance, check_placing, devices_here, devices_of_server


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["0-3"], ("0", "1", "2", "3")),
        ([0, 1, "4-5", 7], ("0", "1", "4", "5", "7")),
        (["GPU-8f2d1c3e-11aa", "MIG-1b2c/3/0"], ("GPU-8f2d1c3e-11aa", "MIG-1b2c/3/0")),
    ],
)
def test_gpus_are_numbers_ranges_and_names(given, found):
    assert ServingConfig(gpus=given).gpus == found


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"gpus": ["0-6"], "per_checkpoint": 2}, "7 gpus can't be divided into servers of per_checkpoint: 2"),
        ({"gpus": [0, 1, "1-2"]}, "GPU 1 comes more than once"),
        ({"gpus": []}, "names no GPU"),
        ({"gpus": ["3-1"]}, "names no GPU"),
        ({"gpus": ["all"]}, "all is no GPU: give numbers"),
        ({"gpus": [True]}, "True is no GPU"),
        ({"gpus": [0, 1], "ahead": 1}, "ahead is for machines without a GPU"),
    ],
)
def test_what_cannot_be_meant_is_said(keys, said):
    with pytest.raises(ValidationError) as caught:
        ServingConfig(**keys)
    assert said in str(caught.value)


@pytest.mark.parametrize(("cpu", "found"), [(False, ("2", "3")), (True, ())])
def test_without_a_word_in_the_run_file_the_environment_names_them(monkeypatch, cpu, found):
    monkeypatch.setattr(devices, "serves_on_cpu", lambda: cpu)
    environment = {"CUDA_VISIBLE_DEVICES": "2, 3"}
    assert devices_here(ServingConfig(), environment) == found
    assert devices_here(ServingConfig(gpus=["0-1"]), environment) == ("0", "1")
    assert devices_here(ServingConfig(), {}) == ()


@pytest.mark.parametrize(
    ("args", "count"),
    [
        ([], 1),
        (["--tensor-parallel-size=4"], 4),
        (["-tp", "2", "--data_parallel_size", "3", "--pipeline-parallel-size=2"], 12),
    ],
)
def test_a_server_takes_the_product_of_its_parallel_sizes(args, count):
    assert devices_of_server(args) == count


def test_a_size_that_is_no_number_is_said():
    with pytest.raises(InputError, match="tensor-parallel-size=all: give a whole number"):
        devices_of_server(["--tensor-parallel-size=all"])


def served(tmp_path, **keys) -> CheckpointConfig:
    return CheckpointConfig(name="a", path=tmp_path, **keys)


def test_several_gpus_for_a_checkpoint_divide_its_model_unless_the_arguments_say_how(tmp_path):
    serving = ServingConfig(gpus=["0-3"], per_checkpoint=2)
    assert server_arguments(served(tmp_path), serving) == ("--tensor-parallel-size=2",)
    assert server_arguments(served(tmp_path, server_args=["-dp", "2"]), serving) == ("-dp", "2")
    assert server_arguments(served(tmp_path), ServingConfig(per_checkpoint=1)) == ()


@pytest.mark.parametrize(
    ("keys", "serving", "said"),
    [
        ({"replicas": 3}, {"gpus": ["0-3"], "per_checkpoint": 2}, "3 replicas of 2 need 6 devices, but there are 4"),
        ({"server_args": ["-tp", "8"]}, {"gpus": ["0-3"]}, "its server needs 8 devices, but there are 4"),
        (
            {"server_args": ["-tp", "4"]},
            {"gpus": ["0-3"], "per_checkpoint": 2},
            "4 devices, serving.per_checkpoint over 2",
        ),
        ({"replicas": 2}, {"gpus": ["0-3"], "per_checkpoint": 2}, None),
    ],
)
def test_servers_that_find_no_place_are_said(tmp_path, keys, serving, said):
    configured = ServingConfig(**serving)
    if said is None:
        check_placing(served(tmp_path, **keys), configured, devices_here(configured))
        return
    with pytest.raises(InputError, match=f"checkpoint a: .*{said}") as caught:
        check_placing(served(tmp_path, **keys), configured, devices_here(configured))
    assert "\n" not in str(caught.value)


def test_the_batch_invariant_mode_is_refused_where_vllm_does_not_have_it(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "serves_on_cpu", lambda: True)
    check_batch_invariance(ServingConfig())
    with pytest.raises(InputError, match=r"vLLM's CPU build has no such mode; it needs a GPU .*leave the key out"):
        check_batch_invariance(ServingConfig(batch_invariant=True))
    monkeypatch.setattr(devices, "serves_on_cpu", lambda: False)
    check_batch_invariance(ServingConfig(batch_invariant=True))
    monkeypatch.setattr(devices, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="the vLLM installed here has no such mode"):
        check_batch_invariance(ServingConfig(batch_invariant=True))


def test_loading_ahead_is_not_for_the_gpus_of_the_environment(tmp_path):
    with pytest.raises(InputError, match=r"serving\.ahead is for machines without a GPU"):
        check_placing(served(tmp_path), ServingConfig(ahead=1), ("0", "1"))
