"""One edit in the shapes of calls, diffs, tags and thinking that models write unasked, and what must not be an edit."""

import json

import pytest
from one_edit import (
    ANSWER,
    BLOCK,
    CALL,
    DIFF,
    DRAFT,
    ENVELOPE,
    FIXED,
    HIGHER,
    HUNK,
    NEW,
    OLD,
    OVEN,
    J,
    P,
    outcome,
)  # fmt: skip

from harness.core.candidate import Reason

PYTHON = f"str_replace(path={P!r}, old_str={OLD!r}, new_str={NEW!r})"
THINKS = "<|channel|>analysis<|message|>We must.<|end|>"
TO = "commentary to=functions.str_replace_editor <|constrain|>json<|message|>"
QUOTED = "".join(f"> {line}\n" for line in DRAFT.splitlines())
CALLS = [
    f"{THINKS}<|start|>assistant<|channel|>{TO}{J}<|call|>",
    f"<|channel|>{TO}{J}",
    f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant to=functions.edit<|channel|>commentary json"
    f"<|message|>{J}<|call|>",
    f"<|channel|>analysis to=functions.edit code<|message|>{J}<|call|>",
    f"<|channel|>commentary<|message|>I edit it.<|end|><|start|>assistant<|channel|>{TO}{J}<|call|>",
    f"<|channel|>{TO}{J.replace('max', 'min')}<|call|><|start|>assistant<|channel|>final<|message|>{ANSWER}",
    f"<|channel|>commentary<|message|>{ANSWER}<|return|>",
    f"<|channel|>commentary to=functions.apply_patch code<|message|>{ENVELOPE}<|call|>",
    f"<|channel|>commentary to=functions.apply_patch<|message|>{json.dumps({'input': ENVELOPE})}<|call|>",
    PYTHON,
    f"```python\n{PYTHON}\n```\n",
    f"<|python_start|>[{PYTHON}, view(path={P!r})]<|python_end|>",
    f'str_replace(\n    path="{P}",\n    old_str="""{OLD}""",\n    new_str="""{NEW}""",\n)\n',
    f'str_replace(path="{P}", old_str="{OLD}", new_str="{NEW}")',
    f"<tool_code>\nprint(default_api.replace(file_path={P!r}, old_string={OLD!r}, new_string={NEW!r}))\n</tool_code>",
    f"str_replace({P!r}, {OLD!r}, {NEW!r})",
    f"create_file(path={P!r}, file_text={FIXED!r})",
    f"<|open|>call tool=\"edit\" index=\"1\"<|sep|><|open|>argument key=\"path\" type=\"string\"<|sep|>{P}"
    f"<|close|>argument<|sep|><|open|>argument key=\"old_str\"<|sep|>{OLD}<|close|>argument<|sep|>"
    f"<|open|>argument key=\"new_str\"<|sep|>{NEW}<|close|>argument<|sep|><|close|>call<|sep|>",
    f'<|tool_call>call:edit{{path:<|"|>{P}<|"|>,old_str:<|"|>{OLD}<|"|>,new_str:<|"|>{NEW}<|"|>}}<tool_call|>',
    f'<x:invoke name="edit"><x:parameter name="path">{P}</x:parameter><x:parameter name="old_str">{OLD}</x:parameter>'
    f'<x:parameter name="new_str">{NEW}</x:parameter></x:invoke>',
    json.dumps([{"name": "edit", "arguments": {"filePath": P, "oldString": OLD, "newString": NEW}}]),
    f"<tool_call>\n{ {'name': 'str_replace', 'arguments': CALL} !r}\n</tool_call>",
    J[:-1],
    f"```json\n{{\n  // the fix\n  \"path\": \"{P}\",\n  \"old_str\": {json.dumps(OLD)},\n"
    f"  \"new_str\": {json.dumps(NEW)},\n}}\n```\n",
    json.dumps({"files": [{"path": P, "content": FIXED}]}),
    json.dumps({P: FIXED}),
    json.dumps({"edits": {P: [{"search": OLD, "replace": NEW}]}}),
]  # fmt: skip
DIFFS = [
    HUNK,
    f"In `{P}`:\n\n```diff\n{HUNK}```\n",
    f"```diff\n def cool(degrees):\n-{OLD}+{NEW}```\n",
    f"```diff\n-{OLD}+{NEW}```\n",
    f"```diff\n# {P}\n-{OLD}+{NEW}```\n",
    f"```diff\n--- {P}\n{HUNK}```\n",
    f"```diff\n+++ {P}\n{HUNK}```\n",
    f"---a/{P}\n+++b/{P}\n{HUNK}",
    "".join(f"    {line}\n" for line in DIFF.splitlines()),
    f"{DIFF}\nChanges:\n- It clamps.\n- No more.\n",
    f"{DIFF}\n- It clamps.\n- No more.\n",
    f"```diff\n{DIFF}```\n\n- It clamps.\n",
    f"--- a/{P}\n+++ b/{P}\n-{OLD}+{NEW}",
    ENVELOPE.replace("Update File", "Modify File"),
    "".join(f"  {line}\n" for line in ENVELOPE.splitlines()),
    f"*** Begin Patch\n*** Update File: {P}\n{DIFF}*** End Patch\n",
]
TAGS = [
    f'<file path="{P}">\n{FIXED}</file>\n',
    f'<file path="{P}"><![CDATA[{FIXED}]]></file>',
    f'<file name="{P}">\n```python\n{FIXED}```\n</file>\n',
    f"<file>\n<path>{P}</path>\n<content>\n{FIXED}</content>\n</file>\n",
    f"<write_to_file>\n<path>{P}</path>\n<content>\n{FIXED}</content>\n<line_count>11</line_count>\n</write_to_file>\n",
    f'<create_file path="{P}">\n{FIXED}</create_file>',
    f'<boltArtifact id="x"><boltAction type="file" filePath="{P}">\n{FIXED}</boltAction></boltArtifact>',
    f'<edit path="{P}">\n<old>\n{OLD}</old>\n<new>\n{NEW}</new>\n</edit>',
    f"<change>\n<file>{P}</file>\n<original_code>\n{OLD}</original_code>\n<new_code>\n{NEW}</new_code>\n</change>",
    f"```python\n# {P}\n{FIXED}```\n",
    f"**{P}**\n\n❌ Before:\n```python\n{OLD}```\n\n✅ After:\n```python\n{NEW}```\n",
    f"**文件**：`{P}`\n\n修改前：\n```python\n{OLD}```\n修改后：\n```python\n{NEW}```\n",
    f"\u200b{ANSWER}",
    f"<replace_in_file><path>{P}</path><diff>\n<<<<<<< SEARCH\n{OLD}=======\n{NEW}=======\n</diff></replace_in_file>\n",
    f"{P}\n<<<<<<< SEARCH\n:start_line:11\n-------\n{OLD}=======\n:start_line:11\n-------\n{NEW}>>>>>>> REPLACE\n",
    f"{P}\n<<<<<<< SEARCH\n11 | {OLD}=======\n{NEW}>>>>>>> REPLACE\n",
    f"{P}\n<<<<<<< SEARCH\n11|{OLD}=======\n{NEW}>>>>>>> REPLACE\n",
    json.dumps({"answer": ANSWER}),
    f"https://github.com/org/bakery/blob/main/{P}\n{BLOCK}",
    f"File: https://raw.githubusercontent.com/org/bakery/main/{P}\n{BLOCK}",
    f"[{P}](https://github.com/org/bakery/blob/3f2a91c/{P}#L10-L11)\n{BLOCK}",
]
THINKING = [
    f"> Thinking\n>\n> Maybe:\n{QUOTED}\n{ANSWER}",
    f"> 💭 **Reasoning**\n>\n{QUOTED}\n\n{ANSWER}",
    "> Reasoning\n> Let me see.\n\n" + "".join(f"> {line}\n" for line in ANSWER.splitlines()),
    f"Here.\n\n<details>\n<summary>Thinking</summary>\n\n{DRAFT}\n</details>\n\n{ANSWER}",
    f"{ANSWER}\n<details open>\n<summary>💭 My thought process</summary>\n\n{DRAFT}\n</details>\n",
    f"<details><summary>The patch</summary>\n\n{ANSWER}\n</details>\n",
    f"<!-- thinking: {DRAFT} -->\n{ANSWER}",
    f"<my_thoughts>{DRAFT}</my_thoughts>{ANSWER}",
    f"<｜begin▁of▁thinking｜>{DRAFT}<｜end▁of▁thinking｜>{ANSWER}",
    f"```thinking\nHm.\n```\n\n{P}\n```python\n{BLOCK}```\nThat is all.\n",
    f"**Thinking:**\n\nHm.\n\n**Answer:**\n\n{ANSWER}\n\n**Changes:**\n\nIn {P} only.\n",
    f"{ANSWER}\nIssue: the dough never rests\n\n{P}\n{HIGHER}",
]


@pytest.mark.parametrize("text", [*CALLS, *DIFFS, *TAGS, *THINKING])
async def test_each_shape_comes_to_the_same_change(text):
    assert await outcome(text) == {P: FIXED}


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        (f"<|channel|>analysis<|message|>Maybe\n{DRAFT}<|end|>", {Reason.NO_EDITS}),
        (f"<|channel|>commentary to=functions.view<|message|>{json.dumps({'path': P})}<|call|>", {Reason.NO_EDITS}),
        (f"Use str_replace(path={P!r}, old_str=OLD, new_str=NEW).\n", {Reason.NO_EDITS}),
        (f"```python\nimport edits\nx = 1\n{PYTHON}\n```\n", {Reason.NO_EDITS}),
        ("```diff\n@@ -1,2 +1,2 @@\n def nothing(degrees):\n-    x\n+    y\n```\n", {Reason.PARSE_FAILURE}),
        ("It was:\n```diff\n-cool(1) == -9\n+cool(1) == 0\n```\n", {Reason.NO_MATCH, Reason.PARSE_FAILURE}),
        (f'<file path="{P}">\n{OLD}</file>\n', {Reason.PARSE_FAILURE}),
        (f'<file path="{P}"></file>\n', {Reason.NO_EDITS}),
        (json.dumps({"path": "setup.py", "content": ""}), {Reason.PARSE_FAILURE}),
        ("write_file(path='setup.py', content='')", {Reason.PARSE_FAILURE}),
        (f"--- a/{P}\n+++ /dev/null\n@@ -1 +0,0 @@\n-LIMIT = 250\n", {Reason.PARSE_FAILURE}),
        (json.dumps({"path": P, "start_line": 11, "content": NEW}), {Reason.NO_EDITS}),
        (f"> Thinking\n{QUOTED}", {Reason.NO_EDITS}),
        (json.dumps({"command": "insert", "path": P, "insert_line": 99, "new_str": "A = 1"}), {Reason.NO_MATCH}),
        (json.dumps({"command": "insert", "path": "new.py", "insert_line": 0, "new_str": "A"}), {Reason.UNKNOWN_PATH}),
        (f"{P}\n<<<<<<< SEARCH\n{OLD}" + "=======\nx\n" * 300 + ">>>>>>> REPLACE\n", {Reason.PARSE_FAILURE}),
        (f"```python\n# bakery/new.py\n{FIXED}```\n", {Reason.UNKNOWN_PATH}),
    ],
)
async def test_what_no_one_would_apply_has_a_reason(text, reasons):
    assert await outcome(text) in reasons


@pytest.mark.parametrize(
    "text",
    [PYTHON[:-20], J[:-8], f"<write_to_file>\n<path>{P}</path>\n<content>\n{FIXED[:60]}", HUNK, J[:-1]],
)
async def test_what_was_cut_is_not_read(text):
    assert await outcome(text, "length") is Reason.TRUNCATED


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("--- a/setup.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x = 1\n", {"setup.py": None}),
        (f"{ANSWER}\nProblem: the limit is low.\n{P}\n{HIGHER}", {P: FIXED.replace("250", "260")}),
        (
            json.dumps({"command": "insert", "path": P, "insert_line": 1, "new_str": "A = 1"}),
            {P: OVEN.replace("250", "250\nA = 1", 1)},
        ),
        (
            json.dumps({"command": "insert", "path": P, "insert_line": 3, "insert_text": "A = 1\n"}),
            {P: OVEN.replace("\n\n\n", "\n\n\nA = 1\n", 1)},
        ),
        (json.dumps({"command": "insert", "path": P, "insert_line": 0, "new_str": "A = 1\n"}), {P: "A = 1\n" + OVEN}),
        (
            json.dumps([{**CALL}, {"command": "insert", "path": P, "insert_line": 1, "new_str": "A = 1"}]),
            {P: FIXED.replace("250", "250\nA = 1", 1)},
        ),
        (f"**Issue:** cooling\n{ANSWER}\n**Issue:** limit\n{P}\n{HIGHER}", {P: FIXED.replace("250", "260")}),
        (f"{ANSWER}\nIssue: it cooled too far.\nThat is mended.\n\n{P}\n{HIGHER}", {P: FIXED.replace("250", "260")}),
    ],
)
async def test_more_than_one_change_is_kept(text, right):
    assert await outcome(text) == right


@pytest.mark.parametrize(
    "new",
    [
        '    x = {"path": "setup.py", "old_str": "x = 1", "new_str": ""}\n    return x\n',
        "    return str_replace(path='setup.py', old_str='x = 1', new_str='')\n",
        '    return """\n--- a/setup.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x = 1\n"""\n',
        '    return "<file path=\\"setup.py\\"></file>"\n',
        '    """\n*** Delete File: setup.py\n"""\n    return 0\n',
        '    """\n> Thinking\n> no\n\n<details>\n<summary>Thinking</summary>\nx\n</details>\n<!-- thought -->\n"""\n',
        "    # </think>\n    return '<think>'  # </think>\n",
        '    """\n<|channel|>commentary to=functions.x <|constrain|>json<|message|>{}<|call|>\n\nIssue: x\n\n"""\n',
        "    # https://github.com/a/b/blob/main/setup.py\n    return 0\n",
    ],
)
async def test_source_that_speaks_of_such_marks_stays_source(new):
    right = {P: OVEN.replace(OLD, new)}
    assert await outcome(f"{P}\n<<<<<<< SEARCH\n{OLD}=======\n{new}>>>>>>> REPLACE\n") == right
    if "think" in new.lower():
        return
    assert await outcome(json.dumps({**CALL, "new_str": new})) == right


@pytest.mark.parametrize(
    "new",
    [
        '    x = {"path": "setup.py", "content": "y"}\n    return x\n',
        '    return [\n        {"path": "setup.py", "old": "x = 1", "new": "y"},\n    ]\n',
        '    return call({"path": "setup.py", "old_str": "x = 1", "new_str": "y"})\n',
        "    return {'setup.py': 'y = 1\\n'}\n",
    ],
)
async def test_objects_in_source_are_no_calls(new):
    right = {P: OVEN.replace(OLD, new)}
    assert await outcome(f"{P}\n```python\n{right[P]}```\n") == right
    diff = "".join(f"+{line}\n" for line in new.splitlines())
    assert await outcome(f"--- a/{P}\n+++ b/{P}\n@@ -10,2 +10,3 @@\n def cool(degrees):\n-{OLD}{diff}") == right


@pytest.mark.parametrize(
    "end", ["so be it; </think>\n", "so be it -- </think>\n", "so be it </think>", "# x\n</think>\n"]
)
async def test_thinking_ends_behind_a_sentence(end):
    assert await outcome(f"{DRAFT}{end}{ANSWER}") == {P: FIXED}


@pytest.mark.parametrize("tag", ["<think>", "</think>", "</details>", "<details><summary>Thinking</summary>"])
async def test_tags_in_the_strings_of_a_call_and_in_whole_files_stay(tag):
    right = {P: OVEN.replace(OLD, f'    return "{tag}"  # {tag}\n')}
    assert await outcome(json.dumps({**CALL, "new_str": f'    return "{tag}"  # {tag}\n'})) == right
    assert await outcome(f"{P}\n```python\n{right[P]}```\n") == right
