"""The part of the loss that is about the best box."""

import math

import pytest

torch = pytest.importorskip("torch", reason="needs the cpu group: uv run --group cpu pytest")
pytest.importorskip("ultralytics", reason="needs the cpu group")

from posebowl.training import detector  # noqa: E402  (it needs what is asked above)
from posebowl.training.losses import BestBoxLoss, expected_iou_loss  # noqa: E402

BOXES = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60]])
TRUTH = torch.tensor([[0.0, 0, 10, 10]])


def loss_of(*scores, truth=TRUTH, owners=(0,)):
    logits = torch.tensor([scores], requires_grad=True)
    loss = expected_iou_loss(logits, BOXES[None], truth, torch.tensor(owners, dtype=torch.float32))
    loss.backward()
    return float(loss.detach()), logits.grad[0]


def test_it_is_the_logarithm_of_the_expected_iou():
    # Chances 1/2, 1/4, 1/4 of boxes whose IoU are 1, 1/2 and 0 (taken as 0.001).
    loss, _ = loss_of(math.log(2), 0.0, 0.0)
    assert loss == pytest.approx(-math.log(0.5 + 0.25 * 0.5 + 0.25 * 0.001), rel=1e-5)


def test_only_differences_between_scores_count():
    assert loss_of(1.0, 2.0, 3.0)[0] == pytest.approx(loss_of(-4.0, -3.0, -2.0)[0], rel=1e-5)


def test_better_boxes_gain_and_what_is_elsewhere_loses():
    _, gradient = loss_of(0.0, 0.0, 3.0)
    assert gradient[0] < gradient[1] < 0 < gradient[2]
    assert float(gradient.sum()) == pytest.approx(0, abs=1e-6)


def test_any_spacecraft_of_a_view_counts():
    both = torch.cat([TRUTH, BOXES[2:]])
    loss, _ = loss_of(0.0, -90.0, 0.0, truth=both, owners=(0, 0))
    assert loss == pytest.approx(0, abs=1e-5)


def test_views_without_a_spacecraft_do_not_count():
    scores = torch.tensor([[math.log(3), 0.0, -90.0], [5.0, 6.0, 7.0]], requires_grad=True)
    boxes = BOXES[None].expand(2, -1, -1)
    loss = expected_iou_loss(scores, boxes, TRUTH, torch.tensor([0.0]))
    assert float(loss.detach()) == pytest.approx(-math.log(0.75 + 0.25 / 2), rel=1e-5)
    loss.backward()
    assert scores.grad[1].tolist() == [0, 0, 0]
    nothing, gradient = loss_of(1.0, 2.0, 3.0, truth=torch.zeros(0, 4), owners=())
    assert (nothing, gradient.tolist()) == (0, [0, 0, 0])


def test_a_network_is_judged_by_its_own_boxes_in_pixels():
    """Its best box is labelled: the new part is small; elsewhere it is large."""
    torch.manual_seed(3)
    network = detector.build("yolo26n.yaml")
    view = torch.rand(1, 3, 64, 96)
    network.eval()
    with torch.no_grad():
        found = network(view)[1]
    loss = BestBoxLoss(network)
    strong = {**found, "scores": torch.full_like(found["scores"], -20.0)}
    strong["scores"][0, 0, 5] = 20.0
    x0, y0, x1, y1 = loss._boxes(strong)[0, 5].tolist()
    size = torch.tensor([96.0, 64, 96, 64])
    box = torch.tensor([[(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]]) / size
    labels = {"batch_idx": torch.zeros(1), "cls": torch.zeros(1, 1), "bboxes": box}
    total, parts = loss(strong, labels)
    assert list(parts) == ["box_loss", "cls_loss", "l1_loss", "best_loss"]
    assert total.shape == (4,)
    assert float(parts["best_loss"]) < 0.01
    away = {**labels, "bboxes": torch.tensor([[0.9, 0.9, 0.1, 0.1]])}
    assert float(loss(strong, away)[1]["best_loss"]) > 4
