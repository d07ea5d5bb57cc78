"""The page of a run at full size, in real headless Chromium: python benchmarks/page.py [--check].

Writes the records of a synthetic run (500 instances, 7 checkpoints, 3 conditions, 10 candidates each, one log of
50 MB), makes its page from them, and opens that from the disk as a reader does: first the scores, then sorting and
filtering the instances, an instance with its diffs, its log. With --check the exit status is 1 when the page takes 2 s
to open, an instance with a log of 50 MB 1 s, or anything is written to the browser's console.
"""

import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import perf_counter

from parts.arguments import BenchmarkParser
from parts.synthetic_run import write_synthetic_run
from playwright.sync_api import Page, sync_playwright

from harness.page.write_page import write_page

OPEN, INSTANCE, ACT = 2.0, 1.0, 1.0  # seconds that opening, showing an instance, and any other act may take
TRIES = 3  # of which the quickest counts: what else runs on the machine is no part of the page


@contextmanager
def measured(name: str, found: dict[str, float]) -> Iterator[None]:
    """Keep the seconds that the block took; the least of all under one name."""
    begun = perf_counter()
    yield
    found[name] = min(found.get(name, float("inf")), perf_counter() - begun)


def read(index: Path, instance: str, instances: int, found: dict[str, float]) -> list[str]:
    """Open and follow the page; returns what was written to the console."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("page.py: Chromium is not installed; run scripts/ensure-chromium")
    said: list[str] = []
    with sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        for _ in range(TRIES):
            tab = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
            tab.on("console", lambda message: said.append(message.text))
            tab.on("pageerror", lambda error: said.append(str(error)))
            follow(tab, index.as_uri(), instance, instances, lambda name: measured(name, found))
            tab.close()
        browser.close()
    return said


def follow(
    tab: Page, index: str, instance: str, instances: int, timed: Callable[[str], AbstractContextManager[None]]
) -> None:
    """One reader's way through the page."""
    with timed("open: scores"):
        tab.goto(index)
        tab.get_by_role("heading", name="Scores", exact=True).wait_for()
    with timed("instances: all"):
        tab.keyboard.press("3")
        tab.locator("main tbody tr").first.wait_for()
    with timed("instances: sort"):
        tab.get_by_role("button", name="by", exact=True).click()
        tab.locator("th[aria-sort=descending]").wait_for()
    with timed("instances: broken by B"):
        tab.get_by_label("Change").select_option("broken")
        tab.locator("h1", has_text="Instances").wait_for()
        tab.locator(".count", has_not_text=f"{instances} of").wait_for()
    with timed("an instance with a log of 50 MB"):
        tab.goto(f"{index}#/instance/{instance}?condition=model")
        tab.locator(".d2h-ins").first.wait_for()
    with timed("its log, at the failing test"):
        tab.get_by_role("button", name="In the log").first.click()
        tab.locator("mark").wait_for()
    with timed("prompts and answers"):
        tab.get_by_text("Prompts and answers").first.click()
        tab.get_by_text("candidate 0").first.wait_for()
    with timed("compare"):
        tab.keyboard.press("2")
        tab.get_by_role("heading", name="Differences").wait_for()


def main() -> None:
    """Measure, print, and check."""
    parser = BenchmarkParser(__doc__)
    parser.add_check("when a target is missed")
    parser.add_argument("--instances", type=int, default=500, help="instances")
    parser.add_argument("--checkpoints", type=int, default=7, help="checkpoints, each under three conditions")
    parser.add_argument("--candidates", type=int, default=10, help="candidates of each attempt")
    parser.add_argument("--log", type=int, default=50_000_000, help="bytes of the longest log")
    parser.add_argument("--keep", type=Path, help="a new folder for run and page, which stay there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        instance = write_synthetic_run(
            folder / "run", options.instances, options.checkpoints, options.candidates, options.log
        )
        found: dict[str, float] = {}
        begun = perf_counter()
        index = write_page(folder / "run", folder / "page", None, ())
        written = perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        files = [path for path in index.parent.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"page written in {written:.0f} s: {len(files)} files, {size:.0f} MB; peak memory {peak:.0f} MiB")
        said = read(index, instance, options.instances, found)
    limits = {"open: scores": OPEN, "an instance with a log of 50 MB": INSTANCE}
    missed = [name for name, seconds in found.items() if seconds > limits.get(name, ACT)]
    for name, seconds in found.items():
        print(f"{name:34}{seconds:6.2f} s  (at most {limits.get(name, ACT):.0f} s)")
    print(f"console: {said or 'nothing'}")
    print(f"{len(missed)} targets missed")
    if options.check and (missed or said):
        sys.exit(1)


if __name__ == "__main__":
    main()
