from harness.core.location import Location
from harness.repo.located_source import RankedPieces

TEXTS = {"a.py": [f"line {n}" for n in range(1, 8)], "b.py": ["needle", "hay", "needle"], "empty.py": []}
WHOLE = [Location(path) for path in TEXTS]


def test_the_most_relevant_piece_comes_first_and_pieces_that_touch_are_joined():
    ranked = RankedPieces("where is the needle", TEXTS, WHOLE, 2)
    assert len(ranked) == 4 + 2
    assert ranked.shown(1) == (Location("b.py", ((1, 2),)),)
    assert ranked.left_out(1) == (Location("a.py", ((1, 7),)), Location("b.py", ((3, 3),)))
    assert ranked.shown(6) == (Location("a.py", ((1, 7),)), Location("b.py", ((1, 3),)))
    assert ranked.left_out(6) == ()


def test_what_is_not_there_has_no_pieces():
    located = [Location("a.py", ((2, 3), (6, 99), (50, 60))), Location("gone.py"), Location("empty.py")]
    ranked = RankedPieces("", TEXTS, located, 40)
    assert ranked.shown(9) == (Location("a.py", ((2, 3), (6, 7))),)
