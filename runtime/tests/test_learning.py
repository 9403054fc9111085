"""Packages that learn from examples, torch apart."""

# ruff: noqa: PLC0415
# Imports are inside the tests, so that one broken package fails alone.
from __future__ import annotations

from pathlib import Path

import numpy as np

Points = tuple[np.ndarray, np.ndarray]


def test_fastai(separable: Points) -> None:
    import torch
    from fastai.losses import FocalLossFlat
    from fastai.vision.all import DataLoaders, Learner, accuracy
    from torch.utils.data import TensorDataset

    points, classes = map(torch.from_numpy, separable)
    data = DataLoaders.from_dsets(
        TensorDataset(points, classes), TensorDataset(points, classes), bs=50
    )
    learner = Learner(data, torch.nn.Linear(2, 2), FocalLossFlat(), metrics=accuracy, lr=0.5)
    with learner.no_bar(), learner.no_logging():
        learner.fit(5)
    assert float(learner.validate()[1]) > 0.9


def test_keras(separable: Points) -> None:
    import keras

    points, classes = separable
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.Adam(0.3), loss="binary_crossentropy")
    model.fit(points, classes, epochs=5, verbose=0)
    assert ((model.predict(points, verbose=0)[:, 0] > 0.5) == classes).mean() > 0.9


def test_lightgbm(separable: Points) -> None:
    import lightgbm

    points, classes = separable
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(points, classes)
    assert (model.predict(points) == classes).mean() > 0.9


def test_lightning(tmp_path: Path) -> None:
    import lightning
    import torch

    class Line(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
            return torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), 0.1)

    x = torch.linspace(-1, 1, 64)[:, None]
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, 3 * x), batch_size=16)
    model = Line()
    trainer = lightning.Trainer(
        max_epochs=30,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(model, data)
    assert abs(model.layer.weight.item() - 3) < 0.5


def test_scikit_learn(separable: Points) -> None:
    from sklearn.ensemble import RandomForestClassifier

    points, classes = separable
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(points, classes)
    assert model.score(points, classes) > 0.9


def test_tensorflow() -> None:
    import tensorflow as tf

    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x**2
    assert float(tape.gradient(y, x)) == 6
    image = tf.random.stateless_normal((1, 32, 32, 3), seed=(0, 0))
    assert tf.nn.conv2d(image, tf.ones((3, 3, 3, 4)), 2, "SAME").shape == (1, 16, 16, 4)


def test_xgboost(separable: Points) -> None:
    import xgboost

    points, classes = separable
    model = xgboost.XGBClassifier(n_estimators=5, device="cpu").fit(points, classes)
    assert (model.predict(points) == classes).mean() > 0.9
