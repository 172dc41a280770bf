"""A mail server that tests can let fail."""

from collections.abc import Iterator

import pytest

from tests.mail.fault_server import FaultServer, running


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with running(FaultServer()) as server:
        yield server
