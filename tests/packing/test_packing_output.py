import gc
import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import datasets
import numpy as np
import pytest
from tokenizers import Tokenizer

from harness.errors import InfrastructureError, InputError
from harness.packing import output as output_module
from harness.packing.command import pack_command
from harness.packing.defaults import COMPARED
from harness.packing.metrics_file import load_metrics
from harness.packing.output import building
from harness.packing.request import PackRequest
from harness.packing.rows import Gatherer
from harness.packing.store import StoreWriter, read_store
from harness.packing.strategies import STRATEGIES
from harness.packing.token_columns import IGNORED
from harness.packing.vocabulary import load_vocabulary

CONTEXT = 4096
TAKING_ALL = tuple(s for s in STRATEGIES if s not in ("best-fit", "best-fit-stream"))


def silent(message):
    pass


def request(corpus_file, tokenizer_folder, output, **changes):
    fields = {"corpus": str(corpus_file), "context": CONTEXT, "tokenizer": str(tokenizer_folder), "output": output}
    rows = {} if output is None or changes.get("index_only") else {"shard_tokens": 40 * CONTEXT}
    slides = any(name.endswith("slide") for name in changes["strategies"])
    return PackRequest(**{"stride": 3000 if slides else None, **rows, **fields, **changes})


@cache
def rows(folder):
    return datasets.Dataset.from_parquet(sorted(map(str, folder.glob("*.parquet"))), keep_in_memory=True)


def segments(row):
    """The pieces of a row as lists of ids, its padding left out; what is beside the ids is checked."""
    assert len(row["input_ids"]) == len(row["labels"]) == len(row["position_ids"]) == CONTEXT
    assert sum(row["seq_lengths"]) == CONTEXT
    ends = np.cumsum(row["seq_lengths"])
    pieces = []
    for end, length in zip(ends, row["seq_lengths"], strict=True):
        inner = slice(end - length, end)
        assert row["position_ids"][inner] == list(range(length))
        if all(label == IGNORED for label in row["labels"][inner]):
            assert set(row["input_ids"][inner]) == {1}
            assert end == CONTEXT
        else:
            assert row["labels"][inner] == [IGNORED, *row["input_ids"][inner][1:]]
            pieces.append(row["input_ids"][inner])
    return pieces


@pytest.fixture(scope="module")
def packed(tmp_path_factory, corpus_file, tokenizer_folder):
    """The standard library packed by every strategy."""
    output = tmp_path_factory.mktemp("packed") / "data"
    result = pack_command(request(corpus_file, tokenizer_folder, output, strategies=TAKING_ALL), silent)
    return output, result


@pytest.fixture(scope="module")
def documents(sources, tokenizer_folder):
    """Each module's ids with the separator that its text is to be followed by."""
    vocabulary = load_vocabulary(str(tokenizer_folder))
    encoded = vocabulary.tokenizer.encode_batch(sources)
    return [[*e.ids, vocabulary.separator] if e.ids else [] for e in encoded]


def expected_pieces(document, strategy):
    """The pieces that ``strategy`` may leave of a document in sequences of their own or beside others."""
    length = len(document)
    if length <= CONTEXT:
        return [document] if document else []
    windows = -(-length // CONTEXT)
    if strategy.endswith("+spread") and windows * CONTEXT - length <= CONTEXT // 2 * (windows - 1):
        begins = [number * (length - CONTEXT) // (windows - 1) for number in range(windows)]
        return [document[at : at + CONTEXT] for at in begins]
    if strategy.endswith(("+split", "+spread")) or strategy == "pad-last-document":
        return [document[at : at + CONTEXT] for at in range(0, length, CONTEXT)]
    if strategy.endswith("+slide"):
        begins = [at for at in range(0, length, 3000) if at + CONTEXT < length]
        return [document[at : at + CONTEXT] for at in [*begins, length - CONTEXT]]
    return [document[:CONTEXT]] if strategy.endswith("+truncate") else []


@pytest.mark.parametrize("strategy", [s for s in TAKING_ALL if not s.startswith(("concat", "restart", "pad-or"))])
def test_rows_decode_to_the_pieces_of_the_documents(packed, documents, strategy):
    found = sorted(piece for row in rows(packed[0] / strategy) for piece in segments(row))
    assert found == sorted(piece for document in documents for piece in expected_pieces(document, strategy))


@pytest.mark.parametrize("strategy", ["concat-then-split", "pad-or-cut"])
def test_rows_cut_in_order_decode_to_the_stream(packed, documents, strategy):
    stream = [token for row in rows(packed[0] / strategy) for piece in segments(row) for token in piece]
    assert stream == [token for document in documents for token in document]


def test_restarted_rows_decode_to_the_documents(packed, documents):
    pieces = [piece for row in rows(packed[0] / "restart-last-document") for piece in segments(row)]
    wanted = [document for document in documents if document]
    repeated = 0
    at = 0
    for document in wanted:
        if pieces[at] != document[:CONTEXT] and pieces[at] == document[: len(pieces[at])]:
            repeated += len(pieces[at])  # a head cut off at its sequence's end: the document begins again
            at += 1
        whole = []
        while len(whole) < len(document):
            whole += pieces[at]
            at += 1
        assert whole == document
    assert at == len(pieces)
    assert repeated == packed[1].metrics["restart-last-document"].repeated_tokens


@pytest.mark.parametrize("strategy", ["concat-then-split", "best-fit-stream+split", "best-fit+split"])
def test_decoded_text_is_the_text(packed, sources, tokenizer_folder, strategy):
    vocabulary = load_vocabulary(str(tokenizer_folder))
    ids = [piece for row in rows(packed[0] / strategy) for piece in segments(row)]
    text = vocabulary.tokenizer.decode([token for piece in ids for token in piece], skip_special_tokens=True)
    if strategy == "concat-then-split":
        assert text == "".join(sources)
    assert sorted(text) == sorted("".join(sources))


def test_the_stream_order_is_kept(packed, documents):
    first = list(rows(packed[0] / "best-fit-stream+drop"))
    opened = [segments(row)[0] for row in first]
    places = [documents.index(piece) for piece in opened]
    assert places == sorted(places)


def test_an_output_holds_metrics_picture_and_plan_and_no_token_files(packed):
    output, result = packed
    assert {path.name for path in output.iterdir()} == {*TAKING_ALL, "metrics.json", "packing.png", "plan.json"}
    assert (output / "packing.png").read_bytes().startswith(b"\x89PNG")
    assert not list(output.parent.glob("*.partial"))
    loaded = load_metrics(output / "metrics.json", "pad-last-document")
    assert loaded["padding_percent"] == 100 * result.metrics["pad-last-document"].padding_rate


def test_shards_are_no_larger_than_asked_for(packed):
    folder = packed[0] / "concat-then-split"
    shards = sorted(folder.glob("*.parquet"))
    assert len(shards) > 2
    assert [len(datasets.Dataset.from_parquet(str(s), keep_in_memory=True)) for s in shards[:-1]] == [40] * (
        len(shards) - 1
    )


def test_metrics_without_output_are_the_same(packed, corpus_file, tokenizer_folder, tmp_path):
    asked = request(corpus_file, tokenizer_folder, None, strategies=TAKING_ALL, metrics=tmp_path / "m.json")
    result = pack_command(asked, silent)
    assert result.metrics == packed[1].metrics
    assert load_metrics(tmp_path / "m.json", "best-fit+drop") == load_metrics(
        packed[0] / "metrics.json", "best-fit+drop"
    )


def test_what_is_compared_by_default_leaves_plain_best_fit_out_where_it_cannot_be(tmp_path):
    asked = small(tmp_path, output=None)
    assert list(pack_command(asked, silent).metrics) == list(COMPARED)
    result = pack_command(small(tmp_path, output=None, context=4), silent)
    assert list(result.metrics) == [s for s in COMPARED if s != "best-fit"]
    assert result.notes == ["best-fit is left out: it takes no documents longer than the context"]


def write_tokens(folder, documents):
    with StoreWriter(folder / "c.bin", folder / "c.idx", 100) as writer:
        for ids in documents:
            writer.add(np.array(ids))
    return folder / "c"


def small(folder, **changes):
    corpus = write_tokens(folder, [[5, 6, 7], [8] * 6, [9, 10], [11] * 5])
    written = changes.get("output", "out") is not None and not changes.get("index_only")
    fields = {"corpus": str(corpus), "context": 8, "output": folder / "out", "padding": "1" if written else None}
    return PackRequest(**{**fields, **changes})


def test_repeated_heads_leave_the_loss(tmp_path):
    strategies = ("restart-last-document", "best-fit+slide")
    across = {"loss_across_boundaries": True, "in_order": True}
    asked = small(tmp_path, strategies=strategies, context=4, stride=3, **across)
    pack_command(asked, silent)
    plain = [row["labels"] for row in rows(tmp_path / "out" / "restart-last-document")]
    assert plain[1:3] == [[8, 8, 8, 8], [8, 8, 9, 10]]
    masked = small(tmp_path, **{**vars(asked), "output": tmp_path / "masked", "mask_repeated": True})
    pack_command(masked, silent)
    labels = [row["labels"] for row in rows(tmp_path / "masked" / "restart-last-document")]
    assert labels == [[5, 6, 7, 8], [-100, 8, 8, 8], [8, 8, 9, 10], [11, 11, 11, 11], [11, -100, -100, -100]]
    windows = [row["labels"] for row in rows(tmp_path / "masked" / "best-fit+slide")][:4]
    assert windows == [[8, 8, 8, 8], [-100, -100, 8, 8], [11, 11, 11, 11], [-100, -100, -100, 11]]


def test_a_separator_is_put_between_documents_of_a_store(tmp_path):
    pack_command(small(tmp_path, strategies=("concat-then-split",), separator="99"), silent)
    ids = [token for row in rows(tmp_path / "out" / "concat-then-split") for token in row["input_ids"]]
    assert ids == [5, 6, 7, 99, *[8] * 6, 99, 9, 10, 99, *[11] * 5, 99, *[1] * 4]


def test_a_shuffle_keeps_the_rows_and_moves_them(tmp_path):
    strategy = ("concat-then-split",)
    pack_command(small(tmp_path, strategies=strategy, context=2), silent)
    pack_command(small(tmp_path, strategies=strategy, context=2, output=tmp_path / "s", shuffle_seed=3), silent)
    plain, mixed = (rows(tmp_path / name / strategy[0])["input_ids"][:] for name in ("out", "s"))
    assert plain != mixed
    assert sorted(plain) == sorted(mixed)


def test_index_files_and_the_tokens_give_the_rows(tmp_path, corpus_file, tokenizer_folder, documents):
    asked = request(corpus_file, tokenizer_folder, tmp_path / "i", strategies=("best-fit+split",), index_only=True)
    pack_command(asked, silent)
    store = read_store(tmp_path / "i" / "tokens.bin", tmp_path / "i" / "tokens.idx")
    folder = tmp_path / "i" / "best-fit+split"
    names = ("document", "offset", "length", "sequence", "starts")
    document, offset, length, sequence, starts = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in names)
    assert (np.repeat(np.arange(len(starts) - 1), np.diff(starts)) == sequence).all()
    for piece in range(0, len(document), 17):
        begin = store.starts[document[piece]] + offset[piece]
        ids = documents[document[piece]][offset[piece] : offset[piece] + length[piece]]
        here = store.lengths[document[piece]] - offset[piece]
        assert store.tokens[begin : begin + min(length[piece], here)].tolist() == ids[: min(length[piece], here)]


class Killed(BaseException):
    """Stands for the end of the process: nothing is cleaned up."""


def test_a_killed_run_goes_on_with_its_finished_shards(packed, corpus_file, tokenizer_folder, tmp_path):
    asked = request(corpus_file, tokenizer_folder, tmp_path / "r", strategies=("best-fit+split",))

    def stop(message):
        if "shard 2 of" in message:
            raise Killed

    with pytest.raises(Killed):
        pack_command(asked, stop)
    partial = tmp_path / "r.partial"
    kept = {path: path.stat().st_mtime_ns for path in partial.rglob("*.parquet")}
    assert len(kept) == 2
    (partial / "best-fit+split" / "shard-00002-of-00009.parquet.tmp").write_bytes(b"torn")
    pack_command(asked, silent)
    assert not partial.exists()
    resumed = tmp_path / "r" / "best-fit+split"
    assert all((resumed / path.name).stat().st_mtime_ns == written for path, written in kept.items())
    for shard in (packed[0] / "best-fit+split").iterdir():
        assert (resumed / shard.name).read_bytes() == shard.read_bytes()
    assert len(list(resumed.iterdir())) == len(list((packed[0] / "best-fit+split").iterdir()))


def test_other_settings_do_not_go_on_with_an_unfinished_output(tmp_path):
    def stop(message):
        if "shard 1 of" in message:
            raise Killed

    with pytest.raises(Killed):
        pack_command(small(tmp_path, strategies=("concat-then-split",)), stop)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="unfinished packing with other settings"):
        pack_command(small(tmp_path, strategies=("concat-then-split",), context=9), silent)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_tokenizer_that_changed_under_its_name_does_not_go_on_with_an_unfinished_output(tmp_path, tokenizer_folder):
    """It was known by its name alone: 320 tokens came out instead of 580, with status 0."""
    (tmp_path / "t").mkdir()
    for file in tokenizer_folder.iterdir():
        (tmp_path / "t" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "c.jsonl").write_text('{"text": "def f(): return 1"}\n' * 9)
    asked = {"tokenizer": str(tmp_path / "t"), "strategies": ("concat-then-split",), "output": tmp_path / "out"}

    def stop(message):
        if "shard 1 of" in message:
            raise Killed

    with pytest.raises(Killed):
        pack_command(PackRequest(str(tmp_path / "c.jsonl"), 8, **asked), stop)
    tokenizer = Tokenizer.from_file(str(tmp_path / "t" / "tokenizer.json"))
    tokenizer.add_tokens(["return"])
    tokenizer.save(str(tmp_path / "t" / "tokenizer.json"))
    with pytest.raises(InputError, match="unfinished packing with other settings"):
        pack_command(PackRequest(str(tmp_path / "c.jsonl"), 8, **asked), silent)


def test_an_output_is_never_written_over(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("keep")
    with pytest.raises(InputError, match="there is something already"):
        pack_command(small(tmp_path), silent)
    assert (tmp_path / "out" / "mine").read_text() == "keep"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"context": 0}, "context length 0"),
        ({"context": 10**20}, "context length 100000000000000000000: give at most 67108864 tokens"),
        ({"strategies": ("bestfit",)}, "did you mean best-fit"),
        ({"strategies": ("best-fit",), "context": 4}, "longer than the context of 4 tokens"),
        ({"stride": 9}, "stride 9"),
        ({"shard_tokens": 0}, "shard size 0"),
        ({"shuffle_seed": -1}, "--shuffle-seed -1: give a whole number, at least 0"),
        ({"index_only": True, "shard_tokens": 99}, "--shard-tokens: --index-only writes no rows"),
        ({"index_only": True, "mask_repeated": True}, "--mask-repeated: --index-only writes no rows"),
        ({"output": None, "index_only": True}, "--index-only: nothing is written without --output"),
        ({"index_only": True, "padding": "1"}, "--padding: --index-only writes no rows"),
        ({"index_only": True, "loss_across_boundaries": True}, "--loss-across-boundaries: --index-only writes no rows"),
        ({"output": None, "in_order": True}, "--in-order: nothing is written without --output"),
        ({"output": None, "padding": "1"}, "--padding: nothing is written without --output"),
        ({"in_order": True, "shuffle_seed": 1}, "contradict each other"),
        ({"strategies": ("best-fit+split",), "stride": 2}, "--stride 2: none of the strategies slides"),
        ({"column": "text"}, "--column: "),
        ({"split": "test", "streaming": True}, "--split: "),
        ({"output": None, "shuffle_seed": 0}, "--shuffle-seed: nothing is written without --output"),
        ({"output": None, "shard_tokens": 99}, "--shard-tokens: nothing is written without --output"),
        ({"separator": "<|end|>"}, "without a tokenizer it must be a token id"),
        ({"corpus": "no/such/corpus.jsonl"}, "no such corpus file"),
        ({"corpus": "EMPTY"}, "holds no documents"),
        ({"corpus": "TORN"}, "line 2 is torn"),
    ],
)
def test_bad_input_leaves_nothing_behind(tmp_path, changes, said):
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "torn.jsonl").write_text('{"input_ids": [1]}\n{"inp')
    asked = small(tmp_path, **changes)
    places = {"EMPTY": "empty.jsonl", "TORN": "torn.jsonl"}
    if asked.corpus in places:
        asked = small(tmp_path, corpus=str(tmp_path / places[asked.corpus]))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as caught:
        pack_command(asked, silent)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("option", "place", "said"),
    [
        ("output", "c.idx", "c.idx: can't be the output folder (it is a file); name another"),
        ("output", "c.idx/x/y", "c.idx is a file); name another"),
        ("metrics", ".", ": can't be the metrics file (it is a folder); name a file"),
        ("metrics", "c.idx/m.json", "can't be the folder of the metrics file (it is a file)"),
        ("figure", ".", ": can't be the figure (it is a folder); name a file"),
        ("figure", "x" * 300 + "/f.png", "File name too long"),
    ],
)
def test_places_that_cannot_be_written_are_told_before_the_corpus_is_read(tmp_path, option, place, said):
    asked = small(tmp_path, **{"output": None, option: tmp_path / place})
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as caught:
        pack_command(asked, pytest.fail)
    assert said in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_failing_disk_keeps_finished_shards_and_nothing_else(tmp_path, monkeypatch):
    asked = small(tmp_path, strategies=("concat-then-split",), context=2, shard_tokens=4)
    real = output_module._write_shard
    calls = []

    def full(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        real(*arguments)

    monkeypatch.setattr(output_module, "_write_shard", full)
    with pytest.raises(InfrastructureError, match=r"the disk is full; free some space on it.*run again to go on"):
        pack_command(asked, silent)
    names = {path.name for path in (tmp_path / "out.partial").rglob("*") if path.is_file()}
    assert names == {"plan.json", "shard-00000-of-00004.parquet"}
    monkeypatch.undo()
    pack_command(asked, silent)
    assert len(rows(tmp_path / "out" / "concat-then-split")) == 8


def test_an_interrupted_shard_leaves_no_writer_that_complains_later(tmp_path, monkeypatch):
    """Python printed a traceback when the writer closed itself on a closed file."""
    complaints = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    monkeypatch.setattr(output_module, "GROUP_TOKENS", 2)
    real = Gatherer.rows
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(Gatherer, "rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pack_command(small(tmp_path, strategies=("concat-then-split",), context=2), silent)
    gc.collect()
    assert complaints == []


LIMITED = """
import resource, sys
from pathlib import Path
from harness.errors import HarnessError
from harness.packing.command import pack_command
from harness.packing.request import PackRequest
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    pack_command(PackRequest(corpus=sys.argv[1], context=4096, output=Path(sys.argv[2])), lambda message: None)
except HarnessError as error:
    print(type(error).__name__, error)
"""


def test_a_file_that_cannot_grow_is_one_line_and_leaves_nothing(tmp_path):
    """The system itself refuses the write here: the limit on a file's size stands for the disk's."""
    corpus = write_tokens(tmp_path, np.random.default_rng(0).integers(0, 100, (40, 3000)).tolist())
    before = sorted(tmp_path.rglob("*"))
    command = [sys.executable, "-c", LIMITED, str(corpus), str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert ended.stdout.startswith(f"InfrastructureError {tmp_path / 'out'} was not written: ")
    assert "the file would become larger than allowed; raise the limit" in ended.stdout
    assert ended.stdout.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_building_keeps_the_folder_until_it_is_whole(tmp_path):
    with building(tmp_path / "out", {"a": 1}) as folder:
        assert not (tmp_path / "out").exists()
        assert folder == tmp_path / "out.partial"
    assert (tmp_path / "out" / "plan.json").is_file()


@pytest.mark.parametrize(("output", "said"), [(".", "name one inside it"), ("x", "x.partial: can't be the folder")])
def test_building_needs_a_place_beside_the_output(tmp_path, monkeypatch, output, said):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty" if output == "." else tmp_path)
    (tmp_path / "x.partial").write_text("a file")
    with pytest.raises(InputError, match=said), building(Path(output), {}):
        pytest.fail("nothing is built")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "x.partial"]


@pytest.mark.parametrize("weights", [(), (1.0, 2.0)])
def test_a_killed_tokenization_goes_on_where_it_was_saved(tmp_path, tokenizer_folder, monkeypatch, weights):
    """Its file was begun anew by every command."""
    for name in "ab":
        lines = [{"text": f"{name} = {n}\n" * (n % 7 + 1)} for n in range(400)]
        chats = [{"prompt": f"{n}:", "completion": f" {name} <|end|>"} for n in range(400)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines + chats))
    asked = PackRequest(
        (str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")),
        *(32, str(tokenizer_folder), ("concat-then-split",)),
        weights=weights,
        output=tmp_path / "whole",
    )
    whole = pack_command(asked, silent)
    again = replace(asked, output=tmp_path / "again")
    monkeypatch.setattr("harness.packing.corpus.SAVE_SECONDS", 0.0)
    real = StoreWriter.save
    saves = []

    def killed(writer):
        real(writer)
        saves.append(1)
        if len(saves) == 500:
            raise KeyboardInterrupt

    monkeypatch.setattr(StoreWriter, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        pack_command(again, silent)
    with (tmp_path / "again.partial" / "tokens.bin").open("ab") as file:
        file.write(b"torn")  # a kill between two saves
    written = []
    add = StoreWriter.add
    monkeypatch.setattr(StoreWriter, "save", real)
    monkeypatch.setattr(StoreWriter, "add", lambda *arguments: (written.append(1), add(*arguments)))
    resumed = pack_command(again, silent)
    total = whole.metrics["concat-then-split"].documents
    assert 0 < len(written) == total - 500
    assert (resumed.metrics, resumed.notes) == (whole.metrics, whole.notes)
    again, whole = (rows(tmp_path / name / "concat-then-split").to_dict() for name in ("again", "whole"))
    assert again == whole
