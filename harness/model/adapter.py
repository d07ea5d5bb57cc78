"""A LoRA adapter on top of its base: whether vLLM can serve it, and with which arguments."""

from pathlib import Path
from typing import Any

from harness.config.path_types import ADAPTER
from harness.errors import InputError
from harness.model.checkpoint import read_json, tensors_in

WEIGHTS = "adapter_model.safetensors"
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM has room for
# Kinds of adapters that vLLM does not serve.
UNSERVED = ("use_dora", "lora_bias", "modules_to_save", "alora_invocation_tokens", "layer_replication")
MERGE = (
    "merge it into its base with peft, AutoPeftModelForCausalLM.from_pretrained(ADAPTER).merge_and_unload()"
    ".save_pretrained(OUT), the tokenizer likewise, and give OUT as path"
)


def check_adapter(folder: Path) -> None:
    """Raises InputError, in one line, if vLLM could not serve the adapter in ``folder``."""
    config = read_json(folder / ADAPTER)
    if config.get("peft_type") != "LORA":
        raise InputError(f"{folder}: an adapter of the kind {config.get('peft_type')!r} is not served; {MERGE}")
    if unserved := [name for name in UNSERVED if config.get(name)]:
        raise InputError(f"{folder}: an adapter with {unserved[0]} is not served; {MERGE}")
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder}: an adapter's weights are in {WEIGHTS}, which is missing")
    tensors_in(folder / WEIGHTS)
    _rank(folder, config)


def adapter_arguments(folder: Path, name: str) -> tuple[str, ...]:
    """vLLM's arguments to serve the adapter in ``folder`` as the model ``name``."""
    rank = _rank(folder, read_json(folder / ADAPTER))
    return ("--enable-lora", "--lora-modules", f"{name}={folder}", "--max-lora-rank", str(rank))


def _rank(folder: Path, config: dict[str, Any]) -> int:
    """The least rank that vLLM offers for the adapter's own ones."""
    ranks = [config.get("r"), *(config.get("rank_pattern") or {}).values()]
    known = [rank for rank in ranks if isinstance(rank, int)]
    if not known or len(known) < len(ranks) or max(known) > RANKS[-1]:
        problem = f"the rank r is {config.get('r')!r}, and vLLM serves up to {RANKS[-1]}"
        raise InputError(f"{folder / ADAPTER}: {problem}; {MERGE}")
    return min(rank for rank in RANKS if rank >= max(known))
