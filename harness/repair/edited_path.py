"""Which file of the snapshot an edit means by its path, and which paths no edit may touch."""

from collections.abc import Collection, Mapping, Sequence

from harness.core.candidate import Edit, EditKind, Reason
from harness.core.interfaces import Snapshot
from harness.core.location import Interval, resolve_path
from harness.repair.match import EditRefused

LINK = "120000"
ROOTS = ("testbed", "repo", "workspace", "app", "code", "project", "a", "b")  # folders in which models believe to work


def edited_path(edit: Edit, snapshot: Snapshot, shown: Mapping[str, Sequence[Interval]]) -> str | None:
    """The path that an edit may change: a file of the snapshot, or a new one if its search text is empty.

    None if its name stands for no one file. Raises EditRefused for a path that leads out of the repository's own
    files, and for a new file without a name.
    """
    paths = snapshot.paths()
    name = _inside(edit.path.strip().replace("\\", "/"), paths, new=not edit.search.strip())
    if problem := _forbidden(name, snapshot) if name else "":
        raise EditRefused(Reason.FORBIDDEN_PATH, f"{edit.path[:200]}: {problem}")
    if edit.kind in (EditKind.WHOLE, EditKind.REWRITTEN) and (known := resolve_path(name, shown)):
        return known
    if edit.search.strip() or name in paths:
        return resolve_path(name, shown) or resolve_path(name, paths)
    if edit.kind in (EditKind.REWRITTEN, EditKind.INSERTED):
        return resolve_path(name, paths)
    if not name:
        raise EditRefused(Reason.PARSE_FAILURE, "a block without a search text names no file")
    path = name.removeprefix("./")
    if any(known.startswith(f"{path}/") or path.startswith(f"{known}/") for known in paths):
        raise EditRefused(Reason.FORBIDDEN_PATH, f"{path[:200]}: a folder and a file would have one name")
    return path


def _inside(name: str, paths: Collection[str], new: bool) -> str:
    """The name without the folder that the repository lies in: /testbed, or the root of the container."""
    parts = name.lstrip("/").split("/")
    if name.startswith("/"):
        tails = ("/".join(parts[start:]) for start in range(len(parts)))
        known = next((tail for tail in tails if tail in paths and ("/" in tail or len(parts) <= 2)), None)
        if known:
            return known
    rooted = parts[0] in ROOTS and len(parts) > 1 and not any(path.startswith(f"{parts[0]}/") for path in paths)
    if rooted and (new or "/".join(parts[1:]) in paths):
        return "/".join(parts[1:])
    return name


def _forbidden(path: str, snapshot: Snapshot) -> str:
    """Why no edit may touch a path, or an empty string."""
    parts = path.removeprefix("./").split("/")
    if path.startswith("/"):
        return "an absolute path"
    if ".." in parts:
        return "a path with .."
    if any(part.lower() == ".git" for part in parts):
        return "a path into .git"
    if "" in parts or "." in parts or not path.isprintable():
        return "not the path of a file"
    above = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return next((f"{name} is a symbolic link" for name in above if mode_of(snapshot, name) == LINK), "")


def mode_of(snapshot: Snapshot, path: str) -> str:
    """Git's mode of a file, empty if there is none."""
    try:
        return snapshot.mode(path)
    except KeyError:
        return ""
