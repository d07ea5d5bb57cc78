"""One value per instance, with every problem in one error."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from harness.core.instance import Instance
from harness.errors import InputError

Value = TypeVar("Value")

PROBLEMS_SHOWN = 5  # of one kind, in an error message


def collect(instances: Sequence[Instance], make: Callable[[Instance], Value]) -> dict[str, Value]:
    """What ``make`` returns for every instance, by id; all its InputErrors in one."""
    values: dict[str, Value] = {}
    problems: list[str] = []
    for instance in instances:
        try:
            values[instance.instance_id] = make(instance)
        except InputError as error:
            problems.append(str(error))
    if problems:
        more = f" | and {len(problems) - PROBLEMS_SHOWN} more like these" if len(problems) > PROBLEMS_SHOWN else ""
        raise InputError(" | ".join(problems[:PROBLEMS_SHOWN]) + more)
    return values
