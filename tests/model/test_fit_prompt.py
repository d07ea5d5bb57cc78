import pytest
from doubles import ScriptedModel

from harness.core.interfaces import Sampling
from harness.model.fit_prompt import fit_prompt

SAMPLING = Sampling(max_tokens=10)


@pytest.mark.parametrize(("context", "parts"), [(1000, 20), (35, 20), (34, 19), (16, 1), (15, 0)])
async def test_the_most_parts_that_fit_are_kept(context, parts):
    # one part is 4 characters, so one token, after a frame of 5 tokens
    fitted = await fit_prompt(ScriptedModel([], context), SAMPLING, lambda n: "f" * 20 + "part" * n, 20)
    assert fitted is not None
    assert (fitted.parts, fitted.prompt) == (parts, "f" * 20 + "part" * parts)


async def test_nothing_fits_where_the_frame_does_not():
    assert await fit_prompt(ScriptedModel([], 14), SAMPLING, lambda n: "f" * 20 + "part" * n, 20) is None
