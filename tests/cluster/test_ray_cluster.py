"""Clusters that are joined with a token, and those that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebowl.errors import UsageError
from tests.cluster.conftest import URI, Cluster, pack
from tests.cluster.namespaces import HEAD_PORT
from tests.hostile.programs import OK

pytestmark = [pytest.mark.cluster, pytest.mark.container]


def test_a_cluster_that_asks_for_no_token_is_refused_unless_it_is_allowed(
    cluster: Cluster,
) -> None:
    """Its address is one that other machines reach."""
    head = cluster.third
    pack(head.folder / "zips/a.zip", OK)
    head.start_ray("--head", f"--port={HEAD_PORT}", mode="disabled")
    words = (f"--address={head.address}:{HEAD_PORT}", f"--data={URI}")
    argv = cluster.argv(head.folder / "zips", head.folder / "out", *words, "--cpus=64")
    try:
        refused = head.run(*argv)
        allowed = head.run(*argv, "--allow-open")
    finally:
        head.leave()

    assert refused.returncode == UsageError.exit_code
    assert "asks for no token" in refused.stderr
    assert "--allow-open" in refused.stderr
    assert "No machine of the cluster has what one run needs" in allowed.stderr


@pytest.mark.parametrize("given", ["", "0" * 64])
def test_without_its_token_a_cluster_is_not_joined(
    cluster: Cluster, zips: Path, given: str
) -> None:
    pack(zips / "a.zip", OK)
    words = (f"--address={cluster.first.address}:{HEAD_PORT}", f"--data={URI}")

    done = cluster.evaluate(zips, *words, HOME=str(zips), RAY_AUTH_MODE="", RAY_AUTH_TOKEN=given)

    assert done.returncode == UsageError.exit_code
    assert "ray get-auth-token --generate" in done.stderr
