import io

import numpy as np

from harness.packing.figure import draw
from harness.packing.metrics import distributions
from harness.packing.strategies import pack

PNG = b"\x89PNG"


def drawn(**lengths):
    file = io.BytesIO()
    draw(
        {name: distributions(pack(given, 8, "concat-then-split"), np.array(given)) for name, given in lengths.items()},
        file,
    )
    return file.getvalue()


def test_strategies_are_drawn_below_each_other():
    one, two = drawn(a=[3, 6, 2, 5]), drawn(a=[3, 6, 2, 5], b=[1] * 40)
    assert one.startswith(PNG)
    heights = [int.from_bytes(png[20:24], "big") for png in (one, two)]
    assert heights[1] > heights[0] + 100


def test_nothing_at_all_is_drawn_too():
    assert drawn(a=[], b=[0]).startswith(PNG)
