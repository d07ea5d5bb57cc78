"""Random checkpoints: the same bytes from the same seed, and text comes back as it went in."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.miniature.checkpoints import Shape, train_tokenizer, write_random_checkpoint

CORPUS = ["def total_of(values):\n    return sum(values) + 12\n", "class Thing:\n\tname = 'x'\n"] * 5


def digests(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_the_seed_decides_the_weights_and_nothing_else(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_random_checkpoint(tmp_path / name, seed, corpus=CORPUS)
    a, b, c = (digests(tmp_path / name) for name in "abc")
    assert a == b
    assert {name for name in a if a[name] != c[name]} == {"model.safetensors"}


@pytest.mark.parametrize("corpus", [[], CORPUS])
@given(text=st.text())
def test_any_text_survives_the_tokenizer(corpus, text):
    tokenizer = train_tokenizer(corpus, 400)
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_digits_are_single_and_name_parts_whole():
    tokenizer = train_tokenizer(CORPUS * 20, 1024)
    assert tokenizer.encode(" total_of(12)").tokens == ["Ġtotal", "_of", "(", "1", "2", ")"]


def test_the_weights_are_what_the_configuration_says(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    write_random_checkpoint(tmp_path, 1, Shape(hidden=192, layers=3, feed_forward=100))
    with safetensors.safe_open(tmp_path / "model.safetensors", framework="numpy") as file:
        assert len(file.keys()) == 3 + 3 * 9
        assert file.get_slice("model.layers.2.mlp.down_proj.weight").get_shape() == [192, 100]
        assert file.get_slice("lm_head.weight").get_shape() == [262, 192]  # every byte and six special tokens
        assert file.get_slice("lm_head.weight").get_dtype() == "BF16"


@pytest.mark.vllm
def test_transformers_loads_it(tmp_path):
    transformers = pytest.importorskip("transformers")
    write_random_checkpoint(tmp_path, 1)
    model, report = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert model.config.head_dim == 64
