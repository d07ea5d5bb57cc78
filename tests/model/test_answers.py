import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.candidate import Edit
from harness.model.answers import read_edits, read_file_names, without_thinking

BLOCK = "<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n"
EDIT = Edit("src/a.py", "old\n", "new\n")


@pytest.mark.parametrize(
    "text",
    [
        f"src/a.py\n{BLOCK}",
        f"```python\nsrc/a.py\n{BLOCK}```\n",
        f"```python\n### src/a.py\n{BLOCK}```",
        f"src/a.py\n```python\n{BLOCK}```\n",
        f"**`src/a.py`**:\n\n```\n{BLOCK}```\n",
        f"File: src/a.py\n{BLOCK}",
        f"1. src/a.py - the cause\n{BLOCK}",
        f"Some words.\n\nsrc/a.py\n{BLOCK}More words.",
        f"src/a.py\n{BLOCK}".replace("\n", "\r\n"),
        f"src/a.py\n{BLOCK}".rstrip(),
        f"src/a.py\n{BLOCK}".replace("=======", "====").replace("====", "======="),
        "    src/a.py\n    <<<<<<< SEARCH\nold\n    =======\nnew\n    >>>>>>> REPLACE",
        f"<think>src/b.py\n{BLOCK}</think>\nsrc/a.py\n{BLOCK}",
        f"I wonder.\nsrc/b.py\n{BLOCK}\n</think>\n\nsrc/a.py\n{BLOCK}",
        f"◁think▷src/b.py\n{BLOCK}◁/think▷\nsrc/a.py\n{BLOCK}",
        f"I wonder.\nsrc/b.py\n{BLOCK}\n◁/think▷\n\nsrc/a.py\n{BLOCK}",
        f"[THINK]src/b.py\n{BLOCK}[/THINK]src/a.py\n{BLOCK}",
        f"The change:\n```python:src/a.py\n{BLOCK}```",
        f"The change:\n```python src/a.py\n{BLOCK}```",
        f'```py title="src/a.py"\n{BLOCK}```',
        f"```src/a.py\n{BLOCK}```",
    ],
)
def test_a_block_is_found_however_it_is_dressed(text):
    reading = read_edits(text)
    assert reading.problems == ()
    assert reading.edits == (EDIT,)


def test_several_blocks_in_several_files_keep_their_order():
    text = f"a.py\n{BLOCK}\nthe same file:\n{BLOCK}\n```\nb.py\n{BLOCK}```\n```\n{BLOCK}```"
    assert [edit.path for edit in read_edits(text).edits] == ["a.py", "a.py", "b.py", "b.py"]


def test_a_fence_without_a_path_names_none():
    for fence in ("```python", "```c++", "``` python startline=3"):
        assert read_edits(f"b.py\n{BLOCK}\n{fence}\n{BLOCK}").edits[1].path == "b.py"


def test_no_lines_and_a_blank_line_are_told_apart():
    deletion = read_edits("a.py\n<<<<<<< SEARCH\nold\n=======\n>>>>>>> REPLACE").edits[0]
    blank = read_edits("a.py\n<<<<<<< SEARCH\nold\n=======\n\n>>>>>>> REPLACE").edits[0]
    creation = read_edits("a.py\n<<<<<<< SEARCH\n=======\nnew\n>>>>>>> REPLACE").edits[0]
    assert (deletion.replace, blank.replace, creation.search) == ("", "\n", "")


def test_text_keeps_its_white_space_and_odd_line_separators():
    body = "\tif x:  \n\f\n  y = '\x0b\x85\u2028'\n"
    edit = read_edits(f"a.py\n<<<<<<< SEARCH\n{body}=======\n{body}>>>>>>> REPLACE").edits[0]
    assert edit.search == edit.replace == body


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a.py\n<<<<<<< SEARCH\nold\n=======\nnew\n\nThat is all.\n", "no end"),
        ("a.py\n<<<<<<< SEARCH\nold\nnew\n>>>>>>> REPLACE\n", "no divider"),
        (f"a.py\n<<<<<<< SEARCH\nold\n{BLOCK}", "no end"),
    ],
)
def test_a_broken_block_is_a_problem(text, problem):
    assert problem in read_edits(text).problems[0]


def test_an_indented_heading_rule_is_no_divider():
    text = "a.py\n<<<<<<< SEARCH\n    Title\n    =======\n=======\nnew\n>>>>>>> REPLACE\n"
    assert read_edits(text).edits == (Edit("a.py", "    Title\n    =======\n", "new\n"),)


def test_thinking_that_never_ends_leaves_nothing():
    assert without_thinking(f"<think>\na.py\n{BLOCK}") == ""


def test_source_about_thinking_tags_is_no_thinking():
    text = 'a.py\n<<<<<<< SEARCH\nEND = "</think>"\n=======\nEND = "</x>"\n>>>>>>> REPLACE\n'
    assert read_edits(text).edits == (Edit("a.py", 'END = "</think>"\n', 'END = "</x>"\n'),)


@pytest.mark.parametrize(
    "text",
    [
        "src/a.py\nlib/b.js",
        "```\nsrc/a.py\nlib/b.js\n```",
        "The cause is in these.\n\n```text\nsrc/a.py\nlib/b.js\n```\nThat is all.",
        "1. `src/a.py` - where it fails\n2. `lib/b.js`: also",
        "- **src/a.py**\n- **lib/b.js:12-30**",
        "<think>maybe c.py\n</think>src/a.py\nlib/b.js\nsrc/a.py",
        "### src/a.py\n### lib/b.js\n",
        "src/a.py (most likely)\nlib/b.js — less so",
        "parse_pairs: src/a.py\nread: lib/b.js",
        "parse_pairs src/a.py\nread lib/b.js",
        "in parse_pairs src/a.py\nIn read: lib/b.js",
    ],
)
def test_file_names_are_read(text):
    assert read_file_names(text) == ("src/a.py", "lib/b.js")


def test_prose_holds_no_file_names():
    assert read_file_names("I can't tell. Anything, e.g. the parser.\nin the end of src/a.py\n\nSorry!") == ()


MARKUP = st.sampled_from(
    ["<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "```", "```python", "a.py", "### a/b.py", "<think>", "</think>"]
)
CRUMBS = st.sampled_from(["File:", "`a.py`", "- ", "x = 1", "    ", "\n", "\r\n", "\ud800", "\0"])


@given(st.lists(st.one_of(MARKUP, CRUMBS, st.just("\n"), st.text(max_size=20)), max_size=60))
def test_no_text_makes_reading_raise(parts):
    text = "".join(parts)
    reading = read_edits(text)
    assert len(reading.edits) + len(reading.problems) <= text.count("SEARCH")
    for edit in reading.edits:
        assert all(lines == "" or lines.endswith("\n") for lines in (edit.search, edit.replace))
    assert all(name and "\n" not in name for name in read_file_names(text))


def test_a_long_answer_without_end_is_read_quickly():
    """Searching for each tag's end from every start would take minutes here."""
    text = "<think" * 100_000 + "<<<<<<< SEARCH\n" * 20_000
    assert read_edits(text).edits == ()
