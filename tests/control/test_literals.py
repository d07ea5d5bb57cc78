import ast
import random

from hypothesis import given
from hypothesis import strategies as st

from harness.control.literals import other_constant

VALUES = st.one_of(
    st.integers(min_value=0), st.floats(min_value=0, allow_nan=False, allow_infinity=False), st.booleans(), st.text()
)


@given(VALUES | st.binary(), st.integers(0, 1000))
def test_another_constant_is_of_the_same_type_and_differs(value, seed: int) -> None:
    found = other_constant(repr(value), random.Random(seed))
    if found is not None:
        other = ast.literal_eval(found)
        assert type(other) is type(value)
        assert other != value
    else:
        assert not isinstance(value, bool | int)


@given(st.text(alphabet="ab\\n\"'xu0", min_size=1), st.integers(0, 1000))
def test_escapes_and_prefixes_stay_whole(text: str, seed: int) -> None:
    for source in (repr(text), f"'''{text}'''", f"r'{text}'", f"'x' {text!r}"):
        try:
            value = ast.literal_eval(f"({source})")
        except (SyntaxError, ValueError):
            continue
        if not isinstance(value, str):
            continue
        found = other_constant(source, random.Random(seed))
        if found is not None and len(found) == len(source):
            assert len(ast.literal_eval(f"({found})")) == len(value)
