import csv

import polars as pl
import pytest

from benchmarks import inference
from posebowl import paths


def test_stage_repeats_photos_under_other_names_without_copying_them(tmp_path):
    assert inference.stage(paths.DEMO_DATA, 30, tmp_path / "data") == 30
    labels = pl.read_csv(tmp_path / "data" / "train_labels.csv")
    known = pl.read_csv(paths.DEMO_DATA / "train_labels.csv")
    assert labels["image_id"].n_unique() == 30
    boxes = labels.drop("image_id").rows()
    assert boxes[:24] == known.drop("image_id").rows()
    assert boxes[24:] == boxes[:6]
    with (tmp_path / "data" / "submission_format.csv").open(newline="") as file:
        assert [row["image_id"] for row in csv.DictReader(file)] == labels["image_id"].to_list()
    for name, other in zip(labels["image_id"][24:], known["image_id"], strict=False):
        photo = tmp_path / "data" / "images" / f"{name}.png"
        assert photo.read_bytes() == (paths.DEMO_DATA / "images" / f"{other}.png").read_bytes()


def measured(name, images_per_s, inside_per_s=0.0, first_s=None, isa="avx2"):
    return inference.Measured(
        name=name,
        images=100,
        images_per_s=images_per_s,
        inside_per_s=inside_per_s,
        cpu_ms_per_image=1,
        first_s=first_s,
        peak_mib=200,
        mean_iou=None,
        isa=isa,
    )


def test_judge_takes_network_and_decoder_one_after_the_other():
    lines = list(
        inference.judge(
            [
                measured("reference", 10),
                measured("onnxruntime", 65, inside_per_s=72, first_s=0.5),
                measured("network", 100),
                measured("decode", 400),
            ]
        )
    )
    assert lines == [
        "against the reference: 6.5 times (goal 6)",
        "ceiling of network and decoder together: 80.0 photos/s",
        "share of it inside the loop: 0.90 (goal 0.9)",
        "start to the end of a run on one photo: 0.50 s (goal 1)",
        "peak memory: 200 MiB (goal 1024)",
    ]


@pytest.mark.parametrize("results", [[], [measured("onnxruntime", 65)]])
def test_judge_says_only_what_was_measured(results):
    assert list(inference.judge(results)) == []


def test_more_is_wanted_of_a_processor_with_amx():
    results = [measured("reference", 10, isa="amx"), measured("onnxruntime", 65, isa="amx")]
    assert list(inference.judge(results)) == ["against the reference: 6.5 times (goal 10)"]


def test_the_median_of_several_runs_counts(tmp_path):
    way = inference.Way(name="decode", part="decode", weights=tmp_path)
    used = [
        inference.Used(images=20, wall_s=wall, cpu_s=cpu, peak_mib=mib)
        for wall, cpu, mib in ((2, 1, 10), (9, 3, 40), (4, 2, 30))
    ]
    found = inference.summarize(way, [(one, None) for one in used], tmp_path, "avx2")
    assert (found.images_per_s, found.cpu_ms_per_image, found.peak_mib) == (5, 100, 40)


def test_without_a_container_the_parts_inherit_what_hides_instruction_sets(tmp_path):
    mask = inference.Processor(isa="avx2", model="A processor", preload=tmp_path / "mask.so")
    environment = inference.Limits(cpus=3, engine="none", processor=mask).environment()
    assert environment["LD_PRELOAD"] == str(tmp_path / "mask.so")
    assert environment["CPUID_HIDDEN"] == "dc230000,5f42,3c0010c,a00030"
