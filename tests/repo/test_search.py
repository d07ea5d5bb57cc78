from harness.repo.search import relevance, words


def test_names_fall_into_their_words():
    assert words("parseURLPath get_item2 HTTPError x") == {"parse", "urlpath", "get", "item", "2", "httperror"}


def test_rare_words_weigh_more_than_common_ones():
    scores = relevance("the widget of the form", ["the form", "the widget", "the other", "a form"])
    assert scores[1] > scores[0] > scores[2] > 0
    assert scores[0] > scores[3]


def test_nothing_shared_is_zero():
    assert relevance("", ["a b", ""]) == [0.0, 0.0]
    assert relevance("x", []) == []
