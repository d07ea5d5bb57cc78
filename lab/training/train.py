"""Train one checkpoint on one packed data set: the same data, recipe, seed and budget produce the same checkpoint.

Everything grows in OUTPUT.partial, which is renamed when it is whole. A training that was killed goes on from the
last state that it saved there.
"""

import hashlib
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lab import CARD, LabError
from lab.training.data import PackedRows, load_rows, load_specials, row_order, whole_questions
from lab.training.export import export
from lab.training.model import Llama
from lab.training.recipe import Recipe
from lab.training.step import Steps
from lab.training.training_log import Progress

LOG, STATE = "log.jsonl", "state.pt"
FORMAT = "lab-checkpoint/1"
LOG_STEPS = 10  # between two lines of the log
SAVE_SECONDS = 30.0  # between two saved states, at least
CURVE_POINTS = 20  # of the loss curve in the record
MACHINE = ("threads", "compile")  # fields of the recipe that say how, not what


@dataclass(frozen=True)
class _Budget:
    """What a number of slots comes to."""

    step_rows: int
    steps: int
    context: int  # slots of a row

    @property
    def step_tokens(self) -> int:
        return self.step_rows * self.context

    @property
    def tokens(self) -> int:
        return self.steps * self.step_tokens


def train(
    data: Path,
    tokenizer: Path,
    output: Path,
    recipe: Recipe,
    seed: int,
    tokens: int,
    device: str = "auto",
    keep: int = 1,
) -> dict[str, Any]:
    """Train on ``tokens`` slots of a data set, padding included, and write a checkpoint; returns its record, lab.json.

    ``data`` is one strategy's folder of what `harness pack --output` wrote, ``tokenizer`` the folder of the tokenizer
    it was packed with. ``device`` is a CPU or GPU of torch, or "auto": a GPU if there is one. ``keep`` checkpoints are
    left, at equal distances: the last is the whole one, the others are below it (`kept_name`). What is finished in
    ``output`` is not done again. Raises LabError for input that makes no sense and if something else lies there.
    """
    specials = load_specials(tokenizer)
    rows = load_rows(data, specials)
    budget = _budget(recipe, rows, tokens)
    wanted = _identity(recipe, seed, tokens, rows, tokenizer)
    if output.exists():
        return _finished(output, wanted)
    torch_device, threads = chosen_device(device), torch.get_num_threads()
    partial = _partial_folder(output)
    stops = {number * budget.steps // keep: partial / kept_name(number, keep) for number in range(1, keep)}
    torch.set_num_threads(recipe.threads or threads)
    try:
        _forget_earlier(torch_device)
        model = Llama(recipe, specials.vocabulary, budget.context, seed)
        order = row_order(len(rows.tokens), budget.step_rows, budget.steps, seed)
        steps = Steps(recipe, model, rows, order, torch_device)

        def keep_at(step: int) -> None:
            if folder := stops.get(step):
                folder.mkdir(exist_ok=True)
                export(model, tokenizer, specials, folder)

        seconds = _run(steps, partial, wanted, budget, keep_at)
        export(model, tokenizer, specials, partial)
    finally:
        torch.set_num_threads(threads)
    record = {"format": FORMAT, **wanted, "recipe": asdict(recipe), **_outcome(steps, rows, budget, seconds)}
    record["whole_questions"] = whole_questions(rows.tokens, specials)  # in one pass over the rows
    (partial / CARD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    partial.rename(output)
    (output / STATE).unlink()
    return record


def kept_name(number: int | str, keep: int | str) -> str:
    """The folder of the checkpoint after ``number`` of ``keep`` equal parts of a training, below its output."""
    return f"part-{number}-of-{keep}"


def _partial_folder(output: Path) -> Path:
    """The folder to train in, made before the first step."""
    partial = output.with_name(output.name + ".partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"{output}: no checkpoint can be written there ({error}); name another folder") from error
    return partial


def _forget_earlier(device: torch.device) -> None:
    """Let an earlier training of this process neither hold a GPU's memory nor count in this one's peak."""
    if device.type == "cuda":
        # torch keeps a workspace for each stream that was ever captured on: 200 MB for every training
        torch._C._cuda_clearCublasWorkspaces()
        torch.cuda.reset_peak_memory_stats(device)


def chosen_device(name: str) -> torch.device:
    """The torch device of that name, or for "auto" a GPU if there is one, otherwise the CPU.

    Raises LabError for a device that is not there or that nothing here can train on.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise LabError(f"device {name!r}: torch knows none of that name") from error
    if device.type not in ("cpu", "cuda"):
        raise LabError(f"device {name!r}: give cpu, cuda or auto")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise LabError(f"device {name!r}: torch finds {torch.cuda.device_count() or 'no'} GPU here")
    return device


def _budget(recipe: Recipe, rows: PackedRows, tokens: int) -> _Budget:
    step_rows = max(1, round(recipe.step_tokens / rows.context))
    steps = tokens // (step_rows * rows.context)
    if not steps:
        raise LabError(f"{tokens} tokens: a single step takes {step_rows * rows.context}")
    if rows.context > recipe.positions:
        raise LabError(f"rows of {rows.context} tokens: the model is for {recipe.positions} positions at most")
    return _Budget(step_rows, steps, rows.context)


def _identity(recipe: Recipe, seed: int, tokens: int, rows: PackedRows, tokenizer: Path) -> dict[str, Any]:
    """What makes two trainings the same."""
    return {
        "recipe": {name: value for name, value in asdict(recipe).items() if name not in MACHINE},
        "seed": seed,
        "tokens_asked": tokens,
        "data_sha256": rows.sha256,
        "tokenizer_sha256": hashlib.sha256((tokenizer / "tokenizer.json").read_bytes()).hexdigest(),
    }


def _finished(output: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """The record of what lies there, if it is what is wanted."""
    try:
        record: dict[str, Any] = json.loads((output / CARD).read_text(encoding="utf-8"))
        found = {name: record[name] for name in wanted}
        found["recipe"] = {name: value for name, value in found["recipe"].items() if name not in MACHINE}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise LabError(f"{output}: there is something already that is no checkpoint of the laboratory") from error
    other = [name for name, value in wanted.items() if found[name] != value]
    if other:
        raise LabError(f"{output}: holds a checkpoint with other {', '.join(other)}; remove it or name another folder")
    return record


def _run(
    steps: Steps, partial: Path, wanted: dict[str, Any], budget: _Budget, done_step: Callable[[int], None]
) -> float:
    """Do all steps that are not done yet, each told to ``done_step``; returns the seconds that all of them took."""
    done, before = _restore(steps, partial, wanted)
    progress = Progress(partial.stem, partial / LOG, budget.steps, budget.step_tokens, done)
    began = saved = time.monotonic()
    logged = done - done % LOG_STEPS
    for step in range(done + 1, budget.steps + 1):
        steps.advance()
        done_step(step)
        if step % LOG_STEPS and step != budget.steps:
            continue
        loss, answer_loss = steps.curve[logged:step].mean(dim=0).tolist()
        progress.record(step, loss, answer_loss)
        logged = step
        if time.monotonic() - saved >= SAVE_SECONDS or step == budget.steps:
            saved = time.monotonic()
            _save(steps, partial, wanted, before + saved - began)
    return before + time.monotonic() - began


def _restore(steps: Steps, partial: Path, wanted: dict[str, Any]) -> tuple[int, float]:
    """(steps done, seconds they took) of what an earlier training left there."""
    if not (partial / STATE).is_file():
        return 0, 0.0
    try:
        saved = torch.load(partial / STATE, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file, with long texts of its own
        raise LabError(
            f"{partial / STATE}: not a readable state; remove {partial} to train from the beginning"
        ) from error
    if saved["identity"] != wanted:
        raise LabError(f"{partial}: holds an unfinished training with other settings or data; remove it first")
    return steps.restore(saved["steps"]), saved["seconds"]


def _save(steps: Steps, partial: Path, wanted: dict[str, Any], seconds: float) -> None:
    """Write the state whole and synced. On its own, as `harness.common.files` is not there where only training is."""
    unfinished = partial / f"{STATE}.tmp"
    with unfinished.open("wb") as file:
        torch.save({"identity": wanted, "steps": steps.state(), "seconds": seconds}, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(partial / STATE)
    folder = os.open(partial, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _outcome(steps: Steps, rows: PackedRows, budget: _Budget, seconds: float) -> dict[str, Any]:
    """What the record says beyond what was wanted."""
    on_gpu = steps.curve.is_cuda
    return {
        "tokens": budget.tokens,  # slots trained on, padding included
        "steps": budget.steps,
        "context": budget.context,
        "passes": budget.steps * budget.step_rows / len(rows.tokens),  # over the rows
        "parameters": sum(parameter.numel() for parameter in steps.model.parameters()),
        "loss": _loss_summary(steps.curve.cpu()),
        "seconds": round(seconds, 1),
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,  # bytes, of the process
        "peak_gpu_memory": torch.cuda.max_memory_allocated() if on_gpu else 0,  # bytes
        "device": torch.cuda.get_device_name() if on_gpu else platform.machine(),
        "precision": str(steps.precision).removeprefix("torch."),
        "compiled": steps.compiled,
        "torch": torch.__version__,
        "packing": rows.packing,
    }


def _loss_summary(curve: torch.Tensor) -> dict[str, Any]:
    """Mean losses in nats: of the last tenth of the steps, and of some equal parts of all."""
    parts = [part.mean(dim=0).tolist() for part in curve.tensor_split(min(CURVE_POINTS, len(curve)))]
    last, last_answers = curve[-max(1, len(curve) // 10) :].mean(dim=0).tolist()
    return {
        "last": round(last, 5),
        "last_answers": round(last_answers, 5),  # of answers' tokens alone, unweighted
        "curve": [round(loss, 5) for loss, _ in parts],
        "curve_answers": [round(loss, 5) for _, loss in parts],
    }
