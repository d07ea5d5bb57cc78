"""Another constant in the place of one: of the same type and, if it can be, as long."""

import ast
import random
import string

TRIES = 20  # letters tried before a text is given up
CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
EMPTY = {"[]": "[1]", "()": "(1,)", "{}": "{1: 1}"}


def is_literal(node: ast.expr) -> bool:
    """Whether an expression is made of constants alone."""
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def constants(node: ast.AST) -> list[ast.Constant]:
    """The constants in an expression that can be changed: none of f-strings, and no places in sequences."""
    if isinstance(node, ast.JoinedStr):
        return []
    if isinstance(node, ast.Subscript):
        return constants(node.value)
    if isinstance(node, ast.Constant):
        return [node] if isinstance(node.value, bool | int | float | str | bytes) else []
    return [found for child in ast.iter_child_nodes(node) for found in constants(child)]


def other_constant(source: str, rng: random.Random) -> str | None:
    """Another constant than the one that ``source`` spells, as source; None if none is found."""
    value = ast.literal_eval(f"({source})")
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, int | float):
        return _other_number(source, value, rng)
    return _other_text(source, value, rng)


def other_empty(source: str) -> str | None:
    """A collection with one element in the place of an empty one."""
    return EMPTY.get(source)


def _other_number(source: str, value: float, rng: random.Random) -> str | None:
    digits = [place for place, sign in enumerate(source) if sign.isdigit()]
    if not digits:
        return None
    # the first digit that counts: a later one may be within what a comparison tolerates
    leading = next((place for place in digits if source[place] != "0"), digits[-1])
    places = [leading] if isinstance(value, float) else [p for p in digits if p >= leading]
    place = rng.choice(places)
    for digit in rng.sample("123456789", 9):
        found = f"{source[:place]}{digit}{source[place + 1 :]}"
        if digit != source[place] and _value(found) not in (None, value):
            return found
    return None


def _other_text(source: str, value: str | bytes, rng: random.Random) -> str | None:
    for _ in range(TRIES):
        place = rng.randrange(len(source))
        letters = next((letters for letters in CLASSES if source[place] in letters), "")
        if not letters:
            continue
        found = source[:place] + rng.choice(letters.replace(source[place], "")) + source[place + 1 :]
        other = _value(found)
        # a prefix or an escape that was hit shows in the type or the length
        if isinstance(other, type(value)) and len(other) == len(value) and other != value:
            return found
    longer = source[:-1] + rng.choice(string.ascii_lowercase) + source[-1]
    return longer if isinstance(_value(longer), type(value)) else None


def _value(source: str) -> object:
    try:
        return ast.literal_eval(f"({source})")
    except (ValueError, SyntaxError):
        return None
