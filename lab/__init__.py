"""The miniature laboratory: tiny language models trained from scratch on packed data sets, to compare packings.

`lab.training` and `lab.score` import nothing of `harness`. They need torch, numpy, pyarrow, tokenizers, safetensors
and, to score, transformers.
"""

CARD = "lab.json"  # in a checkpoint's folder: how it was trained, and what came out


class LabError(Exception):
    """Input that makes no sense; the message is one line for the user."""
