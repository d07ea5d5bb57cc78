"""What corpora hold beside the tidy: ShareGPT's names, JSON in strings, weights, parts, nulls, odd files and clones."""

import gzip
import json

import pyarrow
import pyarrow.parquet
import pytest

from harness.errors import InputError
from harness.packing.chat import load_template, rendered
from harness.packing.conversations import read_chat
from harness.packing.corpus import count
from harness.packing.documents import Tokens, row_document
from harness.packing.findings import Reading
from harness.packing.sources import read_documents

ASKED, ANSWER = {"role": "user", "content": "a?"}, {"role": "assistant", "content": "b."}
PLAIN = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{{ '[assistant]' if add_generation_prompt }}"
MARKED = (
    "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
    "{% else %}{{ m.content }}{% endif %}{% endfor %}"
)
BUILTIN = "{% for m in messages %}{{ m.content }}{% generation %};{% endgeneration %}{% endfor %}"


def spoken(row, column, template=PLAIN):
    """The text of a row's chat, and the stretches that are trained."""
    text, spans = rendered(read_chat(row, column, "here"), load_template(template, "here"), {}, "here")
    return text, [text[first:last] for first, last in spans if last > first]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("conversations", [{"from": "human", "value": "a?"}, {"from": "gpt", "value": "b."}]),
        ("conversations", [ASKED, ANSWER]),
        ("messages", json.dumps([ASKED, ANSWER])),
    ],
)
def test_chats_are_read_under_their_other_names(column, value):
    assert spoken({column: value}, column) == ("[user]a?[assistant]b.", ["b."])


def test_the_system_prompt_of_a_conversation_may_stand_beside_it():
    row = {"conversations": [{"from": "human", "value": "a?"}], "system": "s"}
    assert spoken(row, "conversations") == ("[system]s[user]a?", [])
    assert spoken(row | {"system": ""}, "conversations") == ("[user]a?", [])


@pytest.mark.parametrize("template", [PLAIN, MARKED])
@pytest.mark.parametrize("mark", [{"weight": 0}, {"train": False}])
def test_turns_may_be_taken_out_of_the_loss(template, mark):
    row = {"messages": [ASKED, {**ANSWER, "content": "bad", **mark}, ASKED, ANSWER]}
    text, parts = spoken(row, "messages", template)
    assert "bad" in text
    assert parts == ["b."]


def test_a_template_that_marks_other_stretches_than_turns_takes_no_weights():
    with pytest.raises(InputError, match="marks 2 stretches for 1 turns"):
        spoken({"messages": [ASKED, {**ANSWER, "weight": 0}]}, "messages", BUILTIN)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"conversations": [{"from": "narrator", "value": "x"}]}, "a turn is from 'narrator'; known are human"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "url": "x"}]}]}, "a part of type 'image'"),
        ({"messages": [{"role": "user", "content": {"text": "x"}}]}, "content is of type 'dict'; it must be text"),
        ({"messages": [{"role": None, "content": "x"}]}, "must be a list of messages, each with a role"),
        ({"messages": [{**ANSWER, "weight": 0.5}]}, "has weight 0.5"),
        ({"messages": [{**ASKED, "train": True}]}, "a message of 'user' is to be trained"),
        ({"messages": [ASKED], "tools": '{"a": 1}'}, "tools must be a list, not dict"),
        ({"messages": [ASKED], "tools": "["}, "tools is neither a list nor JSON"),
        ({"messages": {"role": "user"}}, "must be a list of messages"),
        ({"prompt": [ASKED], "completion": "b."}, "must both be text, or both be lists of messages"),
        ({"prompt": "a?", "completion": [ANSWER]}, "must both be text, or both be lists of messages"),
        ({"prompt": "a?", "completion": None}, "completion is null"),
    ],
)
def test_what_would_be_lost_is_refused(row, said):
    with pytest.raises(InputError, match=said.replace("[", r"\[")):
        row_document(row, Reading(), "here")


def test_parts_are_one_text_to_a_template_that_reads_none():
    """Python's own form of the list stood in the text."""
    row = {"messages": [{**ASKED, "content": [{"type": "text", "text": "it's"}, "a?"]}, ANSWER]}
    assert spoken(row, "messages") == ("[user]it's\na?[assistant]b.", ["b."])
    reads_parts = (
        "{% for m in messages %}[{{ m.role }}]{% if m.content is string %}{{ m.content }}{% else %}"
        "{% for part in m.content %}<{{ part.text or part }}>{% endfor %}{% endif %}{% endfor %}"
    )
    assert spoken(row, "messages", reads_parts)[0] == "[user]<it's><a?>[assistant]b."


@pytest.mark.parametrize(
    ("given", "read"),
    [('{"x": 1}', {"x": 1}), ({"x": 1}, {"x": 1}), ('{"x": ', '{"x": '), ("[1]", "[1]"), (None, None)],
)
def test_arguments_of_a_call_are_an_object_also_where_a_string_holds_it(given, read):
    """OpenAI's form has strings. Templates quoted them once more, or refused them."""
    row = {"messages": [ASKED, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": given}}]}]}
    [call] = read_chat(row, "messages", "here").messages[1]["tool_calls"]
    assert call == {"function": {"name": "f", "arguments": read}}


def test_tools_that_are_nothing_are_none():
    for tools in (None, [], "", "null"):
        assert read_chat({"messages": [ASKED], "tools": tools}, "messages", "here").tools is None


def test_a_row_of_several_kinds_is_read_by_the_one_that_it_fills(tmp_path):
    rows = [{"text": "a", "messages": None}, {"text": None, "messages": [ASKED, ANSWER]}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "c.parquet")
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("c.parquet", "c.jsonl"):
        first, second = (document.content for document in read_documents(str(tmp_path / name), Reading()))
        assert first == "a"
        assert second.messages == [ASKED, ANSWER]


def test_columns_that_a_document_of_text_leaves_are_named(tmp_path):
    (tmp_path / "c.jsonl").write_text(json.dumps({"text": "a", "messages": [ASKED], "source": "b", "x": None}) + "\n")
    reading = Reading()
    assert len(list(read_documents(str(tmp_path / "c.jsonl"), reading))) == 1
    assert reading.found.notes() == ["columns not read: messages, source"]


def test_fields_that_only_other_rows_of_a_table_have_are_not_in_a_chat(tmp_path):
    """Arrow gives every struct the fields of all: null arguments that no row ever had."""
    calls = [{"function": {"name": "f", "arguments": {key: 1}}} for key in ("x", "y")]
    rows = [{"messages": [ASKED, {**ANSWER, "tool_calls": [call]}]} for call in calls]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "c.parquet")
    read = [document.content.messages[1] for document in read_documents(str(tmp_path / "c.parquet"), Reading())]
    assert [message["tool_calls"] for message in read] == [[call] for call in calls]


@pytest.mark.parametrize("ids", [[1, -5], [1, 99_999_999_999]])
def test_ids_that_are_none_are_refused_without_output_too(ids):
    import numpy as np

    with pytest.raises(InputError, match="document 0: token ids must lie between 0 and 2147483647"):
        count([Tokens(np.array(ids))], None)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("c.jsonl", b'{"input_ids": [[1, 2], [3]]}\n', "not a list of lists"),
        ("c.jsonl", b'{"input_ids": [true]}\n', "not a list of bool"),
        ("c.csv", b"text,x\na,1,2\n", "line 2 has more cells than the first line has names"),
        ("c.jsonl.gz", gzip.compress(b'{"text": "a"}\n') + b"more", "not a readable .jsonl file"),
    ],
)
def test_files_of_other_shapes_are_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        list(read_documents(str(tmp_path / name), Reading()))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.jsonl", b'\xef\xbb\xbf{"text": "a"}\r\n\r\n{"text": "b"}\r\n'),
        ("c.jsonl.gz", gzip.compress(b'{"text": "a"}\n') + gzip.compress(b'{"text": "b"}\n')),
    ],
)
def test_marks_and_ends_of_lines_and_members_are_no_text(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert [document.content for document in read_documents(str(tmp_path / name), Reading())] == ["a", "b"]
    (tmp_path / "c.txt").write_bytes(b"\xef\xbb\xbfa")
    assert [document.content for document in read_documents(str(tmp_path / "c.txt"), Reading())] == ["a"]


def test_hidden_files_of_a_folder_are_not_read_and_named(tmp_path):
    for name in ("a.jsonl", ".b.jsonl", ".cache/c.jsonl", "d.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"text": "a"}\n')
    reading = Reading()
    assert len(list(read_documents(str(tmp_path), reading))) == 1
    assert reading.found.notes() == ["files not read: 3: .b.jsonl, .cache/c.jsonl, d.xml"]


def test_files_that_a_clone_did_not_fetch_are_named(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
    clone = tmp_path / "clone"
    (clone / "data").mkdir(parents=True)
    (clone / ".gitattributes").write_text("")
    for file in (clone / "data" / "train.jsonl", tmp_path / "alone.parquet"):
        file.write_text(pointer)
        with pytest.raises(InputError, match="fetch it with `git lfs pull`"):
            list(read_documents(str(clone if file.parent != tmp_path else file), Reading()))


def test_a_damaged_file_of_a_clone_is_named_in_one_line(tmp_path):
    (tmp_path / ".gitattributes").write_text("")
    (tmp_path / "train.jsonl").write_text('{"text": "a"}\n{"text": \n')
    with pytest.raises(InputError, match="a file of it is not readable") as caught:
        list(read_documents(str(tmp_path), Reading()))
    assert "\n" not in str(caught.value)
