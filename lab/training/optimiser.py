"""Muon for the matrices of the layers, Adam for everything else, with rates that a tensor scales."""

from typing import Any

import torch
from torch import Tensor

from lab.training.recipe import Recipe

MOMENTUM = 0.95
ITERATIONS = 5
# Coefficients of the quintic iteration that drives singular values towards 1 (Jordan et al., Muon, 2024).
QUINTIC = (3.4445, -4.7750, 2.0315)
MATRIX_DECAY = 0.01  # weight decay of the matrices, over their rate
BETAS = (0.9, 0.98)


def rate_factors(recipe: Recipe, steps: int) -> Tensor:
    """What the rates are multiplied by in each step (steps,): a rise, a level, a linear fall to nothing."""
    number = torch.arange(steps, dtype=torch.float64)
    rise = (number + 1) / recipe.warmup
    fall = (1 - number / steps) / recipe.decay
    return torch.minimum(rise, fall).clamp(max=1).float()


def orthogonalised(matrices: Tensor, precision: torch.dtype) -> Tensor:
    """Matrices (..., rows, columns) with their singular values brought near 1, computed in ``precision``."""
    first, third, fifth = QUINTIC
    tall = matrices.shape[-2] > matrices.shape[-1]
    current = (matrices.mT if tall else matrices).to(precision)
    current = current / (current.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        square = current @ current.mT
        current = first * current + (third * square + fifth * square @ square) @ current
    return (current.mT if tall else current).to(matrices.dtype)


class Optimiser:
    """One step at a time; all of it stays on the device, so that a CUDA graph can hold it."""

    def __init__(self, recipe: Recipe, matrices: list[Tensor], others: list[Tensor], precision: torch.dtype) -> None:
        """``precision`` is what Muon multiplies matrices in; parameters and moments stay float32."""
        self._recipe = recipe
        self._matrices = matrices
        self._precision = precision
        self._momentum = [torch.zeros_like(matrix) for matrix in matrices]
        rate = torch.zeros((), device=matrices[0].device)
        on_gpu = matrices[0].is_cuda
        self._adam = torch.optim.AdamW(others, lr=rate, betas=BETAS, weight_decay=0.0, fused=True, capturable=on_gpu)

    def step(self, factor: Tensor) -> None:
        """Move all parameters by their gradients, at ``factor`` times the recipe's rates."""
        with torch.no_grad():
            self._adam.param_groups[0]["lr"].copy_(factor * self._recipe.other_rate)
            self._adam.step()
            for matrix, momentum in zip(self._matrices, self._momentum, strict=True):
                self._move(matrix, momentum, factor * self._recipe.matrix_rate)

    def _move(self, matrix: Tensor, momentum: Tensor, rate: Tensor) -> None:
        momentum.lerp_(matrix.grad, 1 - MOMENTUM)
        direction = orthogonalised(matrix.grad.lerp(momentum, MOMENTUM), self._precision)
        rows, columns = matrix.shape[-2:]
        scale = max(1.0, rows / columns) ** 0.5
        matrix.mul_(1 - rate * MATRIX_DECAY).sub_(direction * (rate * scale))

    def state(self) -> dict[str, Any]:
        """What a later `restore` needs to go on."""
        return {"momentum": self._momentum, "adam": self._adam.state_dict()["state"]}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state` of an optimiser of the same parameters."""
        for momentum, saved in zip(self._momentum, state["momentum"], strict=True):
            momentum.copy_(saved)
        groups = self._adam.state_dict()["param_groups"]
        self._adam.load_state_dict({"state": state["adam"], "param_groups": groups})
