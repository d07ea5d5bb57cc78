import json

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from harness.errors import InputError
from harness.packing.corpus import count, from_store, write_store
from harness.packing.documents import Document, Tokens
from harness.packing.findings import Reading
from harness.packing.sources import from_dataset
from harness.packing.sources import read_documents as read_with
from harness.packing.store import read_store
from harness.packing.tokenizing import tokenized
from harness.packing.vocabulary import load_vocabulary

TEXTS = ["def a(): pass", "", "x = 1\n", "Grüße ☃"]
IDS = [[3, 4, 5], [], [6], [7, 1]]
NO_TOKENIZER = load_vocabulary(None)


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def read_documents(corpus, column=None, **asked):
    return read_with(corpus, Reading(column, **asked))


def as_lists(documents):
    contents = [document.content for document in documents]
    return [content if isinstance(content, str) else content.ids.tolist() for content in contents]


def counted_texts(values, vocabulary):
    return count(tokenized(texts(*values), vocabulary), vocabulary.separator)


def texts(*values):
    return [Document(value) for value in values]


@pytest.mark.parametrize(("column", "values"), [("text", TEXTS), ("input_ids", IDS), ("content", TEXTS)])
@pytest.mark.parametrize("form", ["jsonl", "parquet", "large", "saved", "saved-dict", "map", "stream"])
def test_every_form_gives_the_documents_in_order(tmp_path, form, column, values):
    table = pyarrow.table({"other": list(range(4)), column: values})
    if form == "jsonl":
        documents = read_documents(jsonl(tmp_path / "c.jsonl", table.to_pylist()))
    elif form in ("parquet", "large"):
        if form == "large":
            kind = pyarrow.large_string() if column != "input_ids" else pyarrow.large_list(pyarrow.uint16())
            table = table.set_column(1, column, pyarrow.array(values, kind))
        pyarrow.parquet.write_table(table, tmp_path / "c.parquet")
        documents = read_documents(str(tmp_path / "c.parquet"))
    elif form.startswith("saved"):
        dataset = datasets.Dataset(table)
        (dataset if form == "saved" else datasets.DatasetDict(train=dataset)).save_to_disk(tmp_path / "d")
        documents = read_documents(str(tmp_path / "d"))
    else:
        dataset = datasets.Dataset(table)
        documents = from_dataset(dataset if form == "map" else dataset.to_iterable_dataset(), Reading())
    assert as_lists(documents) == values


def test_a_folder_is_read_by_name(tmp_path):
    jsonl(tmp_path / "b.jsonl", [{"text": "second"}])
    jsonl(tmp_path / "a.jsonl", [{"text": "first"}])
    (tmp_path / "README").write_text("not a part of it")
    assert as_lists(read_documents(str(tmp_path))) == ["first", "second"]


def test_a_column_is_named(tmp_path):
    path = jsonl(tmp_path / "c.jsonl", [{"text": "a", "code": "b"}])
    assert as_lists(read_documents(path, "code")) == ["b"]


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ('{"text": "a"}\n{"text": ', None, "line 2 is torn or not JSON"),
        ('{"text": ' + "[" * 100_000, None, "line 1 is torn or not JSON"),
        ("[1]\n", None, "line 1 is not a JSON object"),
        (
            '{"body": "a"}\n',
            None,
            "none of the columns input_ids, text, content, messages, conversations, prompt; name one of body",
        ),
        ('{"text": "a"}\n', "txt", "no column 'txt'; did you mean text"),
        ('{"text": null}\n', None, "line 1: text is null; mend the row, or leave such rows out with --skip-null"),
        ('{"input_ids": [1, 2.5]}\n', None, "input_ids must be text or a list of token ids"),
        ('{"input_ids": [[1]]}\n', None, "input_ids must be text or a list of token ids"),
    ],
)
def test_bad_rows_are_named(tmp_path, text, column, said):
    (tmp_path / "c.jsonl").write_text(text)
    with pytest.raises(InputError, match=said.replace("[", r"\[")):
        list(read_documents(str(tmp_path / "c.jsonl"), column))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([[1], None], "row 1: text is null"),
        ([[1, None]], "row 0: text must be text or a list of token ids, not a list with nulls"),
        ([[1.5]], "row 0: text must be text or a list of token ids, not a list of float64"),
        (["a", None], "row 1: text is null"),
    ],
)
def test_bad_parquet_columns_are_named(tmp_path, values, said):
    pyarrow.parquet.write_table(pyarrow.table({"text": values}), tmp_path / "c.parquet")
    with pytest.raises(InputError, match=said):
        list(read_documents(str(tmp_path / "c.parquet")))


def test_bad_corpora_are_named(tmp_path):
    (tmp_path / "c.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "c.xml").write_text("a")
    (tmp_path / "empty").mkdir()
    datasets.DatasetDict(train=datasets.Dataset.from_dict({"text": ["a"]})).save_to_disk(tmp_path / "d")
    for name, said in (("c.parquet", "not a readable Parquet"), ("c.xml", "no corpus file"), ("empty", "holds no")):
        with pytest.raises(InputError, match=said):
            list(read_documents(str(tmp_path / name)))
    with pytest.raises(InputError, match="no split 'test'; there: train"):
        list(read_documents(str(tmp_path / "d"), split="test"))
    with pytest.raises(InputError, match="neither a local path nor available from the hub"):
        list(read_documents("nobody/no-such-corpus"))


def test_counting_and_storing_agree(tmp_path, tokenizer_folder):
    vocabulary = load_vocabulary(str(tokenizer_folder))
    counted = counted_texts(TEXTS, vocabulary)
    write_store(tokenized(texts(*TEXTS), vocabulary), vocabulary.size, tmp_path / "t.bin", tmp_path / "t.idx")
    stored = from_store(read_store(tmp_path / "t.bin", tmp_path / "t.idx"), vocabulary.separator)
    assert counted.lengths.tolist() == stored.lengths.tolist()
    assert counted.separated.tolist() == stored.separated.tolist() == [True, False, True, True]
    assert counted.store is None


def test_text_that_ends_with_the_separator_gets_no_second_one(tokenizer_folder):
    vocabulary = load_vocabulary(str(tokenizer_folder), reads_special=True)
    corpus = counted_texts(["a", "a<|end|>"], vocabulary)
    assert corpus.lengths[0] == corpus.lengths[1]
    assert corpus.separated.tolist() == [True, False]


def test_mixed_documents_keep_their_order(tokenizer_folder):
    vocabulary = load_vocabulary(str(tokenizer_folder))
    documents = [Document(Tokens(np.array([1, 2]))), *texts("x"), Document(Tokens(np.array([3])))] * 300
    ids = [tokens.ids.tolist() for tokens in tokenized(documents, vocabulary)]
    assert ids[::3] == [[1, 2]] * 300
    assert ids[2::3] == [[3]] * 300
    assert ids[1::3] == [vocabulary.tokenizer.encode("x").ids] * 300


def test_text_needs_a_tokenizer_and_valid_unicode(tokenizer_folder):
    with pytest.raises(InputError, match="name a tokenizer with --tokenizer"):
        counted_texts(["text"], NO_TOKENIZER)
    with pytest.raises(InputError, match="not valid Unicode"):
        counted_texts(["fine", "\ud800"], load_vocabulary(str(tokenizer_folder)))


def test_the_vocabulary_resolves_its_two_tokens(tokenizer_folder):
    folder = str(tokenizer_folder)
    own = load_vocabulary(folder)
    assert (own.separator, own.padding) == (0, 1)
    assert load_vocabulary(folder, "<|pad|>", "if").separator == 1
    assert load_vocabulary(folder, "<|pad|>", "if").padding == own.tokenizer.token_to_id("if")
    assert load_vocabulary(folder, "none").separator is None
    assert load_vocabulary(f"{folder}/tokenizer.json", "<|end|>").padding == 0
    assert (NO_TOKENIZER.separator, NO_TOKENIZER.padding) == (None, 0)
    assert load_vocabulary(None, "5").padding == 5
    assert load_vocabulary(None, "2147483647", "007").padding == 7


@pytest.mark.parametrize(("config", "said"), [("[]", "not a JSON object"), ("[" * 100_000, "not JSON")])
def test_a_damaged_tokenizer_config_is_named(tokenizer_folder, tmp_path, config, said):
    (tmp_path / "tokenizer.json").write_bytes((tokenizer_folder / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(config)
    with pytest.raises(InputError, match=rf"tokenizer_config\.json: {said}"):
        load_vocabulary(str(tmp_path))


def test_padding_beyond_the_ids_of_a_row_is_refused():
    with pytest.raises(InputError, match="padding 99999999999: a token id lies between 0 and 2147483647"):
        load_vocabulary(None, padding="99999999999")


@pytest.mark.parametrize(
    ("tokenizer", "separator", "said"),
    [
        ("FOLDER", "<|ende|>", "has no token '<|ende|>' to use as separator; did you mean <|end|>"),
        ("FOLDER", "2000000", "has no token '2000000' to use as separator; its special tokens: <|end|>, <|pad|>"),
        ("FOLDER/tokenizer.json", None, "names no end-of-text token; give --separator TOKEN, or --separator none"),
        ("FOLDER/tokenizer_config.json", "none", "is not readable"),
        ("EMPTY", "none", "holds no tokenizer.json"),
        ("nobody/no-such-tokenizer", "none", "neither a local path nor available from the hub"),
        ("no such name", "none", "neither a local path nor available from the hub"),
        (None, "<|end|>", "without a tokenizer it must be a token id"),
        (None, "2147483648", "separator 2147483648: a token id lies between 0 and 2147483647"),
        (None, "9" * 5000, "a token id lies between 0 and 2147483647"),
    ],
)
def test_tokenizers_and_separators_that_are_not_there(tokenizer_folder, tmp_path, tokenizer, separator, said):
    if tokenizer:
        tokenizer = tokenizer.replace("FOLDER", str(tokenizer_folder)).replace("EMPTY", str(tmp_path))
    with pytest.raises(InputError) as caught:
        load_vocabulary(tokenizer, separator)
    assert said in str(caught.value)
