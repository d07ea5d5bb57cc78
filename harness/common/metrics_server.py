"""The state of long work for Prometheus, at an HTTP port of this machine's own address."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from harness.common.run_state import State
from harness.errors import InputError

ADDRESS = "127.0.0.1"
OF_STAGES = {
    "done": "Things that are done.",
    "size": "Things that there are.",
    "known": "Things done that were found finished.",
    "seconds_left": "Seconds that the rest takes; absent if that is not known.",
}


@contextmanager
def metrics_served(port: int | None, state: Callable[[], State]) -> Iterator[None]:
    """Answer Prometheus at that port for the length of the block; nothing without a port.

    ``state`` is asked at each scrape. Raises InputError if the port is taken.
    """
    if port is None:
        yield
        return
    registry = CollectorRegistry()
    registry.register(_States(state))
    try:
        server, thread = start_http_server(port, ADDRESS, registry)
    except OSError as error:
        raise InputError(f"metrics_port: {port} can't be listened on ({error.strerror}); name another") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _States(Collector):
    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        return metrics(self._state())

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are known when there is something to count."""
        return ()


def metrics(state: State) -> Iterator[Metric]:
    """The numbers of a state: of its stages by the label ``stage``, of its parts by the label ``part``."""
    for name, help_text in OF_STAGES.items():
        gauge = GaugeMetricFamily(f"harness_stage_{name}", help_text, labels=["stage"])
        for stage in state.stages:
            value = stage.total if name == "size" else getattr(stage, name)
            if value is not None:
                gauge.add_metric([stage.name], value)
        yield gauge
    doing = GaugeMetricFamily("harness_doing_seconds", "Seconds since a part does this.", labels=["part", "doing"])
    for part in state.parts:
        if part.doing:
            doing.add_metric([part.name, part.doing], part.seconds)
    yield doing
    families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for part in state.parts:
        for name, value in part.totals.items():
            counter = CounterMetricFamily(f"harness_{name}", "Counted since the run began.", labels=["part"])
            families.setdefault(name, counter).add_metric([part.name], value)
        for name, value in part.levels.items():
            level = GaugeMetricFamily(f"harness_{name}", "At this moment.", labels=["part"])
            families.setdefault(name, level).add_metric([part.name], value)
    yield from families.values()
