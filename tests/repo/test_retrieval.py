"""Retrieval over the documents of a snapshot, beside bm25s itself."""

import numpy as np
import pytest

from harness.repo.blob_cache import BlobStore
from harness.repo.memory_snapshot import MemorySnapshot
from harness.repo.retrieval import Retrieval
from harness.repo.symbols import parse_elements
from harness.repo.terms import Terms, count_terms, name_words, text_words

FILES = {
    "pkg/shapes.py": b"""\
import math

class Circle:
    '''A round shape.'''

    def area(self):
        return math.pi * self.radius ** 2

    def perimeter(self):
        def helper():
            return self.radius
        return 2 * math.pi * helper()

def make_circle(radius):
    return Circle(radius)
""",
    "pkg/text.py": b"def parse_url(text):\n    return text.split('/')\n\nBASE_URL = 'area'\n",
    "notes.md": b"Nothing about shapes.\n",
    "empty.py": b"",
}
QUERY = "area of a circle, parseURL: radius radius radius"


class CountingSnapshot(MemorySnapshot):
    """Knows how many files were read."""

    reads = 0

    def read(self, path):
        self.reads += 1
        return super().read(path)

    def blob(self, path):
        self.reads -= 1
        return super().blob(path)


@pytest.fixture
def store(tmp_path):
    with BlobStore(tmp_path / "derived.sqlite3") as store:
        yield store


def test_names_are_words_and_so_are_their_parts():
    counts = text_words(b"parseURL parse_url HTTPError2")
    assert {*name_words(b"parse"), *name_words(b"url"), *name_words(b"http"), *name_words(b"error")} <= counts.keys()
    assert counts[name_words(b"parse")[0]] == 2


def test_segments_cover_the_file_and_do_not_overlap():
    for path, data in FILES.items():
        terms = count_terms(data, parse_elements(data, "python"))
        assert terms.segments["length"].sum() == text_words(data).total(), path
        assert terms.pairs["count"].sum() == text_words(data).total(), path
    shapes = count_terms(FILES["pkg/shapes.py"], parse_elements(FILES["pkg/shapes.py"], "python"))
    assert shapes.segments["first"].tolist() == [1, 3, 6, 9, 14]
    assert shapes.segments["unit"].tolist() == [0, 1, 1, 1, 4]


def test_terms_survive_the_store():
    terms = count_terms(FILES["pkg/shapes.py"], parse_elements(FILES["pkg/shapes.py"], "python"))
    again = Terms.decode(terms.encode())
    assert again.segments.tolist() == terms.segments.tolist()
    assert again.pairs.tolist() == terms.pairs.tolist()


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("function", {("pkg/shapes.py", 6), ("pkg/shapes.py", 14), ("pkg/text.py", 1)}),
        ("class", {("pkg/shapes.py", 3), ("pkg/shapes.py", 14), ("pkg/text.py", 1)}),
        ("file", {("pkg/shapes.py", 1), ("pkg/text.py", 1)}),
    ],
)
def test_documents_of_each_size(store, unit, expected):
    found = Retrieval(store).search(MemorySnapshot(FILES), tuple(FILES), QUERY, unit)
    assert expected <= {(document.path, document.first) for document in found}
    assert "empty.py" not in {document.path for document in found}
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)


def test_scores_are_those_of_bm25s(store):
    import bm25s

    texts = {f"f{n}": " ".join(f"w{(n * k) % 7}" for k in range(1, n + 2)).encode() for n in range(1, 30)}
    query = "w1 w3 w5 w6"
    index = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    index.index([[str(w) for n in t.split() for w in name_words(n)] for t in texts.values()], show_progress=False)
    expected = index.get_scores([str(word) for word in text_words(query.encode())])
    found = Retrieval(store).search(MemorySnapshot(texts), tuple(texts), query, "file", len(texts))
    scores = {document.path: document.score for document in found}
    assert np.allclose([scores.get(path, 0.0) for path in texts], expected, atol=1e-4)


def test_only_what_differs_is_read_again(store):
    retrieval = Retrieval(store)
    base, changed = CountingSnapshot(FILES), CountingSnapshot({**FILES, "pkg/text.py": b"def area(): pass\n"})
    first = retrieval.search(base, tuple(FILES), QUERY)
    assert base.reads == len(FILES)
    assert retrieval.search(base, tuple(FILES), QUERY) == first
    assert base.reads == len(FILES)
    assert "pkg/text.py" in {document.path for document in retrieval.search(changed, tuple(FILES), QUERY)}
    assert changed.reads == 1


@pytest.mark.parametrize("query", ["", "...", "nothingshared"])
def test_a_query_that_shares_no_word_finds_nothing(store, query):
    assert Retrieval(store).search(MemorySnapshot(FILES), tuple(FILES), query) == []


def test_no_files(store):
    assert Retrieval(store).search(MemorySnapshot({}), (), QUERY) == []
