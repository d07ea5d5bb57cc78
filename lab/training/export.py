"""A trained model as a Hugging Face folder that transformers and vLLM load."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from lab.training.data import Specials
from lab.training.model import EPSILON, Llama, named_weights
from lab.training.recipe import HEAD_SIZE, Recipe

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


def export(model: Llama, tokenizer: Path, specials: Specials, folder: Path) -> None:
    """Write weights (bfloat16), configuration and the tokenizer's files to ``folder``.

    The type is Llama: with a Qwen2 configuration transformers would split text by another rule than the tokenizer's.
    """
    for name in TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, folder / name)
    ends = {"bos_token_id": specials.bos, "eos_token_id": specials.eos, "pad_token_id": specials.pad}
    _write_json(folder / "config.json", {**llama_config(model.recipe, specials.vocabulary), **ends})
    _write_json(folder / "generation_config.json", ends)
    weights = {name: weight.to(torch.bfloat16) for name, weight in named_weights(model).items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def llama_config(recipe: Recipe, vocabulary: int) -> dict[str, Any]:
    """Content of config.json, but for the special tokens."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": recipe.width,
        "intermediate_size": recipe.feed_forward,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "num_key_value_heads": recipe.heads,
        "head_dim": HEAD_SIZE,
        "hidden_act": "silu",
        "max_position_embeddings": recipe.positions,
        "rms_norm_eps": EPSILON,
        "rope_theta": recipe.rope_theta,
        "attention_bias": True,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
