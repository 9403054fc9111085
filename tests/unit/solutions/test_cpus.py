import os

import pytest

from posebowl.training import solution_modules

cpus = solution_modules.module("cpus")


def tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, None, id="no cgroup"),
        pytest.param({"sys/fs/cgroup/cpu.max": "max 100000\n"}, None, id="v2 without quota"),
        pytest.param({"sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3.0, id="v2 container root"),
        pytest.param({"sys/fs/cgroup/cpu.max": "50000\n"}, 0.5, id="v2 default period"),
        pytest.param({"sys/fs/cgroup/cpu.max": "nonsense\n"}, None, id="v2 unreadable"),
        pytest.param(
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "150000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
            },
            1.5,
            id="v2 quota of a parent",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "200000 100000\n",
            },
            2.0,
            id="v2 the tightest counts",
        ),
        pytest.param(
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            2.5,
            id="v1 container root",
        ),
        pytest.param(
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
            id="v1 without quota",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n",
                "sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us": "100000\n",
                "sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us": "50000\n",
            },
            2.0,
            id="v1 path of the host",
        ),
        pytest.param({"proc/self/cgroup": "0::/../../x\n"}, None, id="a path that leads outside"),
    ],
)
def test_quota(tmp_path, files, expected):
    assert cpus.quota(tree(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("affinity", "quota", "expected"),
    [(8, "300000 100000", 3), (2, "300000 100000", 2), (8, "150000 100000", 2), (8, "max", 8)],
)
def test_usable_takes_the_smaller_of_affinity_and_quota(
    tmp_path, monkeypatch, affinity, quota, expected
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)), raising=False)
    tree(tmp_path, {"sys/fs/cgroup/cpu.max": quota})
    assert cpus.usable(tmp_path) == expected


def test_usable_is_at_least_one(tmp_path):
    tree(tmp_path, {"sys/fs/cgroup/cpu.max": "1000 100000"})
    assert cpus.usable(tmp_path) == 1


def test_usable_here():
    assert 1 <= cpus.usable() <= (os.cpu_count() or 1)
