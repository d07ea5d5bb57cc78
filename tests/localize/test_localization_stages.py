"""The stages of localization together: what each is shown, what is made of its answer, what stays when it fails."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from doubles import ScriptedModel
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config.localization_keys import LocalizationConfig
from harness.config.schema import SamplingConfig
from harness.core.interfaces import CUT, Answer, ContextOverflow
from harness.core.location import Location, union
from harness.errors import InfrastructureError, InputError
from harness.localize.named_files import LocalizationReason
from harness.localize.places import Named, read_places, resolve_places
from harness.localize.question import PlaceReason
from harness.localize.stages import Localizer, vote_files
from harness.model.prompts import Prompts
from harness.repo.blob_cache import BlobStore
from harness.repo.memory_snapshot import MemorySnapshot
from harness.repo.symbols import parse_elements

SHAPES = """\
import math

LIMIT = 3


class Circle:
    "Doc."

    def area(self):
        secret = math.pi
        return secret

    def perimeter(self):
        return 2


def make(radius):
    return Circle()
"""
FILES = {
    "app/shapes.py": SHAPES.encode(),
    "app/io.py": b"def read(path):\n    return path\n",
    "docs/conf.py": b"circle_area = 'area of the circle, area, area'\n",
    "README.md": b"# Shapes\n",
}
ALL = {
    "elements": {"enabled": True},
    "lines": {"samples": 2, "context_lines": 0},
}
MARKS = {
    "files": "The files of the repository",
    "folders": "The folders of the repository",
    "elements": "without the bodies",
    "lines": "behind its number",
}


class StageModel(ScriptedModel):
    """Answers by stage; of a list of answers sample i gets the i-th."""

    def __init__(self, context=100_000, **answers) -> None:
        super().__init__([], context)
        self.answers = answers
        self.asked = {}

    async def answer(self, prompt, sampling, index):
        stage = next(name for name, mark in MARKS.items() if mark in prompt)
        self.asked.setdefault(stage, []).append((prompt, sampling))
        given = self.answers[stage]
        self._answers = given if isinstance(given, list) else [given]
        return await super().answer(prompt, sampling, index)


@pytest.fixture
def locate(tmp_path, instance):
    instance = instance.model_copy(update={"problem_statement": "The area of a circle is wrong"})
    with BlobStore(tmp_path / "derived.sqlite3") as store:

        async def localize(config, tree=FILES, context=100_000, prompts="agentless", **answers):
            model = StageModel(context, **answers)
            settings = LocalizationConfig.model_validate(config)
            localizer = Localizer(Prompts(prompts), settings, SamplingConfig(), store)
            return model, await localizer.localize(model, instance, MemorySnapshot(tree))

        yield localize


async def test_files_only_where_nothing_is_switched_on(locate):
    model, found = await locate({}, files="app/shapes.py")
    assert found.sets == ((Location("app/shapes.py"),),)
    assert (found.elements, found.lines, found.retrieved) == (None, None, None)
    assert list(model.asked) == ["files"]


async def test_each_stage_narrows_what_the_one_before_located(locate):
    answers = ["app/shapes.py\nline: 10\nfunction: make", "```\nshapes.py\nlines: 10 - 11\nline: 99\n```"]
    elements = "app/shapes.py\nclass: Circle\nmethod: area\nfunction: nothing\nvariable: LIMIT"
    model, found = await locate(ALL, files="app/shapes.py\napp/io.py", elements=elements, lines=answers)
    assert found.elements.locations == (Location("app/shapes.py", ((3, 3), (6, 14))),)
    assert found.elements.unresolved == ("app/shapes.py: nothing",)
    assert found.sets == ((Location("app/shapes.py", ((10, 10), (17, 18))),), (Location("app/shapes.py", ((10, 11),)),))
    assert found.lines.samples[1].unresolved == ("shapes.py: 99",)
    assert found.unresolved() == {"files": 0, "elements": 1, "lines": 1}
    assert found.locations == (Location("app/shapes.py", ((10, 11), (17, 18))),)
    skeletons, _ = model.asked["elements"][0]
    assert "def area(self):" in skeletons
    assert "def read(path):" in skeletons
    assert "secret" not in skeletons
    numbered, sampling = model.asked["lines"][0]
    assert "10|        secret = math.pi\n" in numbered
    assert "def make" not in numbered
    assert sampling.temperature == 0.8
    assert len(list(found.costs())) == 4
    assert sum(cost.prompt_tokens for cost in found.costs()) == sum(
        len(prompt) // 4 for asked in model.asked.values() for prompt, _ in asked
    )


async def test_samples_merged_into_one_set_and_a_greedy_first_one(locate):
    lines = {"samples": 2, "merged": True, "greedy": True, "context_lines": 1}
    answers = ["app/shapes.py\nline: 10", "app/shapes.py\nline: 18"]
    model, found = await locate({"lines": lines}, files="app/shapes.py", lines=answers)
    assert found.sets == ((Location("app/shapes.py", ((9, 11), (17, 18))),),)
    assert [sampling.temperature for _, sampling in model.asked["lines"]] == [0.0, 0.8]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("I can't tell.", PlaceReason.NO_NAMES),
        ("app/shapes.py\nclass: Square", PlaceReason.UNRESOLVED),
        ("other.py\nclass: Circle", PlaceReason.UNRESOLVED),
        ("class: Circle", PlaceReason.UNRESOLVED),
        *((Answer("app/shapes.py\nclass: Circle", end, 1, 1, 0.1), PlaceReason.TRUNCATED) for end in CUT),
        (Answer("", "not-recorded", 0, 0, 0.0), PlaceReason.NOT_RECORDED),
        (ContextOverflow("too long"), PlaceReason.CONTEXT_OVERFLOW),
    ],
)
async def test_a_stage_that_locates_nothing_leaves_what_was_located(locate, answer, reason):
    _, found = await locate(ALL, files="app/shapes.py", elements=answer, lines=[answer, answer])
    assert found.elements.reason is reason
    expected = PlaceReason.NO_NAMES if answer == "I can't tell." else reason
    assert {sample.reason for sample in found.lines.samples} == {expected}
    assert found.sets == ((Location("app/shapes.py"),),)


async def test_nothing_is_asked_where_no_file_was_located(locate):
    model, found = await locate(ALL, files="nothing.py")
    assert (found.sets, found.files.reason) == ((), LocalizationReason.UNRESOLVED)
    assert list(model.asked) == ["files"]


async def test_files_without_elements_are_not_asked_about(locate):
    _, found = await locate({"elements": {"enabled": True}}, files="README.md")
    assert (found.elements.reason, found.sets) == (PlaceReason.NOTHING_TO_SHOW, ((Location("README.md"),),))


async def test_what_does_not_fit_is_left_out_least_relevant_first(locate):
    big = "".join(f"def f{n}():\n    return {n}\n\n" for n in range(2000)) + "def circle_area():\n    return 'circle'\n"
    config = {"lines": {"samples": 1, "context_lines": 0}}
    answer = "app/big.py\nfunction: circle_area"
    model, found = await locate(config, {"app/big.py": big.encode()}, 3000, files="app/big.py", lines=answer)
    prompt, sampling = model.asked["lines"][0]
    assert "circle_area" in prompt
    assert len(prompt) // 4 + sampling.max_tokens <= 3000
    assert found.lines.left_out[0].path == "app/big.py"
    assert found.sets == ((Location("app/big.py", ((6001, 6002),)),),)


async def test_retrieval_votes_beside_the_model(locate):
    config = {"retrieval": {"files": 2}}
    _, found = await locate(config, files="app/io.py\napp/shapes.py")
    assert set(found.retrieved.matched) == {"app/shapes.py", "docs/conf.py"}
    assert [place.path for place in found.locations] == ["app/shapes.py", "app/io.py", "docs/conf.py"]
    _, alone = await locate(config, files="I do not know.")
    assert set(found.retrieved.matched) == {place.path for place in alone.locations}


async def test_irrelevant_folders_are_left_out_of_retrieval(locate):
    config = {"retrieval": {"files": 2}, "folders": {"enabled": True}}
    _, found = await locate(config, files="app/io.py", folders="docs/\nnowhere/")
    assert found.retrieved.matched == ("app/shapes.py",)
    assert (found.retrieved.folders.folders, found.retrieved.folders.unresolved) == (("docs",), ("nowhere/",))
    assert found.unresolved() == {"files": 0, "folders": 1}
    _, found = await locate(config, files="app/io.py", folders="docs/\napp/")
    assert set(found.retrieved.matched) == {"app/shapes.py", "docs/conf.py"}


async def test_an_embeddings_endpoint_votes_too_and_is_asked_once_for_a_text(locate):
    """The vectors say that app/io.py is what is meant, though it shares the fewest words with the issue."""
    asked = []

    async def vectors(request):
        question = await request.json()
        asked.extend(question["input"])
        data = [
            {"object": "embedding", "index": i, "embedding": [1.0, 0.0] if meant(text) else [0.0, 1.0]}
            for i, text in enumerate(question["input"])
        ]
        return web.json_response({"object": "list", "data": data[::-1], "model": "m", "usage": {}})

    def meant(text):
        return text.startswith(("app/io.py", "The area"))

    tree = FILES | {"app/io.py": b"def read(path):\n    return 'wrong'\n"}
    app = web.Application()
    app.router.add_post("/v1/embeddings", vectors)
    async with TestServer(app) as server:
        embeddings = {"endpoint": str(server.make_url("/v1")), "model": "m"}
        config = {"retrieval": {"files": 1, "embeddings": embeddings}}
        _, found = await locate(config, tree, files="I do not know.")
        count = len(asked)
        _, again = await locate(config, tree, files="I do not know.")
    assert found.retrieved.matched != ("app/io.py",)
    assert found.retrieved.embedded == ("app/io.py",)
    assert (count, len(asked)) == (len(set(asked)), count)
    assert again.retrieved == found.retrieved


async def test_an_embeddings_endpoint_whose_key_is_not_set(locate):
    embeddings = {"endpoint": "http://127.0.0.1:9/v1", "model": "m", "api_key_env": "NO_SUCH_VARIABLE"}
    with pytest.raises(InputError, match="NO_SUCH_VARIABLE"):
        await locate({"retrieval": {"files": 1, "embeddings": embeddings}}, files="app/io.py")


async def test_a_machine_that_fails_is_not_the_models_failure(locate):
    with pytest.raises(InfrastructureError):
        await locate(ALL, files="app/shapes.py", elements=InfrastructureError("gone"))


def test_folders_need_retrieval():
    with pytest.raises(ValueError, match=r"retrieval\.files"):
        LocalizationConfig.model_validate({"folders": {"enabled": True}})


def test_places_as_models_write_them():
    text = "<think>class: X</think>Here:\n```\n- `a/b.py`\n  - Class: `Foo`\n* method: Foo.bar()\nlines: 3 to 9\n```"
    assert read_places(text) == (
        Named("a/b.py", "class", "Foo"),
        Named("a/b.py", "method", "Foo.bar"),
        Named("a/b.py", "line", "3-9"),
    )


def test_votes_count_before_ranks():
    assert vote_files([["a", "b", "c"], ["c", "d"]]) == ["c", "a", "b", "d"]
    assert vote_files([[], ["x"]]) == ["x"]


def test_a_file_meant_as_a_whole_stays_whole():
    part, whole = Location("a", ((2, 3),)), Location("a")
    assert union([[part], [whole], [part]]) == (whole,)
    assert union([[part], [Location("a", ((4, 4),))]]) == (Location("a", ((2, 4),)),)


LINES = st.sampled_from(
    ["app/shapes.py", "```", "class: Circle", "method: Circle.area", "lines: 3-9", "line: 99999999", "lines: 9-3"]
)


@settings(max_examples=300, deadline=None)
@given(lines=st.lists(LINES | st.text(max_size=20), max_size=12))
def test_whatever_the_model_writes_only_lines_that_are_there_are_located(lines):
    places = read_places("\n".join(lines))
    found = resolve_places(places, {"app/shapes.py": 18}, lambda _: parse_elements(SHAPES.encode(), "python"))
    assert all(1 <= a <= b <= 18 for place in found.locations for a, b in place.intervals)
    assert len(found.names) + len(found.unresolved) == len(places)
