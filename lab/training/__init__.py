"""Training tiny models. Imports nothing of `harness`: torch, numpy, pyarrow, tokenizers and safetensors suffice."""
