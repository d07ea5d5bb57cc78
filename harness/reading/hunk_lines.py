"""The lines of a hunk as the old text and the new one, in each way that their signs can be meant."""

from collections.abc import Iterator, Sequence

from harness.core.candidate import Edit

SIGNS = (" ", "+", "-", "\\", "\t")  # with which a line of a hunk begins; a blank one may have none


def hunk_edit(path: str, body: Sequence[str], line: int = 0) -> Edit | None:
    """The edit that a hunk asks for; None if it changes nothing.

    Models leave out the space ahead of lines that stay, of all or of those that begin with none. Lines behind the last
    change that have no sign may be no part of the hunk.
    """
    readings = list(dict.fromkeys(_readings(body)))
    (old, new), *others = readings
    return Edit(path, old, new, line=line, others=tuple(others)) if old != new else None


def _readings(body: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield _sides(body, spaced=True)
    yield _sides(body, spaced=False)
    last = max((number for number, line in enumerate(body) if line[:1] in ("+", "-")), default=len(body))
    end = next((number for number in range(last, len(body)) if body[number] and body[number][0] not in SIGNS), None)
    if end is not None:
        yield _sides(body[:end], spaced=True)
        yield _sides(body[:end], spaced=False)


def _sides(body: Sequence[str], spaced: bool) -> tuple[str, str]:
    """Both texts; ``spaced``: lines that stay have a space ahead of them."""
    return "".join(_side(body, "-", spaced)), "".join(_side(body, "+", spaced))


def _side(body: Sequence[str], sign: str, spaced: bool) -> Iterator[str]:
    for line in body:
        if line[:1] == sign or (line[:1] == " " and (spaced or not line.strip())):
            yield f"{line[1:]}\n"
        elif line[:1] not in ("+", "-", "\\"):
            yield f"{line}\n"
