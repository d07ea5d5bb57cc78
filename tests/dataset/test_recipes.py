import json
import os
from pathlib import Path

import pytest

from harness.dataset import recipes
from harness.dataset.recipes import FolderSource, MirrorSource, SdistSource, load_recipes
from harness.errors import InputError

SDIST = {"package": "p", "filename": "p-1.0.tar.gz", "sha256": "0" * 64, "bytes": 10}
ENTRY = {"instance_id": "o__p-1", "environment": "e", "test_cmd": "python -m pytest", "install": "pip install -e ."}


def write(folder: Path, *entries: object, **further: object) -> Path:
    path = folder / "recipes.json"
    environments = {"e": {"python": "3.11", "requirements": ["pytest==8.0.0"]}}
    path.write_text(json.dumps({"environments": environments, "instances": entries, **further}))
    return path


def test_the_shipped_file_holds_43_instances_in_10_environments():
    book = load_recipes()
    assert (len(book.instances), len(book.environments)) == (43, 10)
    flask = book.recipe("pallets__flask-4992")
    assert isinstance(flask.source, SdistSource)
    assert (flask.source.direction, flask.install) == ("forward", "pip install --no-deps --no-build-isolation -e .")


def test_no_install_is_none():
    assert load_recipes().recipe("sympy__sympy-24909").install is None


def test_a_folder_is_taken_relative_to_the_file(tmp_path):
    book = load_recipes(write(tmp_path, {**ENTRY, "folder": {"path": "bases/p"}}))
    assert book.recipe("o__p-1").source == FolderSource(path=tmp_path / "bases" / "p")


@pytest.mark.parametrize(
    ("mirror", "location"),
    [
        ({}, None),
        ({"location": "mirrors/p.git"}, "{folder}/mirrors/p.git"),
        ({"location": "/srv/p.git"}, "/srv/p.git"),
        ({"location": "https://host/p.git"}, "https://host/p.git"),
        ({"location": "git@host:o/p.git"}, "git@host:o/p.git"),
    ],
)
def test_a_mirror_is_a_url_or_a_folder_relative_to_the_file_or_the_one_in_the_cache(tmp_path, mirror, location):
    expected = location and location.format(folder=tmp_path)
    assert load_recipes(write(tmp_path, {**ENTRY, "mirror": mirror})).recipe("o__p-1").source == MirrorSource(
        location=expected
    )


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({**ENTRY, "mirror": {"location": 7}}, "location"),
        ({**ENTRY, "mirror": "https://host/p.git"}, "source"),
        ({**ENTRY}, "source"),
        ({**ENTRY, "sdist": SDIST}, "direction"),
        ({**ENTRY, "sdist": {**SDIST, "sha256": "xyz"}, "direction": "forward"}, "sha256"),
        ({**ENTRY, "sdist": {**SDIST, "filename": "../p.tar.gz"}, "direction": "forward"}, "filename"),
        ({**ENTRY, "sdist": SDIST, "direction": "forward", "environment": "ee"}, "unknown environment ee; did you"),
        ({**ENTRY, "folder": {"path": "x"}, "instance_id": "../etc"}, "instance_id"),
        ("o__p-1", "valid dictionary"),
    ],
)
def test_a_bad_entry_is_named(tmp_path, entry, said):
    with pytest.raises(InputError, match=said):
        load_recipes(write(tmp_path, entry))


def test_an_instance_twice(tmp_path):
    entry = {**ENTRY, "folder": {"path": "x"}}
    with pytest.raises(InputError, match="o__p-1 comes more than once"):
        load_recipes(write(tmp_path, entry, entry))


@pytest.mark.parametrize("text", ["{", "[]", '{"environments": {}}'])
def test_a_bad_file(tmp_path, text):
    path = tmp_path / "recipes.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"recipes\.json"):
        load_recipes(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="can't read"):
        load_recipes(tmp_path / "none.json")


def test_an_unknown_instance_names_the_nearest():
    with pytest.raises(InputError, match="did you mean pallets__flask-4992"):
        load_recipes().recipe("pallets__flask-4993")


FOLDER = {"folder": {"path": "x"}}
COMMIT = "0123456789" * 4


def test_sources_that_instances_share(tmp_path):
    sources = {
        "p-0.9": {"sdist": SDIST, "published": "2020-01-01"},
        "p-1.0": {"folder": {"path": "old"}, "on": "p-0.9"},
        "p-1.1": {"mirror": {}, "commit": COMMIT, "on": "p-1.0"},
    }
    book = load_recipes(write(tmp_path, {**ENTRY, **FOLDER, "on": "p-1.1"}, sources=sources))
    assert book.chain(book.recipe("o__p-1").on) == ["p-0.9", "p-1.0", "p-1.1"]
    assert book.chain(None) == []
    assert isinstance(book.sources["p-0.9"].source, SdistSource)
    assert book.sources["p-1.0"].source == FolderSource(path=tmp_path / "old")
    assert book.sources["p-1.1"].commit == COMMIT


@pytest.mark.parametrize(
    ("sources", "on", "said"),
    [
        ({"p-0.9": FOLDER}, "p-0.8", "o__p-1 lies on the unknown sources p-0.8; did you mean p-0.9"),
        ({"p-0.9": {**FOLDER, "on": "q"}}, None, "p-0.9 lies on the unknown sources q"),
        ({"a": {**FOLDER, "on": "b"}, "b": {**FOLDER, "on": "a"}}, "a", "sources a lie on themselves"),
        ({"a": {"mirror": {}}}, "a", "sources a: a mirror needs a commit"),
        ({"a": {**FOLDER, "commit": COMMIT}}, "a", "sources a: a mirror needs a commit, and nothing else has one"),
        ({"a": {"mirror": {}, "commit": "main"}}, "a", "commit"),
        ({"No name": FOLDER}, None, "sources"),
        ({"a": 7}, None, "sources"),
        ([], None, "sources"),
    ],
)
def test_bad_sources_are_named(tmp_path, sources, on, said):
    with pytest.raises(InputError, match=said):
        load_recipes(write(tmp_path, {**ENTRY, **FOLDER, "on": on}, sources=sources))


def test_shipped_sources_are_older_than_the_instances_on_them():
    """A release that is published after an instance's issue could hold its fix."""
    rows = os.environ.get("HARNESS_SWEBENCH_ROWS")
    if not rows:
        pytest.skip("HARNESS_SWEBENCH_ROWS names no file of SWE-bench Lite rows")
    lines = Path(rows).read_text(encoding="utf-8").split("\n")
    created = {row["instance_id"]: row["created_at"] for row in map(json.loads, filter(None, lines))}
    book = load_recipes()
    raw = json.loads(Path(recipes.__file__).with_name("pypi_instances.json").read_text(encoding="utf-8"))
    on_sources = [recipe for recipe in book.instances.values() if recipe.on]
    assert len(on_sources) == 34
    for recipe in on_sources:
        for name in book.chain(recipe.on):
            assert raw["sources"][name]["published"] < created[recipe.instance_id][:10]
