"""Calls, pairs, commands of a shell and whole files in further shapes that models write."""

import json

import pytest
from one_edit import (
    ANSWER,
    BLOCK,
    CALL,
    DIFF,
    FIXED,
    HEAT,
    HIGHER,
    NEW,
    OLD,
    OVEN,
    TITLED,
    TWICE,
    USE,
    J,
    P,
    outcome,
)  # fmt: skip

from harness.core.candidate import Reason

OLD_PART, NEW_PART = f"<parameter=old_str>\n{OLD}", f"<parameter=new_str>\n{NEW}"
GLM = "".join(
    f"<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>\n"
    for key, value in (("path", P), ("old_str", OLD), ("new_str", NEW))
)
CUT_FILE = f"```python\nLIMIT = 250\n\n\ndef heat(degrees):\n    @\n\n\ndef cool(degrees):\n{NEW}```\n"
SHAPES = [
    f"<function=edit>\n<parameter=command=str_replace</parameter>\n<parameter=path={P}</parameter>\n{OLD_PART}"
    f"</parameter>\n{NEW_PART}</parameter>\n</function>\n",
    f"<function=edit>\n<parameter=path>\n{P}\n{OLD_PART}{NEW_PART}</function>\n",
    f"<tool_call>\n<function=edit>\n<parameter=path>{P}</parameter>\n{OLD_PART}</parameter>\n{NEW_PART}</tool_call>\n",
    f"<tool_call>str_replace\n{GLM}",
    f"<edits>\n<path>{P}</path>\n<old_text>\n{OLD}</text>\n<new_text>\n{NEW}</text>\n</edits>\n",
    f"{P}\n<edit>\n<old_text>\n{OLD}</old>\n<new_text>\n{NEW}</new>\n</edit>\n",
    f"{P}\n[SEARCH]\n{OLD}[/SEARCH]\n[REPLACE]\n{NEW}[/REPLACE]\n",
    *(
        json.dumps({file: P, old: OLD, new: NEW})
        for file, old, new in (
            ("file", "before", "after"),
            ("file_path", "search_text", "replace_text"),
            ("file", "from", "to"),
            ("TargetFile", "TargetContent", "ReplacementContent"),
            ("absolute_path", "find_text", "replace_with"),
        )
    ),
    json.dumps({"TargetFile": P, "ReplacementChunks": [{"TargetContent": OLD, "ReplacementContent": NEW}]}),
    json.dumps({"file": P, "original_lines": OLD.splitlines(), "replacement_lines": NEW.splitlines()}),
    json.dumps({**CALL, "old_str": "    11\t" + OLD, "new_str": "    11\t" + NEW}),
    json.dumps({**CALL, "old_str": "    11→" + OLD}),
    f"[TOOL_CALLS]str_replace_editor[ARGS]{J}",
    f"<|tool_call_begin|>functions.str_replace_editor:0<|tool_call_argument_begin|>{J}<|tool_call_end|>",
    f"```bash\ncat > {P} << 'EOF'\n{FIXED}EOF\n```\n",
    f'In `{P}`:\n\n```bash\n$ cat <<"PY" >{P}\n{FIXED}PY\n```\n',
    f"$ tee {P} <<'EOF' >/dev/null\n{FIXED}EOF\n",
    f'<invoke name="MultiEdit"><parameter name="file_path">{P}</parameter><parameter name="edits">'
    f"{json.dumps([{'old_string': OLD, 'new_string': NEW}])}</parameter></invoke>",
    f'<edit_file path="{P}"><edits><old_text line=10>\n{OLD}</old_text>'
    f"<new_text>\n{NEW}</new_text></edits></edit_file>",
    f'<invoke name="edit"><parameter name="path">{P}</parameter><parameter name="old_str">{OLD}</parameter>'
    f'<parameter name="new_str"><![CDATA[{NEW}]]></parameter></invoke>',
    f"<function=str_replace>\n<parameter=path>{P}</parameter>\n<parameter=old_str>\n{OLD}</parameter>\n"
    f"<parameter=new_str>\n```python\n{NEW}```\n</parameter>\n</function>",
    json.dumps({**CALL, "new_str": f"```python\n{NEW}```"}),
    f'<file path="{P}">\n{FIXED.replace("degrees > LIMIT", "degrees &gt; LIMIT")}</file>\n',
    json.dumps({"operation": {"type": "update_file", "path": P, "diff": f"@@\n-{OLD}+{NEW}"}}),
    f"{ANSWER[:-1]}<|im_end|>\n{P}\n{HIGHER}",
    f"{ANSWER[:-1]}<|endoftext|>import os\n\n{P}\n{HIGHER}",
    f"<|im_start|>assistant<|im_sep|>{ANSWER}<|im_end|>",
    f"[/INST] {ANSWER}</s>",
    f"<|start_header_id|>assistant<|end_header_id|>\n\n{ANSWER}<|eot_id|>",
    f"FILE_PATH={P}\n{BLOCK}",
    f"filepath:///{P}\n{BLOCK}",
    f"{DIFF[:-1]}<|eot_id|>\n--- a/setup.py\n+++ b/setup.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n",
]


@pytest.mark.parametrize("text", SHAPES)
async def test_each_shape_comes_to_the_same_change(text):
    assert await outcome(text) == {P: FIXED}


@pytest.mark.parametrize(
    "more", [{"replace_all": True}, {"replaceAll": "true"}, {"expected_replacements": 2}, {"AllowMultiple": True}]
)
@pytest.mark.parametrize("around", ["", "x = "])
async def test_a_call_may_mean_every_place(more, around):
    call = {"file_path": "bakery/twice.py", "old_string": f"{around}get(1)", "new_string": f"{around}get(2)", **more}
    assert await outcome(json.dumps(call)) == {"bakery/twice.py": TWICE.replace("get(1)", "get(2)")}


async def test_a_call_that_says_nothing_of_it_means_one_place():
    call = {"file_path": "bakery/twice.py", "old_string": "get(1)", "new_string": "get(2)", "expected_replacements": 1}
    assert await outcome(json.dumps(call)) is Reason.AMBIGUOUS_MATCH


@pytest.mark.parametrize("around", ["docs/use.md\n```markdown\n{}```\n", "docs/use.md\n````\n{}````\n"])
async def test_fences_within_a_file_of_markdown_are_part_of_it(around):
    changed = USE.replace("None.", "Some.")
    assert await outcome(around.format(changed)) == {"docs/use.md": changed}


@pytest.mark.parametrize("dots", ["# ... existing code ...", "...", "# ..."])
async def test_a_whole_file_that_leaves_lines_out_is_refused(dots):
    assert await outcome(f"{P}\n{CUT_FILE.replace('@', dots)}") is Reason.ELISION


async def test_a_short_file_that_leaves_lines_out_is_refused():
    assert await outcome("setup.py\n```python\n# ... existing code ...\ny = 2\n```\n") is Reason.ELISION


async def test_a_block_that_stands_for_the_rest_by_a_comment_is_refused():
    new = "def heat(degrees):\n    # ... rest of the function unchanged\n    x = 1\n    return x\n"
    old = OVEN[OVEN.index("def heat") : OVEN.index("    return")]
    assert await outcome(f"{P}\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n") is Reason.ELISION


async def test_dots_of_a_file_s_own_are_source():
    whole = FIXED.replace("def cool", "class Cold:\n    ...\n\n\ndef cool")
    assert await outcome(f"{P}\n```python\n{whole}```\n") == {P: whole}


@pytest.mark.parametrize(
    ("command", "body", "right"),
    [
        ("<<EOF", "a = \\`\\${b}\\`;\n", "a = `${b}`;\n"),
        ("<<'EOF'", "a = \\`\\${b}\\`;\n", "a = \\`\\${b}\\`;\n"),
        ("<<EOF", "a = /\\d\\\\/;\n", "a = /\\d\\\\/;\n"),
        ("<<-'EOF'", "\tgo();\n\t  stop();\n\t", "go();\n  stop();\n"),
    ],
)
async def test_what_a_shell_reads_itself_is_not_in_the_file(command, body, right):
    assert await outcome(f"```bash\ncat > web/b.js {command}\n{body}EOF\n```\n") == {"web/b.js": right}


async def test_commands_in_a_script_that_is_written_are_part_of_it():
    script = f"#!/bin/sh\ncat > {P} <<EOF\nx\nEOF\n"
    assert await outcome(f"run.sh\n```sh\n{script}```\n") in ({"run.sh": script}, Reason.UNKNOWN_PATH)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"cat >> {P} <<'EOF'\nTOP = 1\nEOF\ncat > setup.py <<'EOF'\nx = 2\nEOF\n", Reason.PARSE_FAILURE),
        (f"cat > {P} <<'EOF'\n{FIXED}", Reason.PARSE_FAILURE),
        (f"```bash\nsed -i 's/- 10/- 11/' {P}\n```\n", Reason.NO_EDITS),
    ],
)
async def test_commands_that_can_not_be_read_have_a_reason(text, reason):
    assert await outcome(text) is reason


@pytest.mark.parametrize(
    "text",
    [
        f"cat > {P} <<'EOF'\n{FIXED[:-20]}",
        f"{P}\n\nBefore:\n```python\n{OLD}```\n\nAfter:\n```python\n{NEW[:12]}",
        f"<function=edit>\n<parameter=path>{P}</parameter>\n{OLD_PART}</parameter>\n{NEW_PART[:-9]}",
        f"<tool_call>str_replace\n{GLM[:-20]}",
    ],
)
async def test_what_was_cut_is_not_read(text):
    assert await outcome(text, "length") is Reason.TRUNCATED


@pytest.mark.parametrize(
    ("path", "search", "new", "right"),
    [
        (P, OLD.replace("-", "\u2011"), NEW.replace("-", "\u2011"), FIXED),
        (P, OLD.replace("s -", "s\u202f-"), NEW.replace("s -", "s\u202f-"), FIXED),
        ("web/heat.js", "  throw new Error(“hot”);\n", "  throw new Error(“warm”);\n", HEAT.replace("hot", "warm")),
        (P, OLD, f"    # 10 – 20 “degrees”\n{OLD}", OVEN.replace(OLD, f"    # 10 – 20 “degrees”\n{OLD}")),
        ("docs/merge.md", "Title\n\\=======\n", "Head\n\\=======\n", TITLED.replace("Title", "Head")),
    ],
)
async def test_signs_of_print_and_guarded_lines_meet_the_file(path, search, new, right):
    assert await outcome(f"{path}\n<<<<<<< SEARCH\n{search}=======\n{new}>>>>>>> REPLACE\n") == {path: right}


async def test_signs_of_a_turn_s_end_in_source_stay():
    new = '    return "a<|endoftext|>b", "<|im_end|>"\n'
    assert await outcome(f"{P}\n<<<<<<< SEARCH\n{OLD}=======\n{new}>>>>>>> REPLACE\n") == {P: OVEN.replace(OLD, new)}


async def test_a_text_that_a_tag_of_its_own_ends_holds_other_tags():
    text = f"{P}\n<old_text>\n{OLD}</old_text>\n<new_text>\n    return '</text>'\n</new_text>\n"
    assert await outcome(text) == {P: OVEN.replace(OLD, "    return '</text>'\n")}
    assert await outcome(f"<str_replace>\n<path>{P}</path>\n{BLOCK}</str_replace>\n") == {P: FIXED}
