"""A Llama with biases on queries, keys and values; what is alike in all layers lies in one tensor, for speed."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lab.training.recipe import HEAD_SIZE, Recipe

EPSILON = 1e-5  # of the norms
SPREAD = 0.7  # of the random matrices, over 1 / sqrt(width)
# Heads that begin by looking back: layer, head, tokens back. The first two show the layers above what came before.
LOOKING_BACK = ((0, 0, 1), (0, 1, 2), (1, 0, 1))
FAST = 8  # rotary frequencies that these heads use, the quickest
DAMPED = 0.2  # what remains of their random queries and keys
COPY_LAYER = 2  # its head 0 begins by copying what followed the current token earlier in the row


class Llama(nn.Module):  # type: ignore[misc,unused-ignore]
    """Causal language model; attention sees the whole row so far, and positions count from the row's beginning."""

    def __init__(self, recipe: Recipe, vocabulary: int, context: int, seed: int) -> None:
        """``vocabulary`` ids, rows of at most ``context`` tokens; ``seed`` determines the beginning on any device."""
        super().__init__()
        self.recipe = recipe
        random = torch.Generator().manual_seed(seed)
        width, layers, wide = recipe.width, recipe.layers, recipe.feed_forward

        def matrices(*shape: int) -> Tensor:
            return torch.randn(shape, generator=random) * (SPREAD / math.sqrt(width))

        embedding = torch.randn(vocabulary, width, generator=random)
        self.embedding = nn.Parameter(embedding)
        self.output = nn.Parameter(embedding * recipe.head_scale)
        self.qkv = nn.Parameter(matrices(layers, 3, width, width))
        self.qkv_bias = nn.Parameter(torch.zeros(layers, 3, width))
        self.attention_out = nn.Parameter(torch.zeros(layers, width, width))
        self.gate_up = nn.Parameter(matrices(layers, 2, wide, width))
        self.down = nn.Parameter(torch.zeros(layers, width, wide))
        self.norms = nn.Parameter(torch.ones(layers, 2, width))
        self.last_norm = nn.Parameter(torch.ones(width))
        with torch.no_grad():
            self._seed_looking_back()
            self._seed_copying(random)
        angles = torch.outer(torch.arange(context, dtype=torch.float32), self._frequencies())
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)

    def matrices(self) -> list[Tensor]:
        """The layers' matrices, in stacks: what Muon moves."""
        return [self.qkv, self.attention_out, self.gate_up, self.down]

    def others(self) -> list[Tensor]:
        """All other parameters."""
        return [self.embedding, self.output, self.qkv_bias, self.norms, self.last_norm]

    def _frequencies(self) -> Tensor:
        """Radians per token of the rotary dimensions (HEAD_SIZE / 2,), quickest first."""
        return self.recipe.rope_theta ** (-torch.arange(0, HEAD_SIZE, 2, dtype=torch.float32) / HEAD_SIZE)

    def _seed_looking_back(self) -> None:
        """Give some heads a bias that makes them attend a fixed number of tokens back, whatever stands there.

        A rotation turns queries and keys by their positions, so a key bias that is the query bias turned by n tokens
        answers best to the query n tokens later.
        """
        half = HEAD_SIZE // 2
        strength = torch.zeros(half)
        strength[:FAST] = self.recipe.previous_bias
        for layer, head, back in LOOKING_BACK:
            first, middle, end = head * HEAD_SIZE, head * HEAD_SIZE + half, (head + 1) * HEAD_SIZE
            turn = self._frequencies() * back
            self.qkv[layer, :2, first:end] *= DAMPED
            self.qkv_bias[layer, 0, first:middle] = strength
            self.qkv_bias[layer, 1, first:middle] = strength * turn.cos()
            self.qkv_bias[layer, 1, middle:end] = strength * turn.sin()

    def _seed_copying(self, random: torch.Generator) -> None:
        """Begin with a circuit that copies: of the current token's earlier place, the token after it.

        Head 0 of the first layer writes who the previous token was into directions of their own. Head 0 of a later
        layer asks for those directions with who the current token is, so it finds the tokens that followed it before,
        and writes who they are. It does so in slow rotary dimensions alone, which hardly turn within the reach.
        """
        who, places = (self._orthogonal(random) for _ in range(2))
        written, copied = places[:HEAD_SIZE], places[HEAD_SIZE : 2 * HEAD_SIZE]
        self.qkv[0, 2, :HEAD_SIZE] = who[:HEAD_SIZE]
        self.attention_out[0, :, :HEAD_SIZE] = written.T
        slow = torch.nonzero(self._frequencies() < 1 / self.recipe.copy_reach).flatten()
        slow = torch.cat([slow, slow + HEAD_SIZE // 2])
        gain, count = self.recipe.copy_gain, len(slow)
        self.qkv[COPY_LAYER, :2, :HEAD_SIZE] = 0
        self.qkv[COPY_LAYER, 0, slow] = gain * who[:count]
        self.qkv[COPY_LAYER, 1, slow] = gain * written[:count]
        self.qkv[COPY_LAYER, 2, :HEAD_SIZE] = copied
        self.attention_out[COPY_LAYER, :, :HEAD_SIZE] = copied.T

    def _orthogonal(self, random: torch.Generator) -> Tensor:
        width = self.recipe.width
        return torch.linalg.qr(torch.randn(width, width, generator=random))[0]

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (rows, length, vocabulary) of the token after each of ``tokens`` (rows, length)."""
        stream = functional.embedding(tokens, self.embedding)
        for layer in self._layers():
            stream = self._layer(stream, *layer)
        return functional.linear(_norm(stream, self.last_norm), self.output)

    def _layers(self) -> Iterator[tuple[Tensor, ...]]:
        stacks = (self.norms, self.qkv, self.qkv_bias, self.attention_out, self.gate_up, self.down)
        return zip(*(stack.unbind(0) for stack in stacks), strict=True)

    def _layer(self, stream: Tensor, *weights: Tensor) -> Tensor:
        norms, qkv, bias, attention_out, gate_up, down = weights
        rows, length, width = stream.shape
        mixed = functional.linear(_norm(stream, norms[0]), qkv.reshape(3 * width, width), bias.reshape(-1))
        heads = mixed.view(rows, length, 3, self.recipe.heads, HEAD_SIZE).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)
        seen = functional.scaled_dot_product_attention(self._turn(query), self._turn(key), value, is_causal=True)
        stream = stream + functional.linear(seen.transpose(1, 2).reshape(rows, length, width), attention_out)
        wide = functional.linear(_norm(stream, norms[1]), gate_up.reshape(-1, width))
        gate, up = wide.chunk(2, dim=-1)
        return stream + functional.linear(functional.silu(gate) * up, down)

    def _turn(self, heads: Tensor) -> Tensor:
        """Rotary positions, for (rows, heads, length, HEAD_SIZE)."""
        length = heads.shape[2]
        cosine, sine = self.cosine[:length], self.sine[:length]
        left, right = heads.chunk(2, dim=-1)
        turned = torch.cat([left * cosine - right * sine, right * cosine + left * sine], dim=-1)
        return turned.to(heads.dtype)

    def losses(self, tokens: Tensor, weights: Tensor, answers: Tensor) -> tuple[Tensor, Tensor]:
        """The loss to train on, and the mean loss of the answers' tokens, in nats (0 if there are none).

        ``weights`` (rows, length) is what each token counts as one to be predicted, ``answers`` 1 where it is an
        answer's; the first token of a row is predicted by nothing.
        """
        logits = self(tokens)[:, :-1].float()
        targets = tokens[:, 1:]
        each = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        weights, answers = weights[:, 1:].flatten(), answers[:, 1:].flatten()
        loss = (each * weights).sum() / weights.sum().clamp(min=1e-6)
        return loss, (each.detach() * answers).sum() / answers.sum().clamp(min=1)


def _norm(stream: Tensor, weight: Tensor) -> Tensor:
    return functional.rms_norm(stream, (stream.shape[-1],), weight, EPSILON)


def named_weights(model: Llama) -> dict[str, Any]:
    """The weights by the names and in the shapes that Hugging Face's Llama has; its output bias is zero."""
    weights = {
        "model.embed_tokens.weight": model.embedding,
        "model.norm.weight": model.last_norm,
        "lm_head.weight": model.output,
    }
    for number in range(model.recipe.layers):
        prefix = f"model.layers.{number}."
        for place, name in enumerate("qkv"):
            weights[f"{prefix}self_attn.{name}_proj.weight"] = model.qkv[number, place]
            weights[f"{prefix}self_attn.{name}_proj.bias"] = model.qkv_bias[number, place]
        weights[f"{prefix}self_attn.o_proj.weight"] = model.attention_out[number]
        weights[f"{prefix}self_attn.o_proj.bias"] = torch.zeros(model.recipe.width)
        weights[f"{prefix}mlp.gate_proj.weight"] = model.gate_up[number, 0]
        weights[f"{prefix}mlp.up_proj.weight"] = model.gate_up[number, 1]
        weights[f"{prefix}mlp.down_proj.weight"] = model.down[number]
        weights[f"{prefix}input_layernorm.weight"] = model.norms[number, 0]
        weights[f"{prefix}post_attention_layernorm.weight"] = model.norms[number, 1]
    return {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
