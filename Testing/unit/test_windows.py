"""Windows cover what they should and blend without seams."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from CranialReconstructionLib.reconstruction.windows import blend, window_corners

SHAPE = (48, 56, 64)
edges = st.integers(8, 40)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.tuples(st.integers(0, n - 2), st.integers(1, n)) for n in SHAPE]),
    st.tuples(edges, edges, edges),
)
def test_windows_cover_the_region_and_stay_inside(
    region: tuple[tuple[int, int], ...], window: tuple[int, int, int]
) -> None:
    low = tuple(start for start, _ in region)
    high = tuple(min(n, start + max(1, length)) for (start, length), n in zip(region, SHAPE, strict=True))
    covered = np.zeros(SHAPE, bool)
    for corner in window_corners(low, high, window, SHAPE):  # type: ignore[arg-type]
        assert all(a >= 0 and a + edge <= n for a, edge, n in zip(corner, window, SHAPE, strict=True))
        covered[tuple(slice(a, a + edge) for a, edge in zip(corner, window, strict=True))] = True
    assert covered[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].all()


def test_agreeing_windows_blend_to_what_they_agree_on() -> None:
    truth = torch.rand(SHAPE)
    window = (16, 24, 32)
    corners = list(window_corners((0, 0, 0), SHAPE, window, SHAPE))
    assert len(corners) > 8

    def look(corner: tuple[int, int, int]) -> torch.Tensor:
        return truth[tuple(slice(a, a + edge) for a, edge in zip(corner, window, strict=True))]

    torch.testing.assert_close(blend(look, corners, window, SHAPE), truth, atol=1e-5, rtol=0)


def test_outside_of_all_windows_there_is_nothing() -> None:
    result = blend(lambda corner: torch.ones(8, 8, 8), [(0, 0, 0)], (8, 8, 8), SHAPE)
    assert float(result.sum()) == pytest.approx(512.0, rel=1e-4)
