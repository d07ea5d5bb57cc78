"""Elements of source files: classes, functions, methods and top-level variables, found with tree-sitter.

What counts as an element is a query for each language in ``queries/``. Source that does not parse yields the
elements that tree-sitter can still make out; a file in another language has none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, cast

from harness.repo import headers
from harness.repo.headers import Definition, lost_definitions

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
    body: int  # first line below the header; last + 1 if nothing is below it
    signature: str  # the header in one line
    decorators: tuple[str, ...] = ()


def language_of(path: str) -> str | None:
    """The language of a file by its ending, None if there is no grammar for it."""
    return _BY_ENDING.get(PurePosixPath(path).suffix.lower())


@cache
def rules_version(language: str) -> str:
    """Hash of what determines a language's elements: its query, its grammar's version and the code here."""
    from hashlib import sha256
    from importlib.metadata import version

    package, _, query, _ = _LANGUAGES[language]
    grammar = f"{package} {version(package.replace('_', '-'))}".encode()
    code = Path(__file__).read_bytes() + Path(headers.__file__).read_bytes()
    return sha256(grammar + _query_text(query).encode() + code).hexdigest()[:16]


def parse_tree(data: bytes, language: str) -> "Tree":
    """The syntax tree of a file's bytes. Never fails: what can't be made out is an ERROR node."""
    from tree_sitter import Parser

    return Parser(_grammar(language)[0]).parse(data)


def parse_elements(data: bytes, language: str) -> tuple[Element, ...]:
    """The elements of a file's bytes in the order of their first lines, outer ones before what they hold.

    Never fails: broken source yields what can be made out of it (of Python, whatever has a header), bytes that are no
    UTF-8 are read around.
    """
    from tree_sitter import QueryCursor

    _, query = _grammar(language)
    root = parse_tree(data, language).root_node
    found: dict[tuple[int, int, str], Definition] = {}
    for _, captures in QueryCursor(query).matches(root):
        definition = _definition(captures, data)
        place = definition.start, definition.end, definition.name
        if place not in found or definition.kind != "variable":  # a function bound to a name is no variable
            found[place] = definition
    whole = list(found.values())
    if language == "python" and root.has_error:
        whole += lost_definitions(data, whole)
    return tuple(_named(sorted(whole, key=lambda d: (d.start, -d.end))))


def resolve_element(name: str, elements: Sequence[Element]) -> tuple[Element, ...]:
    """The elements of one file that ``name`` stands for, empty if there is none or it could be several names.

    Exactly that name first (a property's getter and setter share theirs), then the one name that ends with it.
    """
    wanted = name.strip().removesuffix("()").replace("::", ".").replace("#", ".").strip(".")
    exact = tuple(element for element in elements if element.name == wanted)
    if exact or not wanted:
        return exact
    ending = tuple(element for element in elements if element.name.endswith(f".{wanted}"))
    return ending if len({element.name for element in ending}) == 1 else ()


def _definition(captures: dict[str, list["Node"]], data: bytes) -> Definition:
    """A definition as the query found it."""
    names = {key: _text(nodes[0]) for key, nodes in captures.items() if key in ("name", "owner")}
    kind = next(key for key in captures if key not in ("name", "owner"))
    node = outer = captures[kind][0]
    while outer.parent is not None and outer.parent.type in _WRAPPERS:
        outer = outer.parent
    before = _marks_before(outer)
    start = before[0] if before else outer
    body, last = _body(node, captures["name"][0].parent), _last_line(outer)
    return Definition(
        kind=kind,
        name=names["name"].replace("::", "."),
        owner=names.get("owner", ""),
        start=start.start_byte,
        end=outer.end_byte,
        first=start.start_point.row + 1,
        header=node.start_point.row + 1,
        last=last,
        body=min(_first_below(node, body, data), last + 1) if body else last + 1,
        signature=_signature(node, body, data),
        decorators=tuple(_line(_text(m)) for m in (*before, *(c for c in outer.children if c.type in _MARKS))),
    )


def _marks_before(outer: "Node") -> list["Node"]:
    marks: list[Node] = []
    sibling = outer.prev_sibling
    while sibling is not None and sibling.type in _MARKS:
        marks.insert(0, sibling)
        sibling = sibling.prev_sibling
    return marks


def _body(node: "Node", declarator: "Node | None") -> "Node | None":
    value = declarator.child_by_field_name("value") if declarator else None  # a function bound to a name
    return node.child_by_field_name("body") or (value and value.child_by_field_name("body"))


def _first_below(node: "Node", body: "Node", data: bytes) -> int:
    """The first line of a body below the header."""
    opening = body.start_point.row + 1
    # a body in braces opens on a line of the header, one of statements mostly on a line of its own
    braced = opening == node.start_point.row + 1 or data[body.start_byte : body.start_byte + 1] == b"{"
    return opening + 1 if braced else opening


def _signature(node: "Node", body: "Node | None", data: bytes) -> str:
    end = body.start_byte if body else data.find(b"\n", node.start_byte, node.end_byte)
    header = data[node.start_byte : node.end_byte if end < 0 else end]
    return _line(header.decode("utf-8", "replace"))


def _named(order: Iterable[Definition]) -> Iterable[Element]:
    """Elements of definitions that are sorted so that outer ones come first."""
    above: list[tuple[int, str, str]] = []  # end, kind and full name of the elements around
    for d in order:
        while above and above[-1][0] <= d.start:
            above.pop()
        inside = above[-1] if above else (0, "", d.owner)
        name = f"{inside[2]}.{d.name}" if inside[2] else d.name
        kind = "method" if d.kind == "function" and (inside[1] == "class" or d.owner) else d.kind
        if kind != "variable":
            above.append((d.end, kind, name))
        yield Element(cast(ElementKind, kind), name, d.first, d.last, d.body, d.signature, d.decorators)


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
