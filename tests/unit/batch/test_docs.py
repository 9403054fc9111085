"""The files for Ray that docs/evaluate.md names: whole, and true to what the page says of them."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest

from posebowl import paths
from posebowl.batch import core_pinning

FILES = paths.RUNTIME / "ray"
PAGE = (paths.ROOT / "docs/evaluate.md").read_text()


def documents(name: str) -> dict[str, dict[str, Any]]:
    """Return the YAML documents of a file by their kind."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: uv sync --group docs")
    assert f"runtime/ray/{name}" in PAGE
    found = list(yaml.safe_load_all((FILES / name).read_text()))
    return {document.get("kind", ""): document for document in found}


def test_the_launcher_takes_its_file() -> None:
    config = documents("cluster.yaml")[""]

    assert config["provider"]["type"] == "local"
    assert len(config["provider"]["worker_ips"]) == config["max_workers"]
    util = pytest.importorskip("ray.autoscaler._private.util", reason="Ray is not installed")
    util.validate_config(util.prepare_config(config))


def cluster() -> dict[str, Any]:
    return dict(documents("raycluster.yaml")["RayCluster"]["spec"])


def test_the_pods_have_what_a_run_claims() -> None:
    spec = cluster()
    (workers,) = spec["workerGroupSpecs"]
    (container,) = workers["template"]["spec"]["containers"]

    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert int(workers["rayStartParams"]["num-cpus"]) == 3
    assert int(workers["rayStartParams"]["memory"]) == 4 << 30
    assert int(container["resources"]["limits"]["cpu"]) > 3
    # Whole cores, requested as they are limited: else the CPU manager does not give them away.
    assert container["resources"]["limits"] == container["resources"]["requests"]
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in workers["template"]["spec"]["volumes"]}


def test_the_pods_of_runs_have_no_more_rights_than_they_need() -> None:
    found = documents("raycluster.yaml")
    (workers,) = cluster()["workerGroupSpecs"]
    pod = workers["template"]["spec"]
    (container,) = pod["containers"]
    rights = container["securityContext"]

    assert cluster()["authOptions"] == {"mode": "token"}
    assert not rights.get("privileged")
    assert rights["capabilities"]["drop"] == ["ALL"]
    assert not {"SYS_PTRACE", "SYS_MODULE", "SYS_RAWIO", "ALL"} & set(rights["capabilities"]["add"])
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == found["ServiceAccount"]["metadata"]["name"]
    (taint,) = pod["tolerations"]
    assert {taint["key"]: taint["value"]} == pod["nodeSelector"]
    assert f"{taint['key']}={taint['value']}:{taint['effect']}" in PAGE
    only = found["NetworkPolicy"]["spec"]
    assert only["ingress"][0]["from"] == [{"podSelector": only["podSelector"]}]


def test_results_and_locks_outlive_a_pod() -> None:
    found = documents("raycluster.yaml")
    (workers,) = cluster()["workerGroupSpecs"]
    head = cluster()["headGroupSpec"]["template"]["spec"]
    (results,) = head["volumes"]
    locks = {one["name"]: one for one in workers["template"]["spec"]["volumes"]}["cores"]

    claim = found["PersistentVolumeClaim"]["metadata"]["name"]
    assert results["persistentVolumeClaim"]["claimName"] == claim
    assert locks["hostPath"]["path"] == str(core_pinning.SHARED)


def test_the_pods_have_the_ray_of_the_lock() -> None:
    lock = (paths.ROOT / "uv.lock").read_text()
    locked = re.search(r'name = "ray"\nversion = "([\d.]+)"', lock)

    assert locked
    assert cluster()["rayVersion"] == locked[1]
    try:
        assert version("ray") == locked[1]
    except PackageNotFoundError:
        pytest.skip("Ray is not installed: only the lock was looked at")
