"""What each checkpoint of a run cost, from what the run saw of it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from harness.config.schema import RunConfig
from harness.model.checkpoint import server_arguments
from harness.model.devices import served_here
from harness.model.server_times import gpu_count, server_times
from harness.pipeline.checkpoint_task import Seen
from harness.report.checkpoint_cost import CheckpointCost, checkpoint_cost, total_seconds, with_servers
from harness.report.money import money
from harness.report.summary import Attempt


def checkpoint_costs(
    config: RunConfig, folder: Path, seen: Seen, attempts: Iterable[Attempt]
) -> dict[str, CheckpointCost]:
    """The cost of each checkpoint by its name, shared questions and containers counted once."""
    resolved = Counter(attempt.checkpoint for attempt in attempts if attempt.verdict.resolved)
    servers = server_times(folder)
    found = {}
    for checkpoint in config.checkpoints:
        answers = seen.asked.get(checkpoint.name, {}).values()
        cost = checkpoint_cost(answers)
        if served_here(checkpoint):
            own = servers.get(seen.revisions.get(checkpoint.name, ""), [])
            cost = with_servers(cost, answers, own, gpu_count(server_arguments(checkpoint, config.serving)))
        ran = total_seconds(seen.ran.get(checkpoint.name, {}))
        cost = replace(cost, container_seconds=ran, resolved=resolved[checkpoint.name])
        if config.prices is not None:
            cost = replace(cost, money=money(cost, config.prices, checkpoint.name))
        found[checkpoint.name] = cost
    return found
