import pytest

from harness.grading.unapplied import unapplied

PART = "--- a/pkg/a.py\n+++ b/pkg/a.py\n@@ -1 +1 @@\n-x\n+y\n"
OTHER = PART.replace("pkg/a.py", "pkg/b.py")
CONTEXT = "*** a/pkg/b.py\n--- b/pkg/b.py\n***************\n*** 1 ****\n! x\n--- 1 ----\n! y\n"
SHOWN = "--- a/x.diff\n+++ b/x.diff\n@@ -1,4 +1,4 @@\n --- a/z\n +++ b/z\n @@ -1 +1 @@\n-a\n+b\n"


@pytest.mark.parametrize(
    ("text", "touched", "path"),
    [
        (PART, {"pkg/a.py"}, ""),
        (PART, set(), "b/pkg/a.py"),
        (PART + OTHER, {"pkg/a.py"}, "b/pkg/b.py"),
        (PART + "".join(f"  {line}\n" for line in OTHER.splitlines()), {"pkg/a.py"}, "b/pkg/b.py"),
        ("".join(f"> {line}\n" for line in OTHER.splitlines()) + PART, {"pkg/a.py"}, "b/pkg/b.py"),
        (PART + CONTEXT, {"pkg/a.py"}, "b/pkg/b.py"),
        (PART + "Index: pkg/b.py\n" + "=" * 67 + "\n", {"pkg/a.py"}, "pkg/b.py"),
        (PART + CONTEXT, {"pkg/a.py", "pkg/b.py"}, ""),
        (SHOWN, {"x.diff"}, ""),
        (PART.replace("a/pkg/", "").replace("b/pkg/", ""), {"pkg/a.py"}, ""),
        (PART.replace("pkg/", "").replace("\n", "\r\n"), {"a.py"}, ""),
        ('--- /dev/null\n+++ "b/\\303\\251.py"\n@@ -0,0 +1 @@\n+x\n', {"\N{LATIN SMALL LETTER E WITH ACUTE}.py"}, ""),
        ("From: me\nIndex: of it\n\n---\n a.py | 2 +-\n\n" + PART + "-- \n2.39.5\n", {"pkg/a.py"}, ""),
        ("*** NOTE ***\n--- and so on\n" + PART, {"pkg/a.py"}, ""),
    ],
)
def test_parts_that_touched_nothing(text: str, touched: set[str], path: str) -> None:
    assert unapplied(text, touched) == path
