"""What a checkpoint's servers reserve of a cluster."""

from itertools import product

import pytest

from harness.cluster.bundles import reservation

NODES = {"eight": [8, 8], "four": [4, 4, 4, 4], "mixed": [8, 4, 4], "one each": [1] * 16, "no GPU": [0, 0]}


def gpus(*counts: int) -> list[dict[str, float]]:
    return [{"CPU": 16.0, "GPU": float(count)} if count else {"CPU": 16.0} for count in counts]


@pytest.mark.parametrize(
    ("devices", "nodes", "bundles", "strategy"),
    [
        (1, [1], [1], "STRICT_PACK"),
        (1, [8, 8], [1], "STRICT_PACK"),
        (2, [1, 2], [2], "STRICT_PACK"),
        (8, [8, 8], [8], "STRICT_PACK"),
        (16, [8, 8], [8, 8], "PACK"),
        (12, [8, 8], [6, 6], "PACK"),
        (16, [4, 4, 4, 4], [4, 4, 4, 4], "PACK"),
        (16, [8, 4, 4], [4, 4, 4, 4], "PACK"),  # equal parts: two of them on the larger node
        (9, [8, 8], [3, 3, 3], "PACK"),
        (3, [2, 2], [1, 1, 1], "PACK"),
    ],
)
def test_a_server_stays_on_one_node_if_it_can_and_has_equal_parts_if_not(devices, nodes, bundles, strategy) -> None:
    found = reservation(1, devices, gpus(*nodes), on_cpu=False)
    assert found is not None
    assert found.bundles == [{"GPU": float(count)} for count in bundles]
    assert found.strategy == strategy


@pytest.mark.parametrize(("nodes", "devices", "servers"), [*product(NODES.values(), range(1, 17), (1, 2))])
def test_what_is_reserved_fits_and_what_fits_is_reserved(nodes, devices, servers) -> None:
    found = reservation(servers, devices, gpus(*nodes), on_cpu=False)
    if found is None:
        parts = [part for part in range(1, devices + 1) if devices % part == 0]
        assert all(sum(node // part for node in nodes) < servers * devices // part for part in parts)
        return
    assert len(found.bundles) == servers * found.nodes
    assert found.nodes * found.amount == devices
    assert sum(node // found.amount for node in nodes) >= len(found.bundles)
    if servers == 1 and devices <= max(nodes):
        assert (found.nodes, found.strategy) == (1, "STRICT_PACK")


@pytest.mark.parametrize(
    ("servers", "devices", "nodes"), [(1, 1, []), (1, 1, [0, 0]), (1, 16, [8]), (2, 8, [8]), (3, 2, [3, 2])]
)
def test_no_room_is_found_before_anything_waits_for_it(servers, devices, nodes) -> None:
    assert reservation(servers, devices, gpus(*nodes), on_cpu=False) is None


def test_replicas_are_reserved_together_each_on_a_node() -> None:
    found = reservation(3, 4, gpus(8, 4), on_cpu=False)
    assert found is not None
    assert (found.bundles, found.strategy) == ([{"GPU": 4.0}] * 3, "PACK")


def test_without_a_gpu_a_node_says_how_many_servers_it_runs() -> None:
    nodes = [{"CPU": 16.0, "server": 1.0}, {"CPU": 16.0, "server": 2.0}, {"CPU": 16.0}]
    found = reservation(2, 4, nodes, on_cpu=True)
    assert found is not None
    assert (found.bundles, found.nodes) == ([{"server": 1.0}] * 2, 1)
    assert reservation(4, 1, nodes, on_cpu=True) is None
    assert reservation(1, 1, gpus(8), on_cpu=True) is None
