"""Chats go through the tokenizer's template; what the assistant wrote is trained, and nothing else."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from harness.errors import InputError
from harness.packing.documents import Completion, Document
from harness.packing.findings import Findings, Reading
from harness.packing.sources import read_documents
from harness.packing.tokenizing import tokenized
from harness.packing.vocabulary import load_vocabulary

TEMPLATE = (
    "{% if tools %}tools {{ tools | tojson }}\n{% endif %}"
    "{% for message in messages %}<{{ message.role }}>\n{{ message.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>\n{% endif %}"
)
MARKED = (
    "{% for message in messages %}<{{ message.role }}>\n{% if message.role == 'assistant' %}"
    "{% generation %}{{ message.content if loop.last else message.content | upper }}{% endgeneration %}"
    "{% else %}{{ message.content }}{% endif %}{{ eos_token }}\n{% endfor %}"
)  # writes earlier turns otherwise
LAST_ONLY = TEMPLATE.replace("{{ message.content }}", "{{ message.content if loop.last else '...' }}")
TURNS = [
    {"role": "user", "content": "def f"},
    {"role": "assistant", "content": "return 1"},
    {"role": "user", "content": "again"},
    {"role": "assistant", "content": "return 2"},
]


@pytest.fixture
def folder(tmp_path, tokenizer_folder):
    for file in tokenizer_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def trained(folder, lines, template=TEMPLATE, **settings):
    """Of each document the whole text and the parts of it that are trained."""
    if template:
        (folder / "chat_template.jinja").write_text(template)
    (folder / "c.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    vocabulary = load_vocabulary(str(folder), **settings)
    found = []
    for tokens in tokenized(read_documents(str(folder / "c.jsonl"), Reading()), vocabulary):
        mask = tokens.columns.get("trained", np.ones(len(tokens.ids), np.uint8))
        parts = np.split(tokens.ids, np.flatnonzero(np.diff(mask, prepend=0, append=0)))
        decoded = [vocabulary.tokenizer.decode(part.tolist(), skip_special_tokens=False) for part in parts[1::2]]
        found.append((vocabulary.tokenizer.decode(tokens.ids.tolist(), skip_special_tokens=False), decoded))
    return found


def test_chats_in_which_nothing_is_trained_are_counted(folder):
    """An answer under another role left the loss without a word."""
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    lines = [TURNS, [{"role": "user", "content": "def f"}, {"role": "bot", "content": "return 1"}]]
    (folder / "c.jsonl").write_text("".join(json.dumps({"messages": line}) + "\n" for line in lines))
    found = Findings()
    list(tokenized(read_documents(str(folder / "c.jsonl"), Reading()), load_vocabulary(str(folder)), found))
    assert found.notes() == ["chats without a turn of the assistant in the loss: 1"]


def test_only_the_assistants_turns_are_trained(folder):
    [(text, parts)] = trained(folder, [{"messages": TURNS, "tools": [{"name": "ls"}]}])
    assert text.startswith('tools [{"name": "ls"}]\n<user>\ndef f<|end|>\n<assistant>\nreturn 1')
    assert parts == ["return 1<|end|>\n", "return 2<|end|>\n"]


def test_completions_are_trained_and_prompts_are_not(folder):
    lines = [{"prompt": "def f():\n", "completion": "    return 1"}, {"prompt": TURNS[:3], "completion": TURNS[3:]}]
    [(_, text), (_, chat)] = trained(folder, lines)
    assert text == ["\n    return 1"]  # the token that reaches over the beginning is trained
    assert chat == ["return 2<|end|>\n"]


def test_a_template_that_marks_what_is_generated_is_believed(folder):
    lines = [{"messages": TURNS}, {"prompt": TURNS[:3], "completion": TURNS[3:]}]
    [(text, parts), (_, completion)] = trained(folder, lines, MARKED)
    assert (
        text
        == "<user>\ndef f<|end|>\n<assistant>\nRETURN 1<|end|>\n<user>\nagain<|end|>\n<assistant>\nreturn 2<|end|>\n"
    )
    assert parts == ["RETURN 1", "return 2"]
    assert completion == ["return 2"]


def test_special_tokens_that_text_spells_are_text(folder):
    """A `<|end|>` in a source file was a document's end to Megatron, and one in a message ended its turn."""
    spelled = [{"role": "user", "content": "what is <|end|>?"}, {"role": "assistant", "content": "an <|end|> token"}]
    lines = [{"text": "a<|end|>b"}, {"messages": spelled}, {"prompt": "<|end|>", "completion": "<|pad|>"}]
    ends = {True: [1, 4, 1], False: [0, 2, 0]}
    for reads_special, counts in ends.items():
        found = Findings()
        results = trained(folder, lines, reads_special=reads_special)
        vocabulary = load_vocabulary(str(folder), reads_special=reads_special)
        documents = list(tokenized(read_documents(str(folder / "c.jsonl"), Reading()), vocabulary, found))
        assert [int((document.ids == vocabulary.separator).sum()) for document in documents] == counts
        assert [text for text, _ in results][1].count("<|end|>") == 4
        assert results[1][1] == ["an <|end|> token<|end|>\n"]
        assert found.spelled_documents == 3


def test_documents_begin_as_the_tokenizer_begins_them(folder):
    lines = [{"text": "x = 1"}, {"messages": TURNS[:2]}, {"prompt": "a:", "completion": " b"}, {"text": ""}]
    assert trained(folder, lines)[0][0] == "x = 1"
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"bos_token": "<|pad|>"}))
    assert trained(folder, lines)[0][0] == "x = 1"  # the tokenizer has such a token, but puts it nowhere
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    first = {"SpecialToken": {"id": "<|pad|>", "type_id": 0}}
    tokenizer["post_processor"] = {
        **{"type": "TemplateProcessing", "single": [first, {"Sequence": {"id": "A", "type_id": 0}}]},
        **{"pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}]},
        "special_tokens": {"<|pad|>": {"id": "<|pad|>", "ids": [1], "tokens": ["<|pad|>"]}},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    begun = trained(folder, lines)
    assert [text[:7] for text, _ in begun] == ["<|pad|>"] * 3 + [""]
    assert begun[1][1] == ["return 1<|end|>\n"]
    twice = trained(folder, lines, "{{ bos_token }}" + TEMPLATE)
    assert twice[1][0].count("<|pad|>") == 1
    assert trained(folder, lines, begin="none")[0][0] == "x = 1"
    assert trained(folder, lines, begin="<|end|>")[0][0] == "<|end|>x = 1"


def test_several_kinds_of_documents_stand_in_one_corpus(folder):
    lines = [{"text": "x = 1"}, {"messages": TURNS[:2]}, {"input_ids": [5, 6]}, {"prompt": "a:", "completion": " b"}]
    parts = [parts for _, parts in trained(folder, lines)]
    assert parts[0] == ["x = 1"]
    assert parts[1] == ["return 1<|end|>\n"]
    assert parts[3] == [" b"]


@pytest.mark.parametrize(
    ("line", "template", "said"),
    [
        ({"messages": TURNS}, "", "has no chat template"),
        ({"messages": TURNS}, LAST_ONLY, "writes turn 1 otherwise when others follow"),
        ({"messages": TURNS}, "{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ({"messages": TURNS}, "{% if", "the chat template is not readable"),
        ({"messages": [{"content": "a"}]}, TEMPLATE, "must be a list of messages, each with a role"),
        ({"messages": TURNS, "tools": "["}, TEMPLATE, "tools is neither a list nor JSON"),
    ],
)
def test_what_is_no_chat_is_refused(folder, line, template, said):
    with pytest.raises(InputError) as caught:
        trained(folder, [line], template)
    assert said in str(caught.value)


def unigram(folder, pieces):
    """A tokenizer of these pieces whose model has its special token among them."""
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), ("</s>", 0.0), *((piece, -2.0) for piece in pieces)], 0))
    tokenizer.add_special_tokens(["</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>"}))
    return load_vocabulary(str(folder))


def test_a_model_that_has_special_tokens_among_its_pieces_finds_none_in_text(tmp_path):
    """Every `</s>` in a text was a boundary under Unigram's tokenizers, while a note said that it was text."""
    vocabulary = unigram(tmp_path, ["a", "b", "é", "<", "/", ">", "<0x73>"])
    documents = [Document("a</s>b"), Document("aéx"), Document(Completion("a", "</s>b"))]
    first, second, third = tokenized(documents, vocabulary)
    spelt = [vocabulary.tokenizer.token_to_id(piece) for piece in ("<", "/", "<0x73>", ">")]
    assert first.ids.tolist() == [2, *spelt, 3]
    assert second.ids.tolist() == [2, 4, 0]
    assert third.ids.tolist() == [2, *spelt, 3]
    assert third.columns["trained"].tolist() == [0, 1, 1, 1, 1, 1]
    vocabulary = load_vocabulary(str(tmp_path), reads_special=True)
    assert [document.ids.tolist() for document in tokenized(documents[:1], vocabulary)] == [[2, 1, 3]]


def test_a_special_token_that_can_not_be_written_as_text_is_refused(tmp_path):
    with pytest.raises(InputError, match="can't write '</s>', which a document spells, but as that token"):
        list(tokenized([Document("a</s>b")], unigram(tmp_path, ["a", "b"])))
