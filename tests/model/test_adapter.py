"""LoRA adapters: which can be served, how, and what tells them apart."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.errors import InputError
from harness.miniature.checkpoints import write_random_checkpoint
from harness.model.adapter import adapter_arguments, check_adapter
from harness.model.checkpoint import checkpoint_revision, served_revision
from harness.model.served import ServedCheckpoint
from harness.model.server import VllmServer

STUB = Path(__file__).with_name("stub_server")


WEIGHTS = (2).to_bytes(8, "little") + b"{}"  # a file of safetensors without a tensor


def write_adapter(folder: Path, weights: bytes = WEIGHTS, **config: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 16, **config}))
    (folder / "adapter_model.safetensors").write_bytes(weights)
    return folder


@pytest.mark.parametrize(
    ("config", "rank"), [({}, 16), ({"r": 4}, 8), ({"r": 100}, 128), ({"r": 8, "rank_pattern": {"q_proj": 64}}, 64)]
)
def test_an_adapter_is_the_model_that_is_asked(tmp_path, config, rank):
    folder = write_adapter(tmp_path / "adapter", **config)
    check_adapter(folder)
    expected = ("--enable-lora", "--lora-modules", f"tiny={folder}", "--max-lora-rank", str(rank))
    assert adapter_arguments(folder, "tiny") == expected


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"peft_type": "IA3"}, "kind 'IA3' is not served; merge it"),
        ({"use_dora": True}, "use_dora is not served; merge it"),
        ({"modules_to_save": ["embed_tokens"]}, "modules_to_save is not served; merge it"),
        ({"r": 1024}, "the rank r is 1024, and vLLM serves up to 512; merge it"),
        ({"r": None}, "the rank r is None"),
    ],
)
def test_what_vllm_does_not_serve_is_told_with_how_to_merge_it(tmp_path, config, said):
    with pytest.raises(InputError, match=said) as caught:
        check_adapter(write_adapter(tmp_path / "adapter", **config))
    assert "merge_and_unload" in str(caught.value)


def test_an_adapter_without_weights_is_told(tmp_path):
    folder = write_adapter(tmp_path / "adapter")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match=r"adapter_model\.safetensors, which is missing"):
        check_adapter(folder)


def test_an_adapter_whose_weights_are_cut_is_told_before_the_start(tmp_path):
    with pytest.raises(InputError, match=r"adapter_model\.safetensors: .*truncated"):
        check_adapter(write_adapter(tmp_path / "adapter", WEIGHTS[:9]))


async def test_the_server_has_the_adapter_under_the_checkpoints_name(tmp_path, monkeypatch):
    """``--lora-modules`` among the server's arguments ran, and the base was asked under the adapter's name."""
    monkeypatch.setenv("PYTHONPATH", str(STUB))
    monkeypatch.syspath_prepend(str(STUB))
    monkeypatch.setenv("STUB_VLLM", "")
    write_random_checkpoint(tmp_path / "base", seed=1)
    folder = write_adapter(tmp_path / "adapter")
    async with VllmServer(tmp_path / "base", "tiny", (), tmp_path, adapter=folder) as server:
        assert server.name == "tiny"
    log = (tmp_path / "tiny.server.log").read_text()
    assert "'--served-model-name', 'tiny.base'" in log
    assert f"'--enable-lora', '--lora-modules', 'tiny={folder}', '--max-lora-rank', '16'" in log
    for flag in ("--lora-modules=tiny=x", "--enable-lora"):
        with pytest.raises(InputError, match="give the checkpoint's base and adapter"):
            VllmServer(tmp_path / "base", "tiny", (flag,), tmp_path)


def test_an_adapters_content_is_part_of_the_revision_and_its_place_is_not(tmp_path):
    write_random_checkpoint(tmp_path / "base", seed=1)

    def revision(folder: Path) -> str:
        checkpoint = CheckpointConfig(name="tiny", base=tmp_path / "base", adapter=folder)
        assert ServedCheckpoint(checkpoint, ServingConfig(), 1, tmp_path).revision == served_revision(checkpoint)
        return served_revision(checkpoint)

    first = revision(write_adapter(tmp_path / "a"))
    assert revision(write_adapter(tmp_path / "b")) == first
    assert revision(write_adapter(tmp_path / "c", b"others")) != first
    assert revision(write_adapter(tmp_path / "d", lora_alpha=32)) != first
    alone = CheckpointConfig(name="tiny", path=tmp_path / "base")
    assert served_revision(alone) == checkpoint_revision(tmp_path / "base") != first


@pytest.mark.parametrize(
    "given",
    [{"base": "b"}, {"adapter": "a"}, {"base": "b", "adapter": "a", "path": "p"}, {"path": "p", "adapter": "a"},
     {"base": "b", "adapter": "a", "endpoint": "http://host/v1"}],
)  # fmt: skip
def test_base_and_adapter_go_together(given):
    with pytest.raises(ValidationError, match="give "):
        CheckpointConfig(name="tiny", **given)
