"""The page in real headless Chromium: found, read and followed as a reader does; hostile text stays text."""

import threading
from pathlib import Path

import pytest
from playwright.sync_api import expect
from runs import EVIL, LOG, PATCH, attempt, begin, candidates, two_checkpoints

from harness.core.verdict import Outcome
from harness.page import view_server
from harness.page.view_server import page_server
from harness.page.write_page import write_page

pytestmark = pytest.mark.browser


def rows(tab):
    return tab.locator("main table tbody tr")


def first_cells(tab):
    return [line.split("\n")[0].split("\t")[0] for line in rows(tab).all_inner_texts()]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """The page of a run whose first instance b breaks, and whose texts are hostile."""

    def row(**columns):
        return {"repo": "owner/name", "base_commit": "0" * 40, "test_patch": PATCH, **columns}

    patch = PATCH.replace("+x = 2", f"+x = 2  # {EVIL}")
    path = two_checkpoints(
        tmp_path_factory.mktemp("run") / "out", row, text=f"x should be 2 {EVIL}", patch=patch, log=LOG + EVIL + "\n"
    )
    return write_page(path, None, None, ())


def test_a_reader_finds_what_b_broke_and_why(tab, index: Path):
    tab.goto(f"{index.as_uri()}#/overview")
    tab.get_by_role("link", name="Compare", exact=True).first.click()
    tab.get_by_role("button", name="2 broken by B").click()
    expect(tab.get_by_role("heading", name="Instances: broken by B")).to_be_visible()
    ship = tab.locator(".card", has_text="May B ship?")
    assert "Not decided, which is no yes." in ship.inner_text()
    assert "! not decided" in ship.inner_text()
    rows(tab).first.click()
    broken = tab.locator("section.attempt", has_text="B: b")
    assert "unresolved" in broken.inner_text()
    assert "x = 2" in broken.locator(".d2h-ins .d2h-code-line-ctn").first.inner_text()
    assert "E   assert 2 == 3" in broken.locator(".excerpt").inner_text()
    broken.get_by_role("button", name="In the log").click()
    assert tab.locator("mark").inner_text() == "___ test_x ___"
    assert "part 1 of 1" in broken.inner_text()
    broken.get_by_text("Prompts and answers").click()
    broken.get_by_text("candidate 0, selected").click()
    broken.get_by_text("prompt", exact=True).last.click()
    expect(broken.locator("details details details pre")).to_contain_text("x should be 2")


def test_hostile_text_is_text(tab, index: Path):
    tab.goto(f"{index.as_uri()}#/instance/owner__name-1?condition=model&a=0&b=1")
    tab.locator("section.attempt", has_text="B: b").wait_for()
    for summary in tab.locator("summary").all():
        summary.click()
    tab.wait_for_timeout(300)
    assert (
        tab.evaluate("[...document.querySelectorAll('main script, main img, main iframe, main a[href^=\"j\"]')].length")
        == 0
    )
    assert "owned" not in tab.title()
    text = tab.inner_text("main")
    assert "</script><script>document.title='owned'</script>" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_instances_are_sorted_and_filtered(tab, index: Path):
    tab.goto(f"{index.as_uri()}#/instances?condition=model")
    expect(tab.locator(".count")).to_have_text("3 of 3")
    tab.get_by_role("button", name="by", exact=True).click()
    assert first_cells(tab) == ["owner__name-1", "owner__name-2", "owner__name-3"]
    tab.get_by_role("button", name="by", exact=True).click()
    assert first_cells(tab)[0] == "owner__name-3"
    assert tab.locator("th[aria-sort=ascending]").count() == 1
    tab.get_by_label("Change").select_option("broken")
    expect(tab.locator(".count")).to_have_text("1 of 3")
    assert first_cells(tab) == ["owner__name-1"]
    tab.get_by_label("Change").select_option("")
    tab.get_by_role("searchbox").fill("name-2")
    expect(tab.locator(".count")).to_have_text("1 of 3")
    assert first_cells(tab) == ["owner__name-2"]


def test_the_page_is_read_with_keys_alone(tab, index: Path):
    tab.goto(index.as_uri())
    tab.get_by_role("heading", name="Scores", exact=True).wait_for()
    tab.keyboard.press("3")
    tab.get_by_role("heading", name="Instances").wait_for()
    tab.keyboard.press("/")
    tab.keyboard.type("name-3")
    expect(tab.locator(".count")).to_have_text("1 of 3")
    tab.keyboard.press("Escape")
    tab.keyboard.press("j")
    tab.keyboard.press("Enter")
    tab.get_by_role("heading", name="owner__name-3").wait_for()
    tab.keyboard.press("l")
    tab.locator("pre.log", has_text="collected 1 item").first.wait_for()
    tab.keyboard.press("k")
    tab.get_by_role("heading", name="owner__name-2").wait_for()
    tab.keyboard.press("u")
    tab.get_by_role("heading", name="Instances").wait_for()
    theme = tab.evaluate("document.documentElement.dataset.theme")
    tab.keyboard.press("t")
    assert tab.evaluate("document.documentElement.dataset.theme") != theme


@pytest.mark.parametrize("width", [400, 1300])
def test_nothing_is_wider_than_the_window(tab, index: Path, width: int):
    tab.set_viewport_size({"width": width, "height": 800})
    for place in ("overview", "compare", "instances", "run", "instance/owner__name-1?condition=model&a=0&b=1"):
        tab.goto(f"{index.as_uri()}#/{place}")
        expect(tab.locator("#main")).to_have_attribute("data-drawn", f"#/{place}")
        assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, place


def test_a_served_page_follows_a_run_under_way(tab, tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(view_server, "LOOK", 0.0)
    names = ("owner__name-1", "owner__name-2")
    results = [attempt("a", "model", name, Outcome.RESOLVED, **candidates(PATCH)) for name in names]
    path = begin(tmp_path / "out", [])
    with page_server(path, 0, ()) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tab.goto(f"http://127.0.0.1:{server.server_port}/#/instances")
        tab.get_by_text("under way: 0 attempts").wait_for()
        begin(path, results[:1])
        tab.get_by_text("under way: 1 attempts").wait_for(timeout=20_000)
        assert first_cells(tab) == ["owner__name-1"]
        begin(path, results)
        tab.get_by_text("under way: 2 attempts").wait_for(timeout=20_000)
        rows(tab).last.click()
        tab.get_by_role("heading", name="owner__name-2").wait_for()
        tab.goto("about:blank")
        server.shutdown()
