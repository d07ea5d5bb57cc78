"""Calls that assert something: which of their arguments are expectations, and what says the opposite."""

import ast

_OPPOSITES = (
    ("assertTrue", "assertFalse"),
    ("assertEqual", "assertNotEqual"),
    ("assertEquals", "assertNotEquals"),
    ("assertIn", "assertNotIn"),
    ("assertIs", "assertIsNot"),
    ("assertIsNone", "assertIsNotNone"),
    ("assertIsInstance", "assertNotIsInstance"),
    ("assertContains", "assertNotContains"),
    ("assertRegex", "assertNotRegex"),
    ("assertAlmostEqual", "assertNotAlmostEqual"),
    ("assertLess", "assertGreaterEqual"),
    ("assertGreater", "assertLessEqual"),
    ("assertHTMLEqual", "assertHTMLNotEqual"),
    ("assertXMLEqual", "assertXMLNotEqual"),
    ("assertJSONEqual", "assertJSONNotEqual"),
    ("assertTemplateUsed", "assertTemplateNotUsed"),
)
OPPOSITES = dict(_OPPOSITES) | {other: name for name, other in _OPPOSITES}
TWO_ARGUMENTS = ("assertContains", "assertNotContains")  # whose opposites take no count

# Both first arguments are compared, and one of them is what the test expects.
COMPARING = {
    *("assertEqual", "assertEquals", "assertIs", "assertListEqual", "assertTupleEqual", "assertDictEqual"),
    *("assertSetEqual", "assertSequenceEqual", "assertMultiLineEqual", "assertCountEqual", "assertAlmostEqual"),
    *("assertQuerysetEqual", "assertQuerySetEqual", "assertHTMLEqual", "assertXMLEqual", "assertJSONEqual"),
    *("assert_equal", "assert_array_equal", "assert_allclose", "assert_almost_equal", "assert_array_almost_equal"),
    *("assert_string_equal", "assert_frame_equal", "assert_series_equal", "assert_quantity_allclose"),
}
# The arguments at these places are expectations; ALL: every one, keywords included.
ALL = -1
EXPECTING = {
    "assertNumQueries": 0,
    "assertContains": 1,
    "assertRedirects": 1,
    "assertRaisesMessage": 1,
    "assertWarnsMessage": 1,
    "assertRaisesRegex": 1,
    "assertRaisesRegexp": 1,
    "assertWarnsRegex": 1,
    "fnmatch_lines": 0,
    "fnmatch_lines_random": 0,
    "re_match_lines": 0,
    "assert_outcomes": ALL,
    "assert_called_with": ALL,
    "assert_called_once_with": ALL,
    "assert_node": ALL,
}
# Their first argument is an exception or a warning, and ``match`` is a pattern for its text.
EXCEPTIONS = ("raises", "assertRaises", "assertRaisesMessage", "assertRaisesRegex", "assertRaisesRegexp")
WARNINGS = ("warns", "assertWarns", "assertWarnsMessage", "assertWarnsRegex")
OTHER_EXCEPTIONS = ("ZeroDivisionError", "BufferError", "EOFError", "FloatingPointError", "RecursionError")
OTHER_WARNINGS = ("BytesWarning", "ImportWarning", "UnicodeWarning", "ResourceWarning")


def name_of(call: ast.Call) -> str:
    """The called function's or method's own name; empty if it has none."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def expected_arguments(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call that are what a test expects."""
    name = name_of(call)
    matched = [keyword.value for keyword in call.keywords if keyword.arg == "match" and name in EXCEPTIONS + WARNINGS]
    if name in COMPARING:
        return call.args[:2]
    place = EXPECTING.get(name)
    if place is None:
        return matched
    if place == ALL:
        return [*call.args, *(keyword.value for keyword in call.keywords)]
    return [*call.args[place : place + 1], *matched]


def catches(item: ast.expr) -> bool:
    """Whether what follows an error within this context manager is left out."""
    return isinstance(item, ast.Call) and name_of(item) in (*EXCEPTIONS, "suppress", "deprecated_call")
