"""The miniature laboratory: tiny language models trained from scratch on packed data sets, to compare packings.

What trains (`recipe`, `data`, `model`, `optimiser`, `step`, `train`, `export`, `score`, `progress`) needs torch, numpy,
pyarrow, tokenizers, safetensors and, for scoring, transformers, and nothing of `harness`: it runs where only these are.
"""

CARD = "lab.json"  # in a checkpoint's folder: how it was trained, and what came out


class LabError(Exception):
    """Input that makes no sense; the message is one line for the user."""
