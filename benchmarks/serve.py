"""Tokens per second that our client gets out of a real vLLM server, beside `vllm.LLM.generate` on the same work.

    .venv/bin/python benchmarks/serve.py [--requests N] [--check]

Requests of about 1,000 tokens with answers of 200, once with prompts that have nothing in common and once with prompts
that share all but their ends. Both engines have the same options and stand on this machine together; they work by
turns, ours behind its HTTP interface. The processor's time is that of this process: all that a question costs the
harness, its tokens counted and its answer journaled, and the part of it that the client alone takes.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from parts.arguments import BenchmarkParser
from parts.instant_run import instant_server, source_files

from harness.common.journal import Journal
from harness.common.loop_threads import with_few_threads
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
SHARED, ROUNDS = "shared prefix", 2
KINDS = ("apart", SHARED)
SHARE = 0.95
AT_MOST = {"harness_ms_per_answer": 4.0, "client_ms_per_answer": 4.0 / 3}


def prompts_of(checkpoint: Path, requests: int, shared: bool, number: int) -> list[str]:
    """Prompts of about 1,000 tokens, out of the standard library; if ``shared``, their first 900 are the same.

    Those of another ``number`` have nothing in common with them.
    """
    count = PromptTokens(checkpoint).count
    text = "".join(data.decode("utf-8", "replace") for data in source_files().values())
    step, head = PROMPT_TOKENS * CHARACTERS, ""
    text = text[(2 * number + shared) * (requests + 1) * step :]
    if shared:
        head = cut(text[requests * step :], SHARED_TOKENS, count)
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


def generate(checkpoint: Path, requests: int) -> None:
    """Serve lists of prompts, a JSON line each, from standard input; print the tokens per second of each."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # vLLM prints
    from vllm import LLM, SamplingParams

    engine = LLM(model=str(checkpoint), **options(requests))
    drawn = SamplingParams(temperature=SAMPLING.temperature, max_tokens=ANSWER_TOKENS, seed=0, ignore_eos=True)
    for line in sys.stdin:
        began = time.monotonic()
        made = engine.generate(json.loads(line), drawn, use_tqdm=False)
        tokens = sum(len(output.token_ids) for request in made for output in request.outputs)
        print(tokens / (time.monotonic() - began), file=answers, flush=True)


class Generator:
    """`vllm.LLM.generate` in a process of its own."""

    def __init__(self, checkpoint: Path, requests: int, log: IO[bytes]) -> None:
        command = [sys.executable, __file__, "--generate", "--checkpoint", str(checkpoint), "--requests", str(requests)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8"
        )
        self._log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def speed(self, prompts: Sequence[str]) -> float:
        """Its tokens per second on these prompts."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(prompts) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit(Path(self._log.name).read_text(errors="replace")[-2000:])
        return float(line)


async def timed(asked: Sequence[Awaitable[Answer]]) -> tuple[float, float]:
    """Tokens per second, and this process's CPU milliseconds for each answer."""
    began, cpu = time.monotonic(), time.process_time()
    answers = await asyncio.gather(*asked)
    tokens = sum(answer.completion_tokens for answer in answers)
    return tokens / (time.monotonic() - began), 1000 * (time.process_time() - cpu) / len(answers)


async def compared(checkpoint: Path, works: Mapping[str, Sequence[str]], folder: Path) -> dict[str, dict[str, float]]:
    """Both on each list of prompts, of which no engine sees one twice; by turns, so that a busy machine is to both."""
    requests = len(next(iter(works.values())))
    config = CheckpointConfig(
        name="served",
        path=checkpoint,
        chat="completions",
        extra_body={"ignore_eos": True},
        server_args=arguments(requests),
    )
    found = {}
    with (
        (folder / "generate.log").open("wb") as log,
        Generator(checkpoint, requests, log) as generator,
        Journal(folder / "answers.jsonl.gz") as journal,
    ):
        await asyncio.to_thread(generator.speed, [WARM_UP])
        async with open_model(config, ServingConfig(), requests, folder, journal) as model:
            await model.answer(WARM_UP, SAMPLING, 0)
            for number, (name, prompts) in enumerate(works.items()):
                theirs = 0.0 if number % 2 else await asyncio.to_thread(generator.speed, prompts)
                ours, harness = await timed([model.answer(prompt, SAMPLING, 0) for prompt in prompts])
                theirs = theirs or await asyncio.to_thread(generator.speed, prompts)
                found[name] = {"generate": theirs, "ours": ours, "harness_ms_per_answer": harness}
    return found


async def client_alone(prompts: Sequence[str]) -> float:
    """CPU milliseconds of the client for each answer: the same questions, put to a stand-in that answers at once."""
    with instant_server(["m"]) as url:
        async with EndpointModel(connect(url, own=True), "m", "1", concurrency=len(prompts), context=32_768) as model:
            await model.ask(WARM_UP, SAMPLING, 0)
            return (await timed([model.ask(prompt, SAMPLING, 0) for prompt in prompts]))[1]


def figures(kind: str, rounds: Sequence[Mapping[str, float]], client: float) -> dict[str, Any]:
    """What the rounds with one kind of prompts come to, each of the same work."""
    seconds = {who: sum(1 / one[who] for one in rounds) for who in ("generate", "ours")}
    return {
        "prompts": kind,
        "generate_tokens_per_second": round(len(rounds) / seconds["generate"], 1),
        "our_tokens_per_second": round(len(rounds) / seconds["ours"], 1),
        "share": round(seconds["generate"] / seconds["ours"], 3),
        "shares": [round(one["ours"] / one["generate"], 3) for one in rounds],
        "harness_ms_per_answer": round(sum(one["harness_ms_per_answer"] for one in rounds) / len(rounds), 2),
        "client_ms_per_answer": round(client, 2),
    }


def missed(found: Mapping[str, Any]) -> list[str]:
    """What of the figures is not as it should be."""
    return [
        *(["share"] if found["share"] < SHARE else []),
        *(name for name, most in AT_MOST.items() if found[name] > most),
    ]


def main() -> int:
    """Measure both kinds of work and print the figures; 1 if one is missed and ``--check`` given."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--requests", type=int, default=256, help="at a time, with each kind of prompts")
    parser.add_argument(
        "--checkpoint", type=Path, default=TINY, help="folder of the model, with 2,048 tokens of context"
    )
    parser.add_argument("--generate", action="store_true", help="vLLM alone: used by the benchmark itself")
    parser.add_check("when our client gets less than 0.95 of the tokens per second, or takes too much of the processor")
    given = parser.parse_args()
    if given.generate:
        generate(given.checkpoint, given.requests)
        return 0
    works = {
        f"{kind} {number}": prompts_of(given.checkpoint, given.requests, kind == SHARED, number)
        for kind in KINDS
        for number in range(ROUNDS)
    }
    client = asyncio.run(client_alone(next(iter(works.values()))))
    with tempfile.TemporaryDirectory() as name:
        rounds = asyncio.run(with_few_threads(compared(given.checkpoint, works, Path(name))))
    wrong = []
    for kind in KINDS:
        found = figures(kind, [rounds[f"{kind} {number}"] for number in range(ROUNDS)], client)
        print(json.dumps(found), flush=True)
        wrong += missed(found)
    return 1 if given.check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
