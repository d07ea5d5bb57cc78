"""Which node a job goes to."""

from harness.cluster.placement import chosen_node

SLOTS = {"a": 4, "b": 4, "c": 2}


def test_a_node_with_the_image_and_the_most_places_free() -> None:
    assert chosen_node(["a", "b", "c"], SLOTS, {"a": 3, "b": 1}) == "c"
    assert chosen_node(["a", "b"], SLOTS, {"a": 3, "b": 1}) == "b"


def test_another_node_where_those_with_the_image_are_full() -> None:
    assert chosen_node(["a"], SLOTS, {"a": 4, "b": 3, "c": 0}) == "c"
    assert chosen_node([], SLOTS, {"a": 1, "b": 3, "c": 1}) == "a"


def test_where_all_are_full_a_job_waits_where_its_image_is() -> None:
    assert chosen_node(["a"], SLOTS, {"a": 6, "b": 4, "c": 2}) == "a"
    assert chosen_node([], SLOTS, {"a": 6, "b": 4, "c": 4}) == "b"


def test_nodes_that_take_no_part_are_no_choice() -> None:
    assert chosen_node(["gone"], {"b": 4}, {}) == "b"
    assert chosen_node(["gone"], {}, {}) is None
