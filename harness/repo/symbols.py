"""Elements of source files: classes, functions, methods and top-level variables, found with tree-sitter.

What counts as an element is a query for each language in ``queries/``. Source that does not parse gives the
elements that tree-sitter can still make out; a file in another language has none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query, Tree

ElementKind = Literal["class", "function", "method", "variable"]

QUERIES = Path(__file__).parent / "queries"
SIGNATURE_LENGTH = 300  # characters

# language -> package of its grammar, function in it, query, endings of its files
_LANGUAGES = {
    "python": ("tree_sitter_python", "language", "python", "py pyi"),
    "javascript": ("tree_sitter_javascript", "language", "javascript", "js jsx mjs cjs"),
    "typescript": ("tree_sitter_typescript", "language_typescript", "typescript", "ts mts cts"),
    "tsx": ("tree_sitter_typescript", "language_tsx", "typescript", "tsx"),
    "java": ("tree_sitter_java", "language", "java", "java"),
    "go": ("tree_sitter_go", "language", "go", "go"),
    "rust": ("tree_sitter_rust", "language", "rust", "rs"),
    "c": ("tree_sitter_c", "language", "c", "c"),
    "cpp": ("tree_sitter_cpp", "language", "cpp", "h cc cpp cxx hh hpp hxx ipp"),  # C headers parse as C++
    "ruby": ("tree_sitter_ruby", "language", "ruby", "rb rake"),
    "php": ("tree_sitter_php", "language_php", "php", "php"),
}
_BY_ENDING = {f".{ending}": language for language, (*_, endings) in _LANGUAGES.items() for ending in endings.split(" ")}
_WRAPPERS = ("decorated_definition", "export_statement", "template_declaration")  # belong to what they hold
_MARKS = ("decorator", "attribute_item")  # belong to what follows them


@dataclass(frozen=True)
class Element:
    """A class, function, method or top-level variable of a file. Lines count from 1, both ends included."""

    kind: ElementKind  # "class" is whatever holds methods: interfaces, traits, modules and namespaces too
    name: str  # with the names of the elements around it, joined by dots
    first: int  # decorators included
    last: int
    body: int  # first line below the header; last + 1 where nothing is below it
    signature: str  # the header in one line
    decorators: tuple[str, ...] = ()


def language_of(path: str) -> str | None:
    """The language of a file by its ending, None where there is no grammar for it."""
    return _BY_ENDING.get(PurePosixPath(path).suffix.lower())


@cache
def rules_version(language: str) -> str:
    """Hash of what determines a language's elements: its query, its grammar's version and this module."""
    from hashlib import sha256
    from importlib.metadata import version

    package, _, query, _ = _LANGUAGES[language]
    grammar = f"{package} {version(package.replace('_', '-'))}".encode()
    return sha256(grammar + _query_text(query).encode() + Path(__file__).read_bytes()).hexdigest()[:16]


def parse_tree(data: bytes, language: str) -> "Tree":
    """The syntax tree of a file's bytes. Never fails: what can't be made out is an ERROR node."""
    from tree_sitter import Parser

    return Parser(_grammar(language)[0]).parse(data)


def parse_elements(data: bytes, language: str) -> tuple[Element, ...]:
    """The elements of a file's bytes in the order of their first lines, outer ones before what they hold.

    Never fails: broken source gives what can be made out of it, bytes that are no UTF-8 are read around.
    """
    from tree_sitter import QueryCursor

    _, query = _grammar(language)
    found: dict[tuple[int, int, str], _Found] = {}
    for _, captures in QueryCursor(query).matches(parse_tree(data, language).root_node):
        node = _Found.of(captures)
        place = node.outer.start_byte, node.outer.end_byte, node.name
        if place not in found or node.kind != "variable":  # a function bound to a name is no variable
            found[place] = node
    order = sorted(found.values(), key=lambda f: (f.start.start_byte, -f.outer.end_byte))
    return tuple(_named(order, data))


def resolve_element(name: str, elements: Sequence[Element]) -> tuple[Element, ...]:
    """The elements of one file that ``name`` stands for, empty where there is none or it could be several names.

    Exactly that name first (a property's getter and setter share theirs), then the one name that ends with it.
    """
    wanted = name.strip().removesuffix("()").replace("::", ".").replace("#", ".").strip(".")
    exact = tuple(element for element in elements if element.name == wanted)
    if exact or not wanted:
        return exact
    ending = tuple(element for element in elements if element.name.endswith(f".{wanted}"))
    return ending if len({element.name for element in ending}) == 1 else ()


@dataclass(frozen=True)
class _Found:
    """A definition as the query found it."""

    kind: str
    name: str
    owner: str  # the type that a Go method names as its receiver
    node: "Node"
    outer: "Node"  # with what is wrapped around it
    start: "Node"  # where its decorators begin
    body: "Node | None"

    @classmethod
    def of(cls, captures: dict[str, list["Node"]]) -> "_Found":
        names = {key: _text(nodes[0]) for key, nodes in captures.items() if key in ("name", "owner")}
        kind = next(key for key in captures if key not in ("name", "owner"))
        node = outer = captures[kind][0]
        while outer.parent is not None and outer.parent.type in _WRAPPERS:
            outer = outer.parent
        start = outer
        while start.prev_sibling is not None and start.prev_sibling.type in _MARKS:
            start = start.prev_sibling
        declarator = captures["name"][0].parent
        value = declarator.child_by_field_name("value") if declarator else None  # a function bound to a name
        body = node.child_by_field_name("body") or (value and value.child_by_field_name("body"))
        name = names["name"].replace("::", ".")
        return cls(kind, name, names.get("owner", ""), node, outer, start, body)

    def decorators(self) -> tuple[str, ...]:
        marks = [child for child in self.outer.children if child.type in _MARKS]
        sibling = self.outer.prev_sibling
        while sibling is not None and sibling.type in _MARKS:
            marks.insert(0, sibling)
            sibling = sibling.prev_sibling
        return tuple(_line(_text(mark)) for mark in marks)

    def signature(self, data: bytes) -> str:
        end = self.body.start_byte if self.body else data.find(b"\n", self.node.start_byte, self.node.end_byte)
        header = data[self.node.start_byte : self.node.end_byte if end < 0 else end]
        return _line(header.decode("utf-8", "replace"))


def _named(order: Iterable[_Found], data: bytes) -> Iterable[Element]:
    """Elements of definitions that are sorted so that outer ones come first."""
    above: list[tuple[int, str, str]] = []  # end, kind and full name of the elements around
    for found in order:
        while above and above[-1][0] <= found.start.start_byte:
            above.pop()
        inside = above[-1] if above else (0, "", found.owner)
        name = f"{inside[2]}.{found.name}" if inside[2] else found.name
        kind = found.kind
        if kind == "function" and (inside[1] == "class" or found.owner):
            kind = "method"
        if kind != "variable":
            above.append((found.outer.end_byte, kind, name))
        yield _element(found, cast(ElementKind, kind), name, data)


def _element(found: _Found, kind: ElementKind, name: str, data: bytes) -> Element:
    first, last = found.start.start_point.row + 1, _last_line(found.outer)
    body = last + 1
    if found.body:
        opening = found.body.start_point.row + 1
        # a body in braces opens on a line of the header, one of statements mostly on a line of its own
        braced = (
            opening == found.node.start_point.row + 1 or data[found.body.start_byte : found.body.start_byte + 1] == b"{"
        )
        body = min(opening + 1 if braced else opening, last + 1)
    return Element(kind, name, first, last, body, found.signature(data), found.decorators())


def _last_line(node: "Node") -> int:
    """The last line that holds something of the node; one that ends with a line feed ends on that line."""
    end = node.end_point
    return max(end.row if end.column == 0 else end.row + 1, node.start_point.row + 1)


def _text(node: "Node") -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _line(text: str) -> str:
    return " ".join(text.split())[:SIGNATURE_LENGTH]


def _query_text(name: str) -> str:
    return (QUERIES / f"{name}.scm").read_text(encoding="utf-8")


@cache
def _grammar(language: str) -> tuple["Language", "Query"]:
    from tree_sitter import Language, Query

    package, function, query, _ = _LANGUAGES[language]
    grammar = Language(getattr(import_module(package), function)())
    return grammar, Query(grammar, _query_text(query))
