"""A terminal that nothing which a data set, a patch or a test wrote can steer: no escapes, no markup."""

from collections.abc import Iterator
from typing import TextIO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment

from harness.common.inert import inert


class _Inert:
    """A renderable whose text is inert; rich's own colours and movements stay."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._inner, options):
            yield segment if segment.control else segment._replace(text=inert(segment.text))


class _InertHook(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Inert(renderable) for renderable in renderables]


def inert_console(file: TextIO | None = None, stderr: bool = False) -> Console:
    """A console that writes text as it is: square brackets style nothing, and control characters are spelled out."""
    console = Console(file=file, stderr=stderr, markup=False, emoji=False)
    console.push_render_hook(_InertHook())
    return console


def is_live(console: Console) -> bool:
    """Whether what is written can change in place: on a real terminal, whatever FORCE_COLOR says in a CI's log."""
    return console.file.isatty() and console.is_terminal and console.is_interactive and not console.is_dumb_terminal
