"""What tests of tone mapping share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from few_steps import few_steps


@pytest.fixture(autouse=True)
def _few_steps() -> Iterator[None]:
    with few_steps():
        yield
