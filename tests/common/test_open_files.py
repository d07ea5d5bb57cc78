import resource

import pytest

from harness.common.open_files import WANTED, allow_open_files, open_files
from harness.model.connection import connect


@pytest.fixture
def _few():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("_few")
async def test_the_limit_is_raised_and_connections_stay_within_it():
    assert open_files() == 512
    async with connect("http://127.0.0.1:1/v1") as client:
        assert client.most == 256
    allow_open_files()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert open_files() == (WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard))
