"""What every test of the scene needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from headless import Application


@pytest.fixture
def application() -> Iterator[Application]:
    """A scene with nothing in it."""
    made = Application()
    yield made
    made.scene.Clear(True)
