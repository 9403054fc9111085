import dataclasses

import pytest

pytest.importorskip("onnx", reason="needs the cpu group: uv run --group cpu pytest")
pytest.importorskip("onnxruntime.quantization", reason="needs the cpu group")
pytest.importorskip("ultralytics", reason="needs the cpu group")

from posebowl import paths
from posebowl.errors import UsageError
from posebowl.training import export, exported, quantize
from posebowl.training.dataset import read_labels
from posebowl.training.metrics import Accuracy, make_looks

SHIPPED = paths.SOLUTIONS / "benchmark" / "model.onnx"
FIRST, SECOND = (192, 256), (128, 160)
LOOKS = make_looks(FIRST, SECOND)
GOOD = Accuracy(first_look=0.7, both_looks=0.8, missed=0, placed=0.9)


@pytest.fixture(scope="module")
def int8():
    """Quantize the solution's network, on small inputs of few photos."""
    content = SHIPPED.read_bytes()
    images = export.find_images(paths.DEMO_DATA)[:12]
    return quantize.quantize(content, quantize.calibration_inputs(content, images, LOOKS))


def test_calibration_inputs_are_of_both_looks():
    images = export.find_images(paths.DEMO_DATA)[:2]
    shown = quantize.calibration_inputs(
        SHIPPED.read_bytes(), images, dataclasses.replace(LOOKS, glance=None)
    )
    assert [one.shape for one in shown[::2]] == [(1, *FIRST, 3)] * 2
    assert [one.shape for one in shown[1::2]] == [(1, *SECOND, 3)] * 2


def test_int8_is_small_and_finds_the_same(int8):
    assert len(int8) < len(SHIPPED.read_bytes()) / 1.7
    samples = read_labels(paths.DEMO_DATA)
    whole = dataclasses.replace(LOOKS, second=None)  # it was trained for whole photos alone
    loss = quantize.measure_loss(SHIPPED.read_bytes(), int8, samples, whole)
    assert loss.fp32.both_looks > 0.5
    assert abs(loss.lost) < 0.05


def test_int8_is_marked_and_is_not_quantized_again(int8, tmp_path):
    file = tmp_path / "int8.onnx"
    file.write_bytes(int8)
    with pytest.raises(UsageError, match="not an fp32 file"):
        exported.read_exported(file)
    assert exported.read_exported(SHIPPED) == SHIPPED.read_bytes()


@pytest.mark.parametrize(("lost", "refused"), [(-0.02, False), (0.0099, False), (0.0101, True)])
def test_the_solution_keeps_its_file_where_int8_loses_too_much(tmp_path, lost, refused):
    loss = quantize.AccuracyLoss(fp32=GOOD, int8=dataclasses.replace(GOOD, both_looks=0.8 - lost))
    own = tmp_path / "model.onnx"
    quantize.require_accuracy(
        loss, tmp_path / "other.onnx", own
    )  # elsewhere it may lie in any case
    if not refused:
        quantize.require_accuracy(loss, own, own)
        return
    with pytest.raises(quantize.AccuracyError, match=r"int8 loses 0\.010"):
        quantize.require_accuracy(loss, tmp_path / "x" / ".." / "model.onnx", own)


def test_export_refuses_a_network_that_int8_ruins(tmp_path, monkeypatch):
    own, before = tmp_path / "model.onnx", b"what was there"
    monkeypatch.setattr(export, "OWN_MODEL", own)
    good = export.quantize.measure_loss

    def ruined(fp32, int8, samples, looks):
        return dataclasses.replace(good(fp32, int8, samples, looks), fp32=GOOD, int8=BAD)

    monkeypatch.setattr(export.quantize, "measure_loss", ruined)
    monkeypatch.setattr(export.quantize, "CALIBRATED", 2)
    monkeypatch.setattr(export, "read_labels", lambda folder: read_labels(folder)[:1])
    options = export.ExportOptions(weights=SHIPPED, int8=True, force=True, out=own)
    refiner = tmp_path / "refiner.onnx"
    for out in (own, refiner):
        out.write_bytes(before)
        with pytest.raises(quantize.AccuracyError):
            export.main(dataclasses.replace(options, out=out))
        assert out.read_bytes() == before
    export.main(dataclasses.replace(options, out=tmp_path / "other.onnx"))
    notes = exported.metadata((tmp_path / "other.onnx").read_bytes())
    assert notes["precision"] == "int8"


BAD = dataclasses.replace(GOOD, both_looks=0.5)


def test_an_exported_file_is_not_exported_again_without_int8(tmp_path):
    with pytest.raises(UsageError, match="already exported"):
        export.main(export.ExportOptions(weights=SHIPPED, out=tmp_path / "x.onnx"))
