"""Tokens per second that our client gets out of a real vLLM server, beside `vllm.LLM.generate` on the same work.

    .venv/bin/python benchmarks/serve.py [--requests N] [--check]

Requests of about 1,000 tokens with answers of 200, once with prompts that have nothing in common and once with prompts
that share all but their ends. Both engines have the same options and run on this machine one after the other, ours
behind its HTTP interface. The processor's time is that of this process: all that a question costs the harness, its
tokens counted and its answer journaled, and the part of it that the client alone takes.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from parts.arguments import BenchmarkParser
from parts.instant_run import instant_server, source_files

from harness.common.journal import Journal
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Answer, Sampling
from harness.model.client import open_model
from harness.model.connection import connect
from harness.model.endpoint import EndpointModel
from harness.model.tokens import PromptTokens

TINY = Path(__file__).parent.parent / "checkpoints" / "concat-then-split"
PROMPT_TOKENS, SHARED_TOKENS, ANSWER_TOKENS = 1000, 900, 200
CHARACTERS = 6  # for a token, at most: what a prompt is cut from
CACHE_BYTES = 1 << 30  # room for all requests at a time
SAMPLING = Sampling(temperature=0.8, max_tokens=ANSWER_TOKENS)
WARM_UP = "Warm up."
SHARE = 0.95
AT_MOST = {"harness_ms_per_answer": 4.0, "client_ms_per_answer": 4.0 / 3}


def prompts_of(checkpoint: Path, requests: int, shared: bool) -> list[str]:
    """Prompts of about 1,000 tokens, out of the standard library; if ``shared``, their first 900 are the same."""
    count = PromptTokens(checkpoint).count
    text = "".join(data.decode("utf-8", "replace") for data in source_files().values())
    step, head = PROMPT_TOKENS * CHARACTERS, ""
    if shared:
        head = cut(text[-step:], SHARED_TOKENS, count)
    wanted = PROMPT_TOKENS - (SHARED_TOKENS if shared else 0)
    return [head + cut(text[n * step : (n + 1) * step], wanted, count) for n in range(requests)]


def cut(text: str, tokens: int, count: Callable[[str], int]) -> str:
    """The beginning of ``text`` that has about so many tokens."""
    length = len(text)
    while (found := count(text[:length])) > tokens:
        length = min(length - 1, length * tokens // found)
    return text[:length]


def options(requests: int) -> dict[str, Any]:
    """What both engines are given."""
    return {
        "enforce_eager": True,
        "kv_cache_memory_bytes": CACHE_BYTES,
        "max_num_seqs": requests,
        "max_num_batched_tokens": 2048,
        "enable_chunked_prefill": False,
    }


def arguments(requests: int) -> tuple[str, ...]:
    """The same as a server's arguments."""
    given = {name.replace("_", "-"): value for name, value in options(requests).items()}
    return tuple(
        (f"--{name}" if value else f"--no-{name}") if isinstance(value, bool) else f"--{name}={value}"
        for name, value in given.items()
    )


def generate(path: Path) -> list[float]:
    """Tokens per second of `vllm.LLM.generate` on each list of prompts in a file; in this process."""
    from vllm import LLM, SamplingParams

    asked = json.loads(path.read_text())
    engine = LLM(model=asked["checkpoint"], **options(asked["requests"]))
    drawn = SamplingParams(temperature=SAMPLING.temperature, max_tokens=ANSWER_TOKENS, seed=0, ignore_eos=True)
    engine.generate([WARM_UP], drawn, use_tqdm=False)
    speeds = []
    for prompts in asked["works"]:
        began = time.monotonic()
        made = engine.generate(prompts, drawn, use_tqdm=False)
        tokens = sum(len(output.token_ids) for request in made for output in request.outputs)
        speeds.append(tokens / (time.monotonic() - began))
    return speeds


def generated(checkpoint: Path, requests: int, works: Sequence[Sequence[str]], folder: Path) -> list[float]:
    """The same in a process of its own."""
    path = folder / "works.json"
    path.write_text(json.dumps({"checkpoint": str(checkpoint), "requests": requests, "works": works}))
    done = subprocess.run([sys.executable, __file__, "--generate", str(path)], check=False, capture_output=True)
    if done.returncode:
        sys.exit(done.stderr.decode()[-2000:])
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


async def timed(asked: Sequence[Awaitable[Answer]]) -> tuple[float, float]:
    """Tokens per second, and this process's CPU milliseconds for each answer."""
    began, cpu = time.monotonic(), time.process_time()
    answers = await asyncio.gather(*asked)
    tokens = sum(answer.completion_tokens for answer in answers)
    return tokens / (time.monotonic() - began), 1000 * (time.process_time() - cpu) / len(answers)


async def served(checkpoint: Path, works: Sequence[Sequence[str]], folder: Path) -> list[tuple[float, float]]:
    """The same of the harness on each list of prompts, with a vLLM server of its own."""
    requests = len(works[0])
    config = CheckpointConfig(
        name="served",
        path=checkpoint,
        chat="completions",
        extra_body={"ignore_eos": True},
        server_args=arguments(requests),
    )
    with Journal(folder / "answers.jsonl") as journal:
        async with open_model(config, ServingConfig(), requests, folder, journal) as model:
            await model.answer(WARM_UP, SAMPLING, 0)
            return [await timed([model.answer(prompt, SAMPLING, 0) for prompt in prompts]) for prompts in works]


async def client_alone(prompts: Sequence[str]) -> float:
    """CPU milliseconds of the client for each answer: the same questions, put to a stand-in that answers at once."""
    with instant_server(["m"]) as url:
        async with EndpointModel(connect(url, own=True), "m", "1", concurrency=len(prompts), context=32_768) as model:
            await model.ask(WARM_UP, SAMPLING, 0)
            return (await timed([model.ask(prompt, SAMPLING, 0) for prompt in prompts]))[1]


def missed(figures: dict[str, Any]) -> list[str]:
    """What of the figures is not as it should be."""
    return [
        *(["share"] if figures["share"] < SHARE else []),
        *(name for name, most in AT_MOST.items() if figures[name] > most),
    ]


def main() -> int:
    """Measure both kinds of work and print the figures; 1 if one is missed and ``--check`` given."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--requests", type=int, default=256, help="at a time, with each kind of prompts")
    parser.add_argument(
        "--checkpoint", type=Path, default=TINY, help="folder of the model, with 2,048 tokens of context"
    )
    parser.add_argument("--generate", metavar="FILE", type=Path, help="used by the benchmark itself, for vLLM alone")
    parser.add_check("when our client gets less than 0.95 of the tokens per second, or takes too much of the processor")
    given = parser.parse_args()
    if given.generate:
        print(json.dumps(generate(given.generate)))
        return 0
    works = [prompts_of(given.checkpoint, given.requests, shared) for shared in (False, True)]
    client = asyncio.run(client_alone(works[0]))
    with tempfile.TemporaryDirectory() as name:
        alone = generated(given.checkpoint, given.requests, works, Path(name))
        ours = asyncio.run(served(given.checkpoint, works, Path(name)))
    wrong = []
    for kind, theirs, (speed, harness) in zip(("apart", "shared prefix"), alone, ours, strict=True):
        figures = {
            "prompts": kind,
            "generate_tokens_per_second": round(theirs, 1),
            "our_tokens_per_second": round(speed, 1),
            "share": round(speed / theirs, 3),
            "harness_ms_per_answer": round(harness, 2),
            "client_ms_per_answer": round(client, 2),
        }
        print(json.dumps(figures), flush=True)
        wrong += missed(figures)
    return 1 if given.check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
