"""One edit of one file, the formats that it can be written in, and what an answer makes of that file."""

import json

from harness.core.candidate import Reason
from harness.core.interfaces import Answer
from harness.core.location import Location
from harness.model.answers import read_edits
from harness.model.ask import Reply
from harness.repair.edits import apply_edits
from harness.repair.sample import read_answer
from harness.repo.memory_snapshot import MemorySnapshot

OVEN = "LIMIT = 250\n\n\ndef heat(degrees):\n    if degrees > LIMIT:\n        raise ValueError(degrees)\n"
OVEN += "    return degrees\n\n\ndef cool(degrees):\n    return degrees - 10\n"
TITLED = "Title\n=======\n\nText.\n\nMore\n=======\n"
USE = "# Use\n\nRun this:\n\n```bash\nmake bread\n```\n\nThen eat.\n\n## More\n\nNone.\n"
TWICE = "a = 1\n\nx = get(1)\nb = 2\nx = get(1)\nc = 3\n"
HEAT = 'function heat(d) {\n  throw new Error("hot");\n}\n'
MORE = {"docs/merge.md": TITLED, "docs/use.md": USE, "bakery/twice.py": TWICE, "web/heat.js": HEAT}
FILES = {**MORE, "bakery/oven.py": OVEN, "docs/notes.md": "Notes\n=====\n\nNone yet.\n", "setup.py": "x = 1\n"}
P, OLD, NEW = "bakery/oven.py", "    return degrees - 10\n", "    return max(degrees - 10, 0)\n"
FIXED = OVEN.replace(OLD, NEW)
BLOCK = f"<<<<<<< SEARCH\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n"
ANSWER = f"{P}\n{BLOCK}"
DRAFT = ANSWER.replace("max", "min")
CALL = {"command": "str_replace", "path": P, "old_str": OLD, "new_str": NEW}
J = json.dumps(CALL)
ENVELOPE = f"*** Begin Patch\n*** Update File: {P}\n@@ def cool(degrees):\n-{OLD}+{NEW}*** End Patch\n"
HUNK = f"@@ -10,2 +10,2 @@\n def cool(degrees):\n-{OLD}+{NEW}"
DIFF = f"--- a/{P}\n+++ b/{P}\n{HUNK}"
HIGHER = "<<<<<<< SEARCH\nLIMIT = 250\n=======\nLIMIT = 260\n>>>>>>> REPLACE\n"
SNAPSHOT = MemorySnapshot({path: text.encode() for path, text in FILES.items()})
SHOWN = tuple(map(Location, FILES))


async def outcome(text: str, finish: str = "stop") -> dict[str, str | None] | Reason:
    """What the files are after an answer's edits, or the reason that there are none."""
    fields = await read_answer(Reply.of(Answer(text, finish, 1, 1, 0.0)), SNAPSHOT, SHOWN)
    if reason := fields.get("reason"):
        return reason
    applied = apply_edits(read_edits(text, finish == "length").edits, SNAPSHOT, SHOWN)
    return {change.path: None if change.deleted else change.content.decode() for change in applied.changes}
