import pytest

pytest.importorskip("onnx", reason="needs the cpu group: uv run --group cpu pytest")
pytest.importorskip("ultralytics", reason="needs the cpu group")

import numpy as np
import onnx
from onnx import numpy_helper

from posebowl import paths
from posebowl.errors import UsageError
from posebowl.training import export
from posebowl.training.average import average

SHIPPED = paths.SOLUTIONS / "benchmark" / "model.onnx"


def weights(content):
    graph = onnx.load_from_string(content).graph
    return {one.name: numpy_helper.to_array(one) for one in graph.initializer}


def changed(change):
    """Return the solution's file with other weights."""
    model = onnx.load(SHIPPED)
    for one in model.graph.initializer:
        values = numpy_helper.to_array(one)
        if values.dtype == np.float32:
            one.CopyFrom(numpy_helper.from_array(np.asarray(change(values), np.float32), one.name))
    return model.SerializeToString()


def test_all_weights_lie_halfway_and_whole_numbers_stay():
    before = weights(SHIPPED.read_bytes())
    after = weights(average(SHIPPED.read_bytes(), changed(lambda values: 3 * values)))
    assert before.keys() == after.keys()
    for name, values in before.items():
        # Biases of a single number are weights too: the score of one class has three of them.
        expected = 2 * values if values.dtype == np.float32 else values
        np.testing.assert_allclose(after[name], expected, rtol=1e-6, err_msg=name)


def test_the_average_is_exported_and_names_both(tmp_path):
    other, out = tmp_path / "other.onnx", tmp_path / "average.onnx"
    other.write_bytes(changed(lambda values: values + 1))
    export.main(export.ExportOptions(weights=SHIPPED, average=other, out=out))
    ours, theirs = (
        {entry.key: entry.value for entry in onnx.load(file).metadata_props}
        for file in (SHIPPED, out)
    )
    digest = theirs.pop("averaged_with_sha256")
    assert len(digest) == 64
    assert digest != ours.pop("averaged_with_sha256", "")  # if they are an average, too
    assert ours == theirs


@pytest.mark.parametrize("wrong", ["shape", "missing"])
def test_another_architecture_or_no_file_is_refused(wrong, tmp_path):
    other, out = tmp_path / "other.onnx", tmp_path / "average.onnx"
    if wrong == "shape":
        other.write_bytes(changed(lambda values: values[:1] if values.ndim == 4 else values))
    told = {"shape": "cannot be averaged", "missing": "does not exist"}[wrong]
    with pytest.raises(UsageError, match=told):
        export.main(export.ExportOptions(weights=SHIPPED, average=other, out=out))
    assert not out.exists()
