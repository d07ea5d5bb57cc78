"""What an earlier configuration left in a run's folder: moved aside, never mixed in, never deleted.

Journals and logs stay, since their keys say what each record is of.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.common.files import sync
from harness.common.hashing import content_key
from harness.compare.ablation_data import FILES as ABLATION
from harness.compare.finished import Arm, read_frozen
from harness.compare.run_changes import settings_changes
from harness.config.schema import CheckpointConfig, RunConfig
from harness.model.checkpoint import served_revision
from harness.model.devices import served_here
from harness.page.write_page import PAGE
from harness.pipeline.plan_changes import ANSWERS
from harness.pipeline.plan_changes import changes as key_changes
from harness.report.write import INSTANCES, TABLES

log = logging.getLogger(__name__)

EARLIER = "earlier"
FROZEN = "frozen.yaml"
UNFINISHED = ".unfinished"
# The frozen file goes last: as long as it is there, the next start finds that there is something to move.
RESULTS = ("checkpoints", *TABLES, *ABLATION, INSTANCES, PAGE, FROZEN)


def set_aside(folder: Path, config: RunConfig, dataset: str) -> Path | None:
    """Move the results of another configuration into a folder below ``earlier/``; returns it, None if there are none.

    Results that this configuration makes in the same way stay: it may have more checkpoints, conditions, references.
    ``dataset`` is the hash of the instances' rows. Killed at any moment, the next call goes on.
    """
    if (folder / EARLIER / UNFINISHED).is_dir():
        _move(folder, read_frozen(folder / FROZEN))
    if not any((folder / name).exists() for name in RESULTS):
        return None
    frozen = read_frozen(folder / FROZEN)
    changed = list(dict.fromkeys(changes(frozen, config, dataset)))
    if not changed:
        return None
    place = _move(folder, frozen)
    named = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    log.warning("%s: the results of an earlier configuration (other: %s) are now in %s", folder, named, place)
    return place


def _move(folder: Path, frozen: Mapping[str, Any]) -> Path:
    unfinished = folder / EARLIER / UNFINISHED
    unfinished.mkdir(parents=True, exist_ok=True)
    for name in RESULTS:
        if (folder / name).exists():
            (folder / name).rename(unfinished / name)
    frozen = frozen or read_frozen(unfinished / FROZEN)
    written = unfinished / FROZEN
    when = written.stat().st_mtime if written.is_file() else time.time()
    date = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(when))
    name = f"{date}-{content_key(frozen=str(frozen))[:8]}"
    place = next(p for p in _numbered(folder / EARLIER / name) if not p.exists())
    unfinished.rename(place)
    sync(place.parent)
    return place


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.name}-{number}")
        number += 1


def changes(frozen: Mapping[str, Any], config: RunConfig, dataset: str) -> Iterator[str]:
    """Names of what is not the same as in what an earlier run froze, of all that its results depend on."""
    old = frozen.get("configuration")
    if not isinstance(old, Mapping):
        yield FROZEN
        return
    new = config.model_dump(mode="json")
    if frozen.get("dataset") != dataset:
        yield "dataset"
    arms = [Arm("", (), {}, None, {"configuration": configuration}) for configuration in (old, new)]
    yield from (change.place for change in settings_changes(*arms))
    for name in ("conditions", "references"):
        if set(old.get(name) or ()) - set(new[name]):
            yield name
    if bool(old.get("evaluate_candidates")) != config.evaluate_candidates:
        yield "evaluate_candidates"
    known = {checkpoint.name: checkpoint for checkpoint in config.checkpoints}
    for entry in old.get("checkpoints") or ():
        checkpoint = known.get(entry.get("name"))
        if checkpoint is None or _other(entry, checkpoint, (frozen.get("weights") or {}).get(checkpoint.name)):
            yield f"checkpoint {entry.get('name')}"
    if any(served_here(checkpoint) for checkpoint in config.checkpoints):
        serving = key_changes({"serving": old.get("serving") or {}}, {"serving": new["serving"]})
        yield from (change.key for change in serving if change.bears_on == ANSWERS)


def _other(entry: Mapping[str, Any], checkpoint: CheckpointConfig, weights: str | None) -> bool:
    """Whether a checkpoint may answer otherwise than when it was frozen; ``weights`` is what its files hashed to."""
    before, now = ({"checkpoints": [one]} for one in (entry, checkpoint.model_dump(mode="json")))
    if any(change.bears_on == ANSWERS for change in key_changes(before, now)):
        return True
    return weights is not None and served_here(checkpoint) and served_revision(checkpoint) != weights
