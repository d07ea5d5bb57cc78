"""What a pull has moved so far, from the events that the Docker daemon sends of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

THERE = ("Already exists", "Pull complete")
BEGUN = ("Pulling fs layer", "Waiting", "Downloading")
DOWNLOADED = ("Verifying Checksum", "Download complete", "Extracting", *THERE)


@dataclass(frozen=True)
class Amount:
    """Layers and bytes of one image, or what came to them since the last event."""

    layers_done: int = 0
    layers: int = 0
    bytes_done: int = 0
    bytes: int = 0  # of those layers whose size is known by now

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(
            self.layers_done - other.layers_done,
            self.layers - other.layers,
            self.bytes_done - other.bytes_done,
            self.bytes - other.bytes,
        )


OnAmount = Callable[[Amount], None]


@dataclass
class _Layer:
    done: bool = False
    bytes_done: int = 0
    bytes: int = 0


@dataclass
class Transfer:
    """One image on its way, over all tries; nothing that was counted is ever taken back."""

    on_amount: OnAmount  # is called with what came to it
    amount: Amount = Amount()
    _layers: dict[str, _Layer] = field(default_factory=dict)

    def event(self, event: Mapping[str, Any]) -> None:
        """Take one event of the daemon in."""
        status, layer_id = str(event.get("status", "")), event.get("id")
        if layer_id is None or not (
            status.startswith(("Pulling fs", "Waiting", "Downloading")) or status in DOWNLOADED
        ):
            return
        layer = self._layers.setdefault(layer_id, _Layer())
        detail = event.get("progressDetail") or {}
        # the daemon leaves out steps of a small layer; both kinds of progress tell its size
        layer.bytes = max(layer.bytes, detail.get("total", 0))
        if status == "Downloading":
            layer.bytes_done = max(layer.bytes_done, min(detail.get("current", 0), layer.bytes))
        elif status in DOWNLOADED:
            layer.bytes_done = layer.bytes
        layer.done = layer.done or status in THERE
        self._tell()

    def _tell(self) -> None:
        layers = self._layers.values()
        before = self.amount
        self.amount = Amount(
            sum(layer.done for layer in layers),
            len(layers),
            sum(layer.bytes_done for layer in layers),
            sum(layer.bytes for layer in layers),
        )
        self.on_amount(self.amount - before)
