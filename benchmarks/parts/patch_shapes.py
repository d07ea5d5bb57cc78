"""Patches of every shape that git and patch read differently, over a small tree of their own, from a seed."""

import difflib
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

Files = dict[str, bytes]

BLOBS = ("HEAD:a.py", "HEAD:pkg/b.py", "HEAD:sub")  # objects that patches name
OUTSIDE = ("../outside.py", "/etc/outside", "pkg/../../outside.py", "pkg/../inside.py", ".git/hooks/post-checkout")
PROSE = ("Here is the patch:\n\n", "From: me\nSubject: [PATCH] it\n\n---\n a.py | 2 +-\n\n", "```diff\n")
IGNORED = {"build/lib/copy.py": b"one\ntwo\n", "pkg.egg-info/PKG-INFO": b"Name: pkg\n"}
TRACKED: Files = {
    ".gitignore": b"build/\n*.egg-info/\n",
    "a.py": b"".join(b"line %d\n" % n for n in range(40)),
    "pkg/__init__.py": b"",
    "pkg/b.py": b"def f():\n    return 1\n\n\ndef g():\n    return 2\n" * 3,
    "pkg/crlf.py": b"one\r\ntwo\r\nthree\r\nfour\r\nfive\r\n",
    "pkg/no_newline.py": b"x = 1\ny = 2",
    "docs/a b.txt": b"spaces\nin\nits\nname\n",
    "docs/\N{LATIN SMALL LETTER E WITH ACUTE}.txt": b"letters\nbeyond\nASCII\n",
}


def make_tree(folder: Path) -> None:
    """A repository of one commit, with files that git ignores."""
    for path, content in (TRACKED | IGNORED).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    for command in ("init -q", "add .", "-c user.name=b -c user.email=b@localhost commit -qm base"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    (folder / ".git/info/exclude").write_text("/build/\n")
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=folder, text=True).strip()
    (folder / "sub").mkdir()
    for command in (
        f"update-index --add --cacheinfo 160000,{head},sub",
        "-c user.name=b -c user.email=b@l commit -qm sub",
    ):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    (folder / "left.txt").write_text("not tracked, nor ignored\n")


def change(path: str, old: bytes, new: bytes, context: int = 3) -> str:
    """The unified diff from ``old`` to ``new``, in git's form."""
    lines = difflib.diff_bytes(
        difflib.unified_diff,
        old.splitlines(True),
        new.splitlines(True),
        f"a/{path}".encode() if old else b"/dev/null",
        f"b/{path}".encode() if new else b"/dev/null",
        n=context,
    )
    body = b"".join(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n" for line in lines)
    mode = ("" if old else "new file mode 100644\n") + ("" if new else "deleted file mode 100644\n")
    return f"diff --git a/{path} b/{path}\n{mode}" + body.decode("utf-8", "surrogateescape")


def edited(content: bytes, draw: random.Random) -> bytes:
    """The content with one line replaced, dropped or added."""
    lines = content.splitlines(True) or [b""]
    at = draw.randrange(len(lines))
    how = draw.randrange(3)
    lines[at : at + (how != 2)] = [] if how == 1 and len(lines) > 1 else [b"changed %d\n" % draw.randrange(1000)]
    return b"".join(lines)


def _exact(draw: random.Random) -> str:
    path = draw.choice(sorted(TRACKED))
    old = TRACKED[path]
    return change(path, old, edited(old, draw), draw.choice((0, 1, 3)))


def _drifted(draw: random.Random) -> str:
    """Against another base: lines above moved, context partly other, or all foreign."""
    path = draw.choice(("a.py", "pkg/b.py", "pkg/crlf.py"))
    lines = TRACKED[path].splitlines(True)
    for _ in range(draw.randrange(1, 4)):
        lines.insert(draw.randrange(len(lines)), b"elsewhere\n")
    base = b"".join(lines)
    return change(path, base, edited(base, draw))


def _with_blobs(draw: random.Random) -> str:
    """With the index line that lets git try a three-way merge: the blob is there, the content differs or not."""
    text, path = _drifted(draw), "a.py"
    blob = draw.choice(BLOBS[:2])
    return text.replace("\n--- ", f"\nindex {{{blob}}}..{'1' * 40} 100644\n--- ", 1).replace("b/pkg/b.py", f"b/{path}")


def _new(draw: random.Random) -> str:
    path = draw.choice(("new.py", "pkg/new.py", "deep/er/new.txt", *IGNORED, "a.py"))
    same = IGNORED.get(path, TRACKED.get(path, b"new\n"))
    return change(path, b"", draw.choice((same, b"other\n", same + b"more\n")))


def _gone(draw: random.Random) -> str:
    path = draw.choice(("never.py", "pkg/never.py", "a.py", "build/lib/copy.py"))
    return change(path, (TRACKED | IGNORED).get(path, b"was\nhere\n"), b"")


def _reversed(draw: random.Random) -> str:
    """What is there already: the change read backwards."""
    path = draw.choice(("a.py", "pkg/b.py", "pkg/no_newline.py"))
    new = TRACKED[path]
    return change(path, edited(new, draw), new)


def _moved(draw: random.Random) -> str:
    old, new = draw.sample(("a.py", "pkg/b.py", "moved.py", "docs/moved.txt", "never.py"), 2)
    kind = draw.choice(("rename", "copy"))
    return f"diff --git a/{old} b/{new}\nsimilarity index 100%\n{kind} from {old}\n{kind} to {new}\n"


def _mode(draw: random.Random) -> str:
    path = draw.choice(("a.py", "pkg/b.py", "never.py"))
    return f"diff --git a/{path} b/{path}\nold mode 100644\nnew mode {draw.choice(('100755', '100644', '120000'))}\n"


def _link(draw: random.Random) -> str:
    target = draw.choice((b"a.py", b"/tmp", b"../.."))
    return change(draw.choice(("link", "pkg/link")), b"", target).replace("mode 100644", "mode 120000")


def _binary(draw: random.Random) -> str:
    kind = draw.choice(("literal 3\nKcmZQzWdq}<\n\nliteral 0\nHcmV?d00001\n", "literal 3\nKcmZP\n"))
    return f"diff --git a/i.bin b/i.bin\nnew file mode 100644\nindex 0000000..1\nGIT binary patch\n{kind}\n"


def _outside(draw: random.Random) -> str:
    path = draw.choice(
        ("../outside.py", "/etc/outside", "pkg/../../outside.py", "pkg/../inside.py", ".git/hooks/post-checkout")
    )
    return f"--- /dev/null\n+++ {draw.choice(('b/', ''))}{path}\n@@ -0,0 +1 @@\n+x\n"


def _prose(draw: random.Random) -> str:
    return draw.choice(
        ("Here is the patch:\n\n", "From: me\nSubject: [PATCH] it\n\n---\n a.py | 2 +-\n\n", "```diff\n")
    )


def _context(draw: random.Random) -> str:
    old = TRACKED["a.py"].decode().splitlines(True)
    new = edited(TRACKED["a.py"], draw).decode().splitlines(True)
    return "".join(difflib.context_diff(old, new, "a/a.py", "b/a.py"))


def _named_by_index(draw: random.Random) -> str:
    text = change("a.py", TRACKED["a.py"], edited(TRACKED["a.py"], draw))
    hunks = text[text.index("@@") :]
    return f"Index: {draw.choice(('b/', ''))}a.py\n{'=' * 67}\n{hunks}"


def _quoted(draw: random.Random) -> str:
    """Names as git writes them beyond ASCII: in octal, or as they are, with a tab behind those with spaces."""
    path = draw.choice(("docs/\N{LATIN SMALL LETTER E WITH ACUTE}.txt", "docs/a b.txt"))
    text = change(path, TRACKED[path], edited(TRACKED[path], draw))
    if draw.random() < 0.5:
        octal = "".join(chr(byte) if byte < 128 else f"\\{byte:o}" for byte in path.encode())
        for side in "ab":
            text = text.replace(f"{side}/{path}", f'"{side}/{octal}"')
        return text
    return "".join(f"{line}\t\n" if line[:4] in ("--- ", "+++ ") else f"{line}\n" for line in text.split("\n")[:-1])


def _timed(draw: random.Random) -> str:
    """As `diff -u` writes it, with times: that of the epoch says that a file is not there."""
    lines = _exact(draw).split("\n")
    when = draw.choice(("2020-01-01 00:00:00.000000000 +0000", "1970-01-01 00:00:00.000000000 +0000"))
    lines = [f"{line}\t{when}" if line[:4] in ("--- ", "+++ ") else line for line in lines]
    return "\n".join(line for line in lines if not line.startswith(("diff --git", "new file", "deleted file")))


def _mail(draw: random.Random) -> str:
    """As `git format-patch` writes it, one or two in a row."""
    head = "From {0} Mon Sep 17 00:00:00 2001\nFrom: b <b@localhost>\nSubject: [PATCH] it\n\nwhy\n---\n a.py | 2 +-\n\n"
    parts = [head.format("1" * 40) + _exact(draw) + "-- \n2.39.5\n\n" for _ in range(draw.choice((1, 1, 2)))]
    return "".join(parts)


def _submodule(draw: random.Random) -> str:
    """Another commit of a submodule, which leaves no trace in the files, perhaps behind what the first step refuses."""
    old, new = draw.choice((("{HEAD:sub}", "1" * 40), ("{HEAD:sub}", "{HEAD:sub}-dirty"), ("2" * 40, "1" * 40)))
    first = draw.choice(("", change("left.txt", b"", b"new\n")))
    hunk = f"@@ -1 +1 @@\n-Subproject commit {old}\n+Subproject commit {new}\n"
    return f"{first}diff --git a/sub b/sub\n--- a/sub\n+++ b/sub\n{hunk}"


SHAPES: tuple[Callable[[random.Random], str], ...] = (
    _exact, _drifted, _with_blobs, _new, _gone, _reversed, _moved, _mode, _link, _binary, _outside, _prose, _context,
    _named_by_index, _quoted, _timed, _mail, _submodule,
)  # fmt: skip


def _twisted(text: str, draw: random.Random) -> str:
    """The text as something on its way may have left it."""
    twists: tuple[Callable[[str], str], ...] = (
        lambda t: t.removesuffix("\n"),
        lambda t: t.replace("\n", "\r\n"),
        lambda t: "".join(f"  {line}" for line in t.splitlines(True)),
        lambda t: "@@ -1 +1 @@\n" + t,
        lambda t: t[: draw.randrange(len(t) + 1)],
        lambda t: t.replace("a/", "").replace("b/", ""),
        lambda t: t + "-- \n2.39.5\n",
        lambda t: t.replace("@@ -1", "@@ -2"),
        lambda t: "\n".join(line.rstrip() for line in t.split("\n")),
        lambda t: t + t,
        lambda t: t + "```\n",
    )
    return draw.choice(twists)(text)


def shaped(number: int, seed: int, blobs: dict[str, str]) -> str:
    """Patch ``number`` of a seed: one to three parts, half of them twisted; ``blobs`` are git's names for `BLOBS`."""
    draw = random.Random(f"{seed} {number}")
    first = SHAPES[number % len(SHAPES)]
    text = "".join(shape(draw) for shape in (first, *draw.choices(SHAPES, k=draw.choice((0, 0, 1, 2)))))
    for name, blob in blobs.items():
        text = text.replace(f"{{{name}}}", blob)
    return _twisted(text, draw) if draw.random() < 0.5 else text
