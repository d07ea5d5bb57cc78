"""A checkpoint's card as training writes it, for tests of what reads cards."""

from dataclasses import asdict

from lab.training.recipe import Recipe


def card(**changes):
    """The fields that a study reads, some of them changed."""
    return {
        "recipe": asdict(Recipe()),
        "tokens": 2_000_000,
        "context": 1024,
        "passes": 0.9,
        "parameters": 2_360_000,
        "data_sha256": "d" * 64,
        "tokenizer_sha256": "a" * 64,
        "packing": {"documents": 13_000, "tokens": 3_000_000, "strategy": "any"},
        "whole_questions": 5_000,
        "precision": "float32",
        "torch": "2.13.0",
        "tokens_asked": 2_000_500,
        "loss": {"last": 0.4, "last_answers": 0.08, "curve": []},
        "seconds": 160.0,
        "peak_memory": 1_500_000_000,
        "device": "x86_64",
        **changes,
    }
