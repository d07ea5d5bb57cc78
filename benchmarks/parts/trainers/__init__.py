"""Trainers of packed rows: one module each, with ``losses(folder, drawn)``; see `benchmarks/pack_trainers.py`."""
