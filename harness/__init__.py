"""Agentless SWE-bench evaluation of code models, checkpoint against checkpoint."""

__version__ = "0.1.0"
