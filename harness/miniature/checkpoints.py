"""Tiny checkpoints with random weights, in Hugging Face form: real enough for vLLM, made in a second without torch."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja")
SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<|system|>", "<|user|>", "<|assistant|>")
HEAD_SIZE = 64  # one that vLLM's CPU backend takes
# Words and underscore-led parts of names stay whole, digits single, line breaks apart from their indentation.
PIECES = r" ?\p{L}+|_\p{L}+|\n+| +(?=\S)|\s+| ?[^\s\p{L}\p{N}_]+|_"


@dataclass(frozen=True)
class Shape:
    """Size of a miniature checkpoint."""

    hidden: int = 128  # a multiple of HEAD_SIZE
    layers: int = 2
    feed_forward: int = 256
    vocabulary: int = 1024  # at most; a small corpus has fewer, no corpus the bytes and the special tokens
    context: int = 8192  # tokens


def write_random_checkpoint(
    folder: Path, seed: int, shape: Shape = Shape(), corpus: Sequence[str] = (), chat_template: bool = True
) -> None:
    """Write a Llama-type checkpoint with random bfloat16 weights that vLLM and transformers load.

    The same arguments produce the same bytes. The tokenizer is a byte-level BPE trained on ``corpus``
    (every byte is a token of its own if the corpus is empty); it reproduces any text exactly.
    Llama type, since ``AutoTokenizer`` silently swaps the splitting rule of a Qwen2 one. Existing
    files of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(corpus, shape.vocabulary)
    tokenizer.save(str(folder / "tokenizer.json"))
    shape = replace(shape, vocabulary=tokenizer.get_vocab_size())
    _write_json(folder / "tokenizer_config.json", tokenizer_config(shape.context, chat_template))
    _write_json(folder / "config.json", llama_config(shape))
    _write_json(folder / "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0})
    write_weights(folder / "model.safetensors", dict(_random_weights(shape, seed)))


def train_tokenizer(corpus: Sequence[str], vocabulary: int) -> "Tokenizer":
    """Byte-level BPE of at most ``vocabulary`` tokens, trained on the texts of ``corpus``."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL_TOKENS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def tokenizer_config(context: int, chat_template: bool = True) -> dict[str, Any]:
    """Content of tokenizer_config.json for a tokenizer of `train_tokenizer`."""
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
    }
    if chat_template:
        config["chat_template"] = CHAT_TEMPLATE.read_text(encoding="utf-8")
    return config


def llama_config(shape: Shape) -> dict[str, Any]:
    """Content of config.json for an untied Llama-type model of that shape."""
    heads = shape.hidden // HEAD_SIZE
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "head_dim": HEAD_SIZE,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "initializer_range": 0.02,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "torch_dtype": "bfloat16",
    }


def _random_weights(shape: Shape, seed: int) -> "Iterator[tuple[str, np.ndarray[Any, Any]]]":
    import numpy as np

    random = np.random.default_rng(seed)
    hidden, wide = shape.hidden, shape.feed_forward

    def matrix(rows: int, columns: int) -> "np.ndarray[Any, Any]":
        return random.standard_normal((rows, columns), dtype=np.float32) / np.float32(columns**0.5)

    yield "model.embed_tokens.weight", matrix(shape.vocabulary, hidden)
    for layer in range(shape.layers):
        prefix = f"model.layers.{layer}."
        for name in ("input_layernorm", "post_attention_layernorm"):
            yield f"{prefix}{name}.weight", np.ones(hidden, dtype=np.float32)
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            yield f"{prefix}self_attn.{name}.weight", matrix(hidden, hidden)
        for name in ("gate_proj", "up_proj"):
            yield f"{prefix}mlp.{name}.weight", matrix(wide, hidden)
        yield f"{prefix}mlp.down_proj.weight", matrix(hidden, wide)
    yield "model.norm.weight", np.ones(hidden, dtype=np.float32)
    yield "lm_head.weight", matrix(shape.vocabulary, hidden)


def write_weights(path: Path, weights: "dict[str, np.ndarray[Any, Any]]") -> None:
    """Write float32 arrays as a bfloat16 safetensors file, rounded to the nearest even value."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    blobs, position = [], 0
    for name, array in weights.items():
        blob = _bfloat16(array)
        header[name] = {"dtype": "BF16", "shape": list(array.shape), "data_offsets": [position, position + len(blob)]}
        blobs.append(blob)
        position += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # tensors start aligned
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def _bfloat16(array: "np.ndarray[Any, Any]") -> bytes:
    import numpy as np

    bits = np.ascontiguousarray(array, dtype="<f4").view("<u4").astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return rounded.astype("<u2").tobytes()


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
