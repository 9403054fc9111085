"""The training loss: ultralytics', and one part for what counts, the box with the highest score."""

from __future__ import annotations

from typing import Any, Final

import torch
from ultralytics.utils.loss import v8DetectionLoss
from ultralytics.utils.metrics import bbox_iou
from ultralytics.utils.ops import xywh2xyxy
from ultralytics.utils.tal import make_anchors

GAIN: Final = 1.0
"""Weight of the new part, among 7.5 for boxes and 0.5 for scores."""
_LEAST: Final = 1e-3
"""An IoU below it counts as this: there is no gradient from what no box covers."""


class BestBoxLoss(v8DetectionLoss):  # type: ignore[misc]  # ultralytics has no types
    """ultralytics' loss for boxes and scores, plus -log of the IoU that the best box may expect.

    Each photo has one spacecraft and gets one box, so what matters is the order of the scores
    of one view; ultralytics judges each score by itself. Here a softmax over the scores of a
    view gives each box a chance to be chosen, and the sum of chance times IoU is the expected
    IoU. The gradient goes to the scores alone.
    """

    def get_assigned_targets_and_loss(
        self, preds: dict[str, torch.Tensor], batch: dict[str, Any], **assign: Any
    ) -> tuple[Any, ...]:
        """Return what ultralytics returns, with the fourth part of the loss."""
        targets, loss, parts = super().get_assigned_targets_and_loss(preds, batch, **assign)
        best = GAIN * expected_iou_loss(
            preds["scores"][:, 0], self._boxes(preds), self._truth(preds, batch), batch["batch_idx"]
        )
        return targets, torch.cat([loss, best[None]]), {**parts, "best_loss": best.detach()}

    def _boxes(self, preds: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the predicted boxes, (views, boxes, 4), corners in pixels."""
        anchors, strides = make_anchors(preds["feats"], self.stride, 0.5)
        distances = preds["boxes"].detach().permute(0, 2, 1).contiguous()
        boxes: torch.Tensor = self.bbox_decode(anchors, distances) * strides
        return boxes

    def _truth(self, preds: dict[str, torch.Tensor], batch: dict[str, Any]) -> torch.Tensor:
        """Return the labelled boxes, (n, 4), corners in pixels."""
        height, width = (side * self.stride[0] for side in preds["feats"][0].shape[2:])
        truth: torch.Tensor = xywh2xyxy(batch["bboxes"])
        return truth * torch.stack([width, height, width, height])


def expected_iou_loss(
    scores: torch.Tensor, boxes: torch.Tensor, truth: torch.Tensor, owners: torch.Tensor
) -> torch.Tensor:
    """Return the mean over views of -log of the IoU that a softmax over the scores may expect.

    Args:
        scores: Logits, (views, boxes).
        boxes: Predicted corners, (views, boxes, 4).
        truth: Labelled corners, (n, 4); any of a view's counts.
        owners: The view of each of them, (n,).

    Returns:
        A scalar; 0 if nothing is labelled. Views without a label do not count.
    """
    if not len(owners):
        return scores.sum() * 0
    seen, place = owners.long().unique(return_inverse=True)
    overlap = bbox_iou(boxes[owners.long()], truth[:, None], xywh=False)[..., 0].float()
    quality = torch.zeros(len(seen), overlap.shape[1], device=overlap.device)
    quality.scatter_reduce_(0, place[:, None].expand_as(overlap), overlap, "amax")
    chances = scores[seen].float().log_softmax(1)
    return -torch.logsumexp(chances + quality.clamp(min=_LEAST).log(), 1).mean()
