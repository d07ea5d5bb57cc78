"""Calls of tools that change files otherwise than by edits, and what such tools are said to have answered."""

import re

# a tool that does so; what else is called like that may be an element of the source
_DOES = (
    r"(?:(?:delete|remove|move|rename|copy)[_-]?(?:files?|paths?|dir\w*|folders?|lines?)"
    r"|append[_-]?(?:to[_-]?)?(?:files?|text|content|lines?)|undo(?:[_-]?edit)?)"
)
_NAMED = re.compile(  # in JSON; within strings of it the quotes would be escaped
    rf"\"(?:name|tool|tool_name|function|command|action|operation|type)\"\s*:\s*\"{_DOES}\""
    r"|\"(?:command|action|operation|type)\"\s*:\s*\"(?:delete|remove|move|rename|append)\""
    r"|\"(?:cmd|command)\"\s*:\s*\"(?:[^\"\\]|\\.){0,400}?\b(?:sed|perl)[ ]+-[a-z]*i",
    re.IGNORECASE,
)
_TAGGED = re.compile(
    rf"<(?:(?:invoke[ \t]+name=|function=)[\"']?{_DOES}[\"']?>"
    rf"|parameter(?:=|[ \t]+name=[\"'])command[\"']?>\s*{_DOES}\s*<)|<tool_call>{_DOES}\s*<",
    re.IGNORECASE,
)
_RESULT = re.compile(
    r"(?<![^\n])[ \t]*<(tool_(?:response|result|output)|function_(?:results?|response)|observation)>"
    r"(?:(?!</?\1>).)*+</\1>",
    re.DOTALL,
)


def without_results(text: str) -> str:
    """A text without what tools are said to have answered: a model that goes on by itself invents it."""
    return _RESULT.sub("", text) if "<tool_" in text or "<function_" in text or "<observation>" in text else text


def changes_otherwise(text: str, tagged: bool) -> str:
    """What a call does that is no edit, in a line; ``tagged``: the calls are between tags, and else JSON."""
    found = (_TAGGED if tagged else _NAMED).search(text)
    line = text.count("\n", 0, found.start()) + 1 if found else 0
    return f"the call at line {line} moves or deletes a file, adds to one or takes an edit back" if found else ""
