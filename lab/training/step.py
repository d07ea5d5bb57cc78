"""Training steps on one device: rows, their order, rates and losses all lie there, so that nothing waits for Python."""

import logging
from pathlib import Path
from shutil import which
from typing import Any

import torch

from lab.training.data import ANSWER, PackedRows
from lab.training.model import Llama
from lab.training.optimiser import Optimiser, rate_factors
from lab.training.recipe import Recipe

WARM_STEPS = 3  # that run one kernel at a time before a CUDA graph is captured: libraries allocate and choose in them
COMPILERS = ("g++", "clang++", "c++")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}  # a CPU without them is several times slower in bfloat16 than in float32

logger = logging.getLogger(__name__)


def fitting_precision(device: torch.device) -> torch.dtype:
    """What matrices are multiplied in: bfloat16 if the device is quick at it. Parameters stay float32."""
    if device.type == "cuda":
        return torch.bfloat16
    cpu = Path("/proc/cpuinfo")
    flags = set(cpu.read_text(encoding="utf-8").split()) if cpu.is_file() else set()
    return torch.bfloat16 if flags & BFLOAT16_FLAGS else torch.float32


class Steps:
    """A model in training. The same arguments on the same CPU produce the same losses, bit for bit."""

    def __init__(self, recipe: Recipe, model: Llama, rows: PackedRows, order: Any, device: torch.device) -> None:
        """``order`` is `row_order`'s; the model is moved to the device."""
        steps = len(order)
        self.model = model.to(device)
        self.precision = fitting_precision(device)
        self.curve = torch.zeros(steps, 2, device=device)  # loss, and loss of the answers' tokens, in nats
        self._device = device
        self._optimiser = Optimiser(recipe, model.matrices(), model.others(), self.precision)
        self._tokens = torch.from_numpy(rows.tokens).to(device)
        self._kinds = torch.from_numpy(rows.kinds).to(device)
        self._weights = torch.tensor([0.0, recipe.prompt_weight, recipe.answer_weight], device=device)
        self._order = torch.from_numpy(order).to(device)
        self._factors = rate_factors(recipe, steps).to(device)
        self._done = torch.zeros(1, dtype=torch.int64, device=device)
        self._warm = 0
        self._graph: Any = None
        self._capture = device.type == "cuda"
        self._losses: Any = model.losses
        self.compiled = recipe.compile and device.type == "cpu" and any(map(which, COMPILERS))
        if self.compiled:
            self._losses = torch.compile(model.losses, dynamic=False)

    def advance(self) -> None:
        """Do the next step. On a GPU it may still be running when this returns; reading `curve` waits for it.

        A model this small keeps a GPU waiting for kernels to be launched. There the whole step, update included, is
        captured as one CUDA graph and replayed: no compiler runs, which would take longer than the training.
        """
        if self._graph is not None:
            self._graph.replay()
        elif self._capture and self._warm >= WARM_STEPS:
            self._replay_from_now_on()
        elif self._capture:
            self._warm_up()
        else:
            self._step()

    def _warm_up(self) -> None:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self._step()
        torch.cuda.current_stream().wait_stream(side)
        self._warm += 1

    def _replay_from_now_on(self) -> None:
        """Capture a step, which does not run it, and run it; if that fails, go on a kernel at a time."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._step()
        except RuntimeError as error:
            logger.warning("no CUDA graph, training will be slower: %s", str(error).splitlines()[0])
            self._capture = False
            self._step()
            return
        self._graph = graph
        graph.replay()

    def _step(self) -> None:
        batch = self._order.index_select(0, self._done)[0]
        tokens, kinds = self._tokens.index_select(0, batch).long(), self._kinds.index_select(0, batch)
        weights, answers = self._weights[kinds.int()], (kinds == ANSWER).float()
        loss, answer_loss = self._gradients(tokens, weights, answers)
        self._optimiser.step(self._factors.index_select(0, self._done)[0])
        self.curve.index_copy_(0, self._done, torch.stack([loss, answer_loss])[None])
        self._done += 1

    def _gradients(self, *batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Backward pass over a batch; returns `Llama.losses`, without their history."""
        self.model.zero_grad(set_to_none=True)
        try:
            loss, answer_loss = self._forward(*batch)
            loss.backward()
        except RuntimeError as error:
            if not self.compiled:
                raise
            logger.warning("torch.compile failed, training will be slower: %s", str(error).splitlines()[0])
            self.compiled, self._losses = False, self.model.losses
            return self._gradients(*batch)
        return loss.detach(), answer_loss.detach()

    def _forward(self, *batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        lower = self.precision != torch.float32
        # without its cache: casts kept from outside a capture would not be replayed
        with torch.autocast(self._device.type, self.precision, enabled=lower, cache_enabled=False):
            losses: tuple[torch.Tensor, torch.Tensor] = self._losses(*batch)
        return losses

    def state(self) -> dict[str, Any]:
        """What a later `restore` needs to go on."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self._optimiser.state(),
            "curve": self.curve,
            "done": self._done,
        }

    def restore(self, state: dict[str, Any]) -> int:
        """Go on from a `state` of an equal training, before the first step; returns the number of steps it had done."""
        self.model.load_state_dict(state["model"])
        self._optimiser.restore(state["optimiser"])
        self.curve.copy_(state["curve"])
        self._done.copy_(state["done"])
        return int(self._done.item())
