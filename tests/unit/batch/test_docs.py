"""The YAML of docs/evaluate.md: whole, and true to what the page says of it."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest

from posebowl import paths

PAGE = (paths.ROOT / "docs/evaluate.md").read_text()


def block(first_words: str) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: uv sync --group docs")
    found = re.search(rf"```yaml\n(# {re.escape(first_words)}.*?)```", PAGE, re.DOTALL)
    assert found, first_words
    return dict(yaml.safe_load(found[1]))


def test_the_launcher_takes_its_file() -> None:
    config = block("cluster.yaml")

    assert config["provider"]["type"] == "local"
    assert len(config["provider"]["worker_ips"]) == config["max_workers"]
    util = pytest.importorskip("ray.autoscaler._private.util", reason="Ray is not installed")
    util.validate_config(util.prepare_config(config))


def test_the_pods_have_what_a_run_claims() -> None:
    spec = block("raycluster.yaml")["spec"]
    (workers,) = spec["workerGroupSpecs"]
    (container,) = workers["template"]["spec"]["containers"]

    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert int(workers["rayStartParams"]["num-cpus"]) == 3
    assert int(workers["rayStartParams"]["memory"]) == 4 << 30
    assert int(container["resources"]["limits"]["cpu"]) > 3
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in workers["template"]["spec"]["volumes"]}


def test_the_pods_have_the_ray_of_the_lock() -> None:
    lock = (paths.ROOT / "uv.lock").read_text()
    locked = re.search(r'name = "ray"\nversion = "([\d.]+)"', lock)

    assert locked
    assert block("raycluster.yaml")["spec"]["rayVersion"] == locked[1]
    try:
        assert version("ray") == locked[1]
    except PackageNotFoundError:
        pytest.skip("Ray is not installed: only the lock was looked at")
