"""What a source file means, for every language that tree-sitter reads: its tokens in their structure, no comments.

Python has rules of its own (`harness.repo.python_syntax`): there docstrings and parentheses drop out, too.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from harness.common.hashing import content_key
from harness.repo.symbols import parse_tree

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

COMMENTS = frozenset({"comment", "line_comment", "block_comment", "html_comment"})
# Kinds in which white space counts, or what looks like a comment is none: taken as they stand.
VERBATIM = frozenset(
    {
        "string", "string_literal", "raw_string_literal", "interpreted_string_literal", "encapsed_string",
        "template_string", "template_literal_type", "char_literal", "character_literal", "rune_literal", "character",
        "regex", "jsx_text", "text", "text_interpolation", "heredoc", "heredoc_body", "nowdoc", "uninterpreted",
        "string_array", "symbol_array", "delimited_symbol", "subshell", "shell_command_expression",
        "preproc_arg", "system_lib_string", "shebang", "hash_bang_line",
    }
)  # fmt: skip

_SCRIPT = re.compile(rb"@(?:jsx|ts-|flow|jest-)[^\n]*|<(?:reference|amd-)[^\n]*|webpack\w+:[^\n]*")
# What tools act upon in comments; it stays.
_DIRECTIVES = {
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "tsx": _SCRIPT,
    "go": re.compile(rb"^//(?:go:|export |line |extern ).*|^// ?\+build.*"),
    "ruby": re.compile(rb"^#!.*|(?:coding|frozen_string_literal|warn_indent|shareable_constant_value)[ \t]*[:=].*"),
    "php": re.compile(rb"@\w[^\n]*"),
}
_ALL = re.compile(rb".+", re.DOTALL)
_GO_COMMENTS_COUNT = re.compile(rb'"C"|\bfunc Example')  # cgo compiles them, examples compare with them
_C_COMMENT = re.compile(rb"//.*|/\*.*?\*/", re.DOTALL)


@lru_cache(maxsize=64)
def source_meaning(data: bytes, language: str) -> str:
    """Equal for files that differ in comments and formatting only; empty if the file does not parse.

    The languages are those of `harness.repo.symbols.language_of`.
    """
    tree = parse_tree(data, language)
    if tree.root_node.has_error:
        return ""
    directives = _DIRECTIVES.get(language)
    if language == "go" and _GO_COMMENTS_COUNT.search(data):
        directives = _ALL
    return content_key(tokens=list(_tokens(tree, data, directives)))


def _tokens(tree: "Tree", data: bytes, directives: re.Pattern[bytes] | None) -> Iterator[str]:
    """The tokens, with the nodes around them opened and closed; a node of nothing but comments is not there.

    A loop and no recursion: source may be nested deeper than any stack.
    """
    cursor = tree.walk()
    entered: list[str] = []  # nodes of which nothing was given yet
    seen = 0
    while node := cursor.node:
        if node.type not in VERBATIM and node.type not in COMMENTS and cursor.goto_first_child():
            entered.append(f"({node.type}")
            continue
        # some tokens have no node of their own: they stand between two others
        text = data[seen : node.start_byte].strip() + _text(node, data, directives)
        seen = node.end_byte
        if text:
            yield from entered
            entered.clear()
            yield f"={text.decode('latin-1')}"
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
            if entered:
                entered.pop()
            else:
                yield ")"


def _text(node: "Node", data: bytes, directives: re.Pattern[bytes] | None) -> bytes:
    """What of a token counts."""
    text = data[node.start_byte : node.end_byte]
    if node.type in COMMENTS:
        return b"\n".join(directives.findall(text)) if directives else b""
    if node.type == "preproc_arg" and b'"' not in text and b"'" not in text:
        return b" ".join(_C_COMMENT.sub(b" ", text).split())
    return text if node.type in VERBATIM else text.strip()
