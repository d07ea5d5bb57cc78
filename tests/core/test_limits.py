"""What of a job's limits is a part of keys."""

from harness.config.schema import EvaluationConfig
from harness.core.interfaces import Limits

USUAL = {
    "seconds": 1800.0,
    "memory_bytes": 4 << 30,
    "processes": 512,
    "cpus": 1.0,
    "network": False,
    "output_bytes": 32 << 20,
    "open_files": 16384,
    "disk_bytes": 8 << 30,
}


def test_with_all_of_them_enforced_keys_stay_as_they_were():
    assert EvaluationConfig().limits().key_facts() == USUAL


def test_what_is_not_enforced_is_a_part_of_keys_in_any_order():
    one, other = (Limits(**USUAL, not_enforced=names) for names in (("swap", "memory"), ("memory", "swap")))
    assert one.key_facts() == other.key_facts() == USUAL | {"not_enforced": ["memory", "swap"]}
