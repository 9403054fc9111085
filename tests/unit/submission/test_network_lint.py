"""What a script would fetch from the network, or take from an environment."""

from __future__ import annotations

import pytest

from posebowl.submission.network_lint import conda_uses, network_uses


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("pip install torch", "pip install"),
        ("python -m pip install -r requirements.txt", "pip install"),
        ("ls; pip install \\\n  torch", "torch"),
        ("pip install --no-deps torch==2.1", "torch==2.1"),
        ("pip install -t lib -q 'numpy>=1'", "numpy>=1"),
        ("pip install x.whl timm", "timm"),
        ("pip install --no-deps -r requirements.txt", "list of packages"),
        ("pip install --no-deps ./folder", "./folder"),
        ("pip install .", "builds it"),
        ("pip install -e vendor/yolo", "builds it"),
        ("pip install --no-deps x-1.tar.gz", "builds it"),
        ("curl -O http://x", "curl"),
        ("cd x && wget http://x", "wget"),
        ("git   clone http://x", "git clone"),
        ("x=$(curl http://x)", "curl"),
        ("apt-get install x", "apt-get"),
    ],
)
def test_network(script: str, word: str):
    found = network_uses(f"\n{script}\n", "setup.sh")
    assert len(found) == 1
    assert found[0].startswith("setup.sh:2: `")
    assert word in found[0]


@pytest.mark.parametrize(
    "script",
    [
        "pip install --no-deps ./x.whl",
        "pip install ./x.whl",
        "pip install wheels/a-1-py3-none-any.whl wheels/b.whl --quiet",
        "pip install --no-deps wheels/*",
        "pip install --no-deps $WHEEL",
        "pip install --no-deps --no-build-isolation ./folder",
        "pip install x.whl > log.txt",
        "pip install --no-index --find-links wheels -r r.txt",
        "pip install \\\n  --no-deps \\\n  x.whl",
        "# pip install x; curl y",
        "echo 'curl x'",
        "echo curl",
        "git status",
    ],
)
def test_no_network(script: str):
    assert network_uses(script, "main.sh") == []


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("conda run -n x python main.py", "`conda run`"),
        ("set -e; conda  activate x", "`conda activate`"),
        (". activate x", "`. activate`"),
        ("source activate x", "`source activate`"),
    ],
)
def test_environments(script: str, word: str):
    (found,) = conda_uses(f"\n{script}\n", "main.sh")
    assert found.startswith(f"main.sh:2: {word}")


@pytest.mark.parametrize("script", ["# conda run x", "echo conda run", ". ./activate.sh", "conda"])
def test_no_environments(script: str):
    assert conda_uses(script, "main.sh") == []
