"""Of all boxes, the best of each place: none that overlaps with a better one."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the train group: uv run --group cpu pytest")

from posebowl.training.detector import best_places  # noqa: E402


def test_places_are_the_best_boxes_that_hardly_overlap():
    boxes = torch.tensor(
        [
            [0, 0, 100, 100, 0.5],
            [5, 5, 100, 100, 0.9],  # the best, of the same place
            [500, 500, 540, 540, 0.3],
            [10, 10, 40, 40, 0.6],  # inside the best, but a tenth of it
            [502, 500, 540, 540, 0.2],
        ]
    )
    found = best_places(boxes[None], 3)
    assert found.shape == (1, 3, 5)
    assert torch.equal(found[0], boxes[[1, 3, 2]])


def test_each_photo_has_its_own_places():
    boxes = torch.rand(4, 50, 5)
    boxes[..., 2:4] += boxes[..., :2]
    together = best_places(boxes, 3)
    alone = torch.cat([best_places(one[None], 3) for one in boxes])
    assert torch.equal(together, alone)
    assert torch.equal(together[:, 0, 4], boxes[..., 4].amax(1))
