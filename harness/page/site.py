"""The files of a page, each made when it is asked for: written all at once, or served one by one."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.common.inert import one_line
from harness.common.resources import PACKAGE
from harness.compare.finished import folder_name
from harness.page.attempt_facts import Part
from harness.page.comparison_data import comparison_data
from harness.page.instance_details import instance_details
from harness.page.log_parts import part_count, read_part
from harness.page.overview_data import ablation_data, overview_data
from harness.page.page_texts import data_script
from harness.page.pictures import FORMS, render
from harness.page.run_pictures import Shown, read_stages, run_pictures
from harness.page.run_records import RunRecords
from harness.page.sides import Side, finished_sides, live_sides
from harness.page.stage_details import stage_details
from harness.report.attempt_text import Trail
from harness.statistics.requirement import parse_requirement

STATIC = PACKAGE / "page" / "static"
TEMPLATES = PACKAGE / "page" / "templates"
REQUIRED = ("resolve_rate >= -5pp @ 95%",)  # of a checkpoint if the reader names nothing

_DATA = re.compile(r"data/(?P<kind>\w+)/(?P<rest>[^\s]+)\.js")


class Site:
    """A run's page as files by name."""

    def __init__(self, records: RunRecords, against: str | None, requirements: Sequence[str]) -> None:
        """Take a run whose `update` was called.

        Raises InputError for a requirement that can't be read, and for a baseline that the run does not hold.
        """
        self.records = records
        self._wanted = against
        self._requirements = [parse_requirement(text) for text in requirements or REQUIRED]
        self._compared: dict[tuple[int, int], dict[str, Any]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in what the records have read since."""
        self.parts = list(self.records.parts)
        self._logs: dict[str, Path] = {}
        self._compared.clear()
        self._sides = live_sides(self.records) if self.records.live else finished_sides(self.records, self._wanted)
        self._pictures: dict[str, Shown] | None = None

    def names(self) -> Iterator[str]:
        """Every file of the page, the logs' parts included."""
        yield "index.html"
        yield from (f"static/{name}" for name in static_files())
        yield from (f"data/compare/{first}-{second}.js" for first, second in self._sides.pairs)
        yield from (f"pictures/{name}.{form}" for name in self.pictures() for form in FORMS)
        yield "data/overview.js"
        for name in self.records.ids():
            yield f"data/instances/{name}.js"
            for number, part in enumerate(self.parts):
                whole = self.records.read(part, name)
                if whole is None:
                    continue
                if whole.trail.get("candidates") or whole.trail.get("answers"):
                    yield f"data/stages/{name}/{number}.js"
                key = whole.verdict.key
                if key and key not in self._logs and whole.log.is_file():
                    self._logs[key] = whole.log
                    yield from (f"data/logs/{key}/{place}.js" for place in range(part_count(whole.log)))

    def content(self, name: str) -> bytes | None:
        """What a file holds; None if the page has no such file."""
        if name == "index.html":
            return index_page(self.records.folder.resolve().name)
        if name in static_files_by_name():
            return (STATIC / static_files_by_name()[name]).read_bytes()
        if name == "data/overview.js":
            return data_script("overview", self._overview())
        if name.startswith("pictures/"):
            return self._picture(name.removeprefix("pictures/"))
        found = _DATA.fullmatch(name)
        value = self._data(found["kind"], found["rest"].split("/")) if found else None
        return None if found is None or value is None else data_script(f"{found['kind']}/{found['rest']}", value)

    def _data(self, kind: str, rest: list[str]) -> Any:
        match kind, rest:
            case "compare", [pair]:
                numbers = pair.split("-")
                return next((self.comparison(*p) for p in self._sides.pairs if [str(n) for n in p] == numbers), None)
            case "instances", [name] if name in self.records.ids():
                return instance_details(self.records, self.parts, name)
            case "stages", [name, number] if number.isdecimal() and int(number) < len(self.parts):
                return self._stages(self.parts[int(number)], name)
            case "logs", [key, number] if number.isdecimal():
                log = self._log(key)
                return read_part(log, int(number)) if log and int(number) < part_count(log) else None
            case _:
                return None

    def comparison(self, first: int, second: int) -> dict[str, Any]:
        """Data of the second side against the first, by their numbers."""
        if (first, second) not in self._compared:
            one, other = self._sides.sides[first].arm, self._sides.sides[second].arm
            self._compared[first, second] = comparison_data(one, other, self._requirements)
        return self._compared[first, second]

    def pictures(self) -> dict[str, Shown]:
        """The run's pictures by name."""
        if self._pictures is None:
            against: dict[str, dict[str, Any]] = {}
            names = [side.name for side in self._sides.sides]
            for first, second in self._sides.pairs:
                if first == self._sides.baseline:
                    against.setdefault(names[first], {})[names[second]] = self.comparison(first, second)
            stages = read_stages(self.records.folder)
            self._pictures = run_pictures(self.records, self._sides.table, stages, against)
        return self._pictures

    def _overview(self) -> dict[str, Any]:
        stages = [{"checkpoint": c, "condition": k} | dict(v) for (c, k), v in read_stages(self.records.folder).items()]
        return overview_data(self.records, self.parts) | {
            "pictures": [[name, shown.title, shown.about] for name, shown in self.pictures().items()],
            "sides": [self._side(side) for side in self._sides.sides],
            "pairs": self._sides.pairs,
            "baseline": self._sides.baseline,
            "ablation": ablation_data(self._sides.table) if self._sides.table else None,
            "stages": stages,
        }

    def _side(self, side: Side) -> dict[str, Any]:
        names = [folder_name(part.checkpoint) for part in self.parts]
        members = [number for number, name in enumerate(dict.fromkeys(names)) if name in side.arm.checkpoints]
        return {"name": one_line(side.name), "members": members}

    def _picture(self, name: str) -> bytes | None:
        picture, _, form = name.partition(".")
        shown = self.pictures().get(picture)
        chosen = next((known for known in FORMS if known == form), None)
        return render(shown.draw, shown.size, chosen) if shown and chosen else None

    def _stages(self, part: Part, name: str) -> dict[str, Any] | None:
        whole = self.records.read(part, name)
        if whole is None:
            return None
        trail = Trail.model_validate({"instance_id": name, **whole.trail})
        return stage_details(trail, self.records.answers(part.checkpoint, [answer.key for answer in trail.answers]))

    def _log(self, key: str) -> Path | None:
        if key not in self._logs:
            for part, facts in self.records.parts.items():
                for name, one in facts.items():
                    whole = self.records.read(part, name) if one.verdict.key == key else None
                    if whole and whole.log.is_file():
                        self._logs[key] = whole.log
                        return whole.log
        return self._logs.get(key)


@cache
def static_files() -> tuple[str, ...]:
    """Scripts, styles, libraries and their licences, which every page has."""
    return tuple(sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()))


@cache
def static_files_by_name() -> dict[str, str]:
    """The same by their names in the page."""
    return {f"static/{name}": name for name in static_files()}


def index_page(title: str) -> bytes:
    """The one HTML file."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True)
    return environment.get_template("index.html.jinja").render(title=one_line(title)).encode()
