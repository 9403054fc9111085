"""One small real thing with every package that the images offer.

Imports are inside the tests, so that one broken package fails alone.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

RNG = np.random.default_rng(0)


def _separable(count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Make points of two classes with a gap between them."""
    points = RNG.normal(size=(count, 2)).astype(np.float32)
    classes = (points[:, 0] > 0).astype(np.int64)
    points[:, 0] += np.where(classes == 1, 3, -3)
    return points, classes


def test_albumentations() -> None:
    import albumentations

    flip = albumentations.Compose(
        [albumentations.HorizontalFlip(p=1)],
        bbox_params=albumentations.BboxParams(format="pascal_voc", label_fields=["kinds"]),
    )
    done = flip(image=np.zeros((100, 200, 3), np.uint8), bboxes=[(10, 20, 50, 60)], kinds=[0])
    assert tuple(map(round, done["bboxes"][0][:4])) == (150, 20, 190, 60)


def test_click() -> None:
    import click
    from click.testing import CliRunner

    @click.command()
    @click.option("--count", type=int)
    def double(count: int) -> None:
        click.echo(2 * count)

    assert CliRunner().invoke(double, ["--count", "21"]).output == "42\n"


def test_dill() -> None:
    import dill

    offset = 40
    assert dill.loads(dill.dumps(lambda x: x + offset))(2) == 42  # noqa: S301


def test_fastai() -> None:
    import torch
    from fastai.losses import FocalLossFlat
    from fastai.vision.all import DataLoaders, Learner, accuracy
    from torch.utils.data import TensorDataset

    points, classes = map(torch.from_numpy, _separable())
    data = DataLoaders.from_dsets(
        TensorDataset(points, classes), TensorDataset(points, classes), bs=50
    )
    learner = Learner(data, torch.nn.Linear(2, 2), FocalLossFlat(), metrics=accuracy, lr=0.5)
    with learner.no_bar(), learner.no_logging():
        learner.fit(5)
    assert float(learner.validate()[1]) > 0.9


def test_imageio(tmp_path: Path) -> None:
    import imageio.v3 as imageio

    image = RNG.integers(0, 255, (30, 40, 3), dtype=np.uint8)
    imageio.imwrite(tmp_path / "x.png", image)
    assert (imageio.imread(tmp_path / "x.png") == image).all()


def test_keras() -> None:
    import keras

    points, classes = _separable()
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.Adam(0.3), loss="binary_crossentropy")
    model.fit(points, classes, epochs=5, verbose=0)
    assert ((model.predict(points, verbose=0)[:, 0] > 0.5) == classes).mean() > 0.9


def test_lightgbm() -> None:
    import lightgbm

    points, classes = _separable()
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


def test_loguru() -> None:
    from loguru import logger

    lines: list[str] = []
    handler = logger.add(lines.append, format="{level} {message}")
    logger.info("image {} of {}", 1, 2)
    logger.remove(handler)
    assert lines == ["INFO image 1 of 2\n"]


def test_nncf(onnx_line: Path) -> None:
    import nncf
    import openvino

    model = openvino.Core().read_model(onnx_line)
    model.reshape([4, 3])
    small = nncf.compress_weights(model)
    result = openvino.compile_model(small, "CPU")(np.ones((4, 3), np.float32))
    assert np.allclose(result[0], 3)


def test_numba() -> None:
    import numba

    @numba.njit(parallel=True)
    def total(values: np.ndarray) -> float:
        result = 0.0
        for i in numba.prange(len(values)):
            result += values[i]
        return result

    assert total(np.arange(1000.0)) == 499_500


def test_onnx_and_onnxruntime(onnx_line: Path, variant: str) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_line, providers=["CPUExecutionProvider"])
    assert np.allclose(session.run(None, {"x": np.ones((2, 3), np.float32)})[0], 3)
    offers = onnxruntime.get_available_providers()
    assert ("CUDAExecutionProvider" in offers) == (variant == "gpu")


def test_onnxslim(onnx_line: Path) -> None:
    import onnx
    import onnxslim

    slim = onnxslim.slim(onnx.load(onnx_line))
    assert "Identity" not in {node.op_type for node in slim.graph.node}


def test_opencv() -> None:
    import cv2

    image = np.zeros((100, 200), np.uint8)
    cv2.rectangle(image, (30, 40), (60, 70), 255, -1)
    contours, _ = cv2.findContours(image, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    assert cv2.boundingRect(contours[0]) == (30, 40, 31, 31)


def test_openvino(onnx_line: Path) -> None:
    import openvino

    model = openvino.compile_model(onnx_line, "CPU")
    assert np.allclose(model(np.ones((2, 3), np.float32))[0], 3)


def test_pandas_polars_and_pyarrow(tmp_path: Path) -> None:
    import pandas as pd
    import polars as pl

    frame = pl.DataFrame({"image_id": ["a", "b"], "xmin": [1, 2]})
    frame.write_parquet(tmp_path / "x.parquet")
    back = pd.read_parquet(tmp_path / "x.parquet", engine="pyarrow")
    assert back.to_dict("list") == {"image_id": ["a", "b"], "xmin": [1, 2]}
    assert pl.from_pandas(back).equals(frame)
    assert frame.to_arrow().num_rows == 2


def test_pillow(tmp_path: Path) -> None:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (64, 48))
    ImageDraw.Draw(image).rectangle((10, 20, 29, 39), fill="white")
    image.save(tmp_path / "x.png")
    assert Image.open(tmp_path / "x.png").getbbox() == (10, 20, 30, 40)


def test_pip_installs_a_bundled_wheel(tmp_path: Path) -> None:
    import zipfile

    wheel = tmp_path / "posebowl_probe-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "posebowl_probe-1.dist-info"
        archive.writestr("posebowl_probe.py", "ANSWER = 42\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: posebowl-probe\nVersion: 1\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "-q", wheel], check=True
    )
    code = "import posebowl_probe; print(posebowl_probe.ANSWER)"
    argv = [sys.executable, "-c", code]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "42\n"
    subprocess.run(
        [sys.executable, "-m", "pip", "uninstall", "-q", "-y", "posebowl-probe"], check=True
    )


def test_pydantic() -> None:
    import pydantic

    class Box(pydantic.BaseModel):
        xmin: int
        xmax: pydantic.PositiveInt

    assert Box.model_validate_json('{"xmin": 1, "xmax": "2"}').xmax == 2
    with pytest.raises(pydantic.ValidationError):
        Box(xmin=0, xmax=-1)


def test_pywuffs() -> None:
    import cv2
    from pywuffs import ImageDecoderType, PixelFormat
    from pywuffs.aux import ImageDecoder, ImageDecoderConfig

    photo = RNG.integers(0, 256, (40, 60, 3), np.uint8)
    config = ImageDecoderConfig()
    config.enabled_decoders = [ImageDecoderType.PNG]
    config.pixel_format = PixelFormat.BGR
    done = ImageDecoder(config).decode(cv2.imencode(".png", photo)[1].tobytes())
    np.testing.assert_array_equal(done.pixbuf, photo)


def test_pyyaml() -> None:
    import yaml

    assert yaml.safe_load("model: {size: n, classes: [craft]}")["model"]["classes"] == ["craft"]


def test_scikit_image() -> None:
    from skimage import measure

    image = np.zeros((50, 50), int)
    image[10:20, 15:40] = 1
    assert measure.regionprops(measure.label(image))[0].bbox == (10, 15, 20, 40)


def test_scikit_learn() -> None:
    from sklearn.ensemble import RandomForestClassifier

    points, classes = _separable()
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(points, classes)
    assert model.score(points, classes) > 0.9


def test_scipy() -> None:
    from scipy import ndimage, optimize

    assert optimize.brentq(lambda x: x**2 - 2, 0, 2) == pytest.approx(2**0.5)
    assert ndimage.label(np.eye(3))[1] == 3


def test_statsmodels() -> None:
    import statsmodels.api as sm

    x = np.linspace(0, 1, 50)
    fit = sm.OLS(1 + 2 * x, sm.add_constant(x)).fit()
    assert fit.params == pytest.approx([1, 2])


def test_tensorflow() -> None:
    import tensorflow as tf

    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x**2
    assert float(tape.gradient(y, x)) == 6
    image = tf.random.stateless_normal((1, 32, 32, 3), seed=(0, 0))
    assert tf.nn.conv2d(image, tf.ones((3, 3, 3, 4)), 2, "SAME").shape == (1, 16, 16, 4)


def test_torch_trains() -> None:
    import torch

    points, classes = map(torch.from_numpy, _separable())
    model = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(points), classes).backward()
        optimizer.step()
    assert (model(points).argmax(1) == classes).float().mean() > 0.9


def test_torch_calculates() -> None:
    import torch

    matrix = torch.eye(4) * 3
    assert torch.linalg.svd(matrix).S.tolist() == [3, 3, 3, 3]
    assert torch.linalg.inv(matrix)[0, 0] == pytest.approx(1 / 3)
    assert torch.fft.fft(torch.ones(8))[0] == 8
    assert torch.sparse.mm(matrix.to_sparse(), torch.ones(4, 1)).sum() == 12
    assert torch.nn.functional.scaled_dot_product_attention(*[torch.ones(1, 2, 4)] * 3).sum() == 8
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.nn.Conv2d(3, 4, 3)(torch.ones(1, 3, 8, 8)).shape == (1, 4, 6, 6)


def test_torch_compiles() -> None:
    import torch

    compiled = torch.compile(lambda x: (x * 2 + 1).relu().sum())
    assert compiled(torch.ones(100)) == 300


def test_torch_answers_questions_about_gpus(variant: str) -> None:
    """Every question that a script may ask before it decides for a device."""
    import torch

    has_gpu = variant == "gpu" and torch.cuda.device_count() > 0
    assert torch.cuda.is_available() == has_gpu
    assert torch.cuda.device_count() == 0 or has_gpu
    assert torch.backends.cudnn.is_available() in {True, False}
    assert torch.backends.cudnn.version() is None or torch.backends.cudnn.version() > 0
    assert torch.backends.mps.is_available() is False
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    if not has_gpu:
        with pytest.raises((RuntimeError, AssertionError)):
            torch.ones(1).to("cuda")
        with pytest.raises((RuntimeError, AssertionError)):
            torch.ones(1, device="cuda:0")
    environment = subprocess.run(
        [sys.executable, "-m", "torch.utils.collect_env"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "PyTorch version" in environment.stdout


def test_torch_loads_with_workers() -> None:
    import torch

    data = torch.utils.data.TensorDataset(torch.arange(64).float())
    loader = torch.utils.data.DataLoader(data, batch_size=8, num_workers=2)
    assert sum(float(batch.sum()) for (batch,) in loader) == 2016


def test_torchvision() -> None:
    import torch
    import torchvision

    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]])
    kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)
    assert kept.tolist() == [0, 2]
    model = torchvision.models.mobilenet_v3_small(weights=None).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)


def test_tqdm() -> None:
    import io

    import tqdm

    stream = io.StringIO()
    assert list(tqdm.tqdm(range(3), file=stream)) == [0, 1, 2]
    assert "3/3" in stream.getvalue()


def test_ultralytics_predicts_and_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the network's description, as there is no internet to take weights from."""
    import onnxruntime
    from ultralytics import YOLO

    monkeypatch.chdir(tmp_path)
    model = YOLO("yolo11n.yaml", verbose=False)
    image = RNG.integers(0, 255, (1024, 1280, 3), dtype=np.uint8)
    result = model.predict(image, imgsz=320, device="cpu", verbose=False)[0]
    assert result.orig_shape == (1024, 1280)
    model.save(tmp_path / "n.pt")
    exported = YOLO(tmp_path / "n.pt").export(
        format="onnx", imgsz=320, device="cpu", simplify=True, verbose=False
    )
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    out = session.run(None, {"images": np.zeros((1, 3, 320, 320), np.float32)})[0]
    assert out.shape[:2] == (1, 84)


def test_xgboost() -> None:
    import xgboost

    points, classes = _separable()
    model = xgboost.XGBClassifier(n_estimators=5, device="cpu").fit(points, classes)
    assert (model.predict(points) == classes).mean() > 0.9


def test_the_cpu_image_holds_no_cuda_libraries(variant: str) -> None:
    spec = importlib.util.find_spec("nvidia")
    places = [] if spec is None else list(spec.submodule_search_locations or [])
    size = sum(f.stat().st_size for p in places for f in Path(p).rglob("*.so*") if f.is_file())
    if variant == "cpu":
        assert size < 100 << 20
        assert importlib.util.find_spec("triton") is None
    else:
        assert size > 1 << 30


@pytest.mark.parametrize(
    "name", ["pip", "g++", "cmake", "curl", "wget", "zip", "unzip", "parallel"]
)
def test_programs_are_there(name: str) -> None:
    path = shutil.which(name)
    assert path is not None
    assert subprocess.run(
        [path, "--version" if name not in {"zip", "unzip"} else "-v"],
        capture_output=True,
        check=True,
    ).stdout


def test_time_zones_are_there() -> None:
    import zoneinfo

    assert zoneinfo.ZoneInfo("Europe/Paris").key == "Europe/Paris"
