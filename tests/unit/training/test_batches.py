"""What a training step gets; needs torch and ultralytics: the cpu group."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the cpu group: uv run --group cpu pytest")
pytest.importorskip("cv2", reason="needs the cpu group")

from posebowl.training.augment import View
from posebowl.training.batches import collate


def test_collate():
    image = np.zeros((256, 320, 3), np.uint8)
    views = [
        View(image=image, boxes=np.array([[0.0, 0, 160, 128], [160, 128, 320, 256]])),
        View(image=image, boxes=np.zeros((0, 4))),
        View(image=image, boxes=np.array([[80.0, 64, 240, 192]])),
    ]
    batch = collate(views)
    assert batch["img"].shape == (3, 256, 320, 3)
    assert batch["batch_idx"].tolist() == [0, 0, 2]
    expected = [[0.25, 0.25, 0.5, 0.5], [0.75, 0.75, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]]
    assert batch["bboxes"].tolist() == expected
