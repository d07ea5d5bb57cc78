"""torchtitan's data loader, model and loss, on a processor that its attention does not officially train on."""

from pathlib import Path
from typing import Any

from parts.trainers.common import drawn, packed, stepped, unpacked_losses

Losses = tuple[list[float], list[float]]


def tiny_model() -> Any:
    """The Llama that torchtitan is debugged with, two of its layers, the same at each call.

    Its attention is neither compiled nor refused.
    """
    import torch
    import torch.nn.attention.flex_attention as flex
    from torchtitan.models.common.attention import FlexAttention
    from torchtitan.models.llama3 import llama3_configs

    flex._validate_device = lambda *_: None
    flex._FLEX_ATTENTION_DISABLE_COMPILE_DEBUG = True
    FlexAttention._compiled_flex_attn = staticmethod(flex.flex_attention)
    config = llama3_configs["debugmodel"](attn_backend="flex")
    del config.layers[2:]
    torch.manual_seed(0)
    model = config.build()
    model.init_states()
    return model


def logits(model: Any, ids: Any, positions: Any) -> Any:
    """What the model says, each document by itself."""
    return model(ids, positions, model.get_attention_masks(positions))


def index_in_torchtitan(folder: Path) -> Losses:
    """An index, each label at the token that predicts it."""
    import torch
    from torchtitan.components.dataloader import ParallelAwareDataloader
    from torchtitan.components.loss import cross_entropy_loss

    from harness.packing.reader import NextTokens, PackedIndex

    rows = NextTokens(PackedIndex(packed(folder, drawn(True), None)))
    loader = ParallelAwareDataloader(rows, dp_rank=0, dp_world_size=1, batch_size=len(rows))
    [(given, labels)] = list(loader)
    total = (labels != -100).sum()

    def loss(trained: Any) -> Any:
        return cross_entropy_loss(logits(trained, given["input"], given["positions"]), labels) / total

    def forward(alone: Any, ids: Any) -> Any:
        return logits(alone, ids, torch.arange(ids.shape[1])[None])

    return stepped(tiny_model(), loss), unpacked_losses(tiny_model(), drawn(True), forward)
