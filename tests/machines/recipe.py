"""A virtual machine made of Debian's packages, and a small runtime image for its engines.

The machine has today's Linux as most users have it: systemd, control groups of version 2, Docker as
root and without, Podman without, and a user whose own systemd runs (`loginctl enable-linger`). It
needs no network: the environments of this checkout's lock are on its disk. Ubuntu's kernel is
beside Debian's, for the setting with which AppArmor forbids namespaces: Debian's kernel lacks it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl import paths

SUITE: Final = "bookworm"
MACHINE: Final = (
    *("linux-image-cloud-amd64", "systemd-sysv", "dbus-user-session", "libpam-systemd", "udev"),
    *("apparmor", "ca-certificates", "iproute2", "kmod", "login", "passwd", "procps", "util-linux"),
    *("docker.io", "fuse-overlayfs", "iptables", "podman", "crun", "rootlesskit", "runc"),
    *("slirp4netns", "uidmap", "containers-storage"),
    *("git", "python3", "python3-venv", "usr-is-merged"),
)
"""Debian 12 has Python 3.11, as this project needs it. Without `containers-storage` a user's Podman
may have no overlay: each run then copies its image."""
RUNTIME: Final = ("python3", "usr-is-merged")
"""Small: every engine reads all of the image once, which takes minutes where it is emulated."""
UBUNTU: Final = "noble"
FOCAL: Final = "focal"
"""An Ubuntu whose kernel does not account for swap."""
UBUNTU_KEYS: Final = "trixie"
"""A Debian that packages Ubuntu's keys."""
WITHOUT: Final = ("doc", "info", "locale", "man")
UNWANTED: Final = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer"),
    *("e2scrub_all.timer", "e2scrub_reap.service", "podman-auto-update.service"),
    *("podman-auto-update.timer", "podman-restart.service", "systemd-timesyncd.service"),
)
DISK_BYTES: Final = 6 << 30
"""Sparse: about 2.5 GB of it are taken."""

# Reads the checkout from the second disk, and talks to the host through the second serial port.
SERVICE: Final = """\
[Unit]
After=systemd-user-sessions.service systemd-logind.service user@1000.service docker.service
Wants=user@1000.service
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
StandardInput=null
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
Environment=HOME=/root
ExecStart=/bin/sh -c 'echo UP; mkdir /srv/posebowl && cd /srv/posebowl && tar -xf /dev/vdb \
&& exec sh tests/machines/start.sh'
[Install]
WantedBy=multi-user.target
"""
# Docker without root, started when the suite needs it.
ROOTLESS_DOCKER: Final = """\
[Service]
Type=notify
NotifyAccess=all
Delegate=yes
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/usr/share/docker.io/contrib/dockerd-rootless.sh
"""
ENVIRONMENTS: Final = """\
set -eu
export HOME=/tmp TMPDIR=/tmp UV_NO_CACHE=1 UV_PYTHON=/usr/bin/python3
cd /srv/lock
python3 -m venv /opt/uv
/opt/uv/bin/pip install --quiet --no-cache-dir uv
ln -s /opt/uv/bin/uv /usr/local/bin/uv
UV_PROJECT_ENVIRONMENT=/opt/venv uv sync --quiet --frozen
uv venv --quiet /opt/env
uv export --quiet --frozen --no-hashes --no-default-groups | grep ^polars >/tmp/quickstart.txt
uv pip install --quiet --python /opt/env --no-deps --requirements /tmp/quickstart.txt
/opt/venv/bin/python - <<'END'
from pathlib import Path
from posebowl import environments
environments.ensure("lean", Path("/var/cache/posebowl"))
END
rm -r /srv/lock
"""


@dataclass(frozen=True, kw_only=True)
class Image:
    """What a virtual machine is started from."""

    folder: Path

    @property
    def kernel(self) -> Path:
        """The kernel."""
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """What the kernel starts before the disk is there."""
        return self.folder / "initrd.img"

    @property
    def ubuntu(self) -> Path:
        """Ubuntu's kernel, which starts from the disk without anything before it."""
        return self.folder / "vmlinuz-ubuntu"

    @property
    def focal(self) -> Path:
        """The kernel of an older Ubuntu, which starts from the disk too."""
        return self.folder / "vmlinuz-focal"

    @property
    def disk(self) -> Path:
        """The first disk, with an ext4 file system."""
        return self.folder / "root.ext4"

    @property
    def runtime(self) -> Path:
        """A tar file: the root of the runtime image, without the tools of this checkout."""
        return self.folder / "runtime.tar"


def image(cache: Path) -> Image:
    """Return the image for this recipe and lock; make it first, as root, if there is none."""
    made_from = Path(__file__).read_bytes() + paths.LOCK.read_bytes()
    made = cache / hashlib.sha256(made_from).hexdigest()[:16]
    if not made.is_dir():
        part = made.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _make(Image(folder=part))
        part.rename(made)
    return Image(folder=made)


def _make(image: Image) -> None:
    machine, runtime = image.folder / "machine", image.folder / "runtime"
    _debian(machine, MACHINE)
    _environments(machine)
    _debian(runtime, RUNTIME)
    shutil.move(machine / "opt/env", runtime / "opt/env")
    _set_up_runtime(runtime)
    run("tar", "-C", runtime, "--numeric-owner", "-cf", image.runtime, ".")
    _set_up_machine(machine)
    for name, path in {"vmlinuz": image.kernel, "initrd.img": image.initrd}.items():
        shutil.copyfile(next((machine / "boot").glob(f"{name}-*")), path)
    _ubuntu_kernels(image, machine)
    with image.disk.open("wb") as disk:
        disk.truncate(DISK_BYTES)
    # Without a journal: nobody needs the disk after a crash.
    ext4 = ("-t", "ext4", "-O", "^has_journal", "-m", "0")
    run("mke2fs", "-q", *ext4, "-d", machine, image.disk)
    shutil.rmtree(machine)
    shutil.rmtree(runtime)


def _debian(root: Path, packages: tuple[str, ...]) -> None:
    """Install Debian in a folder."""
    without = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in WITHOUT]
    # With the folders of today from the start: the package that makes them needs all of Perl.
    merged = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
    words = ("mmdebstrap", "--quiet", "--variant=minbase", merged, *without)
    run(*words, f"--include={','.join(packages)}", SUITE, root)


def _ubuntu_kernels(image: Image, machine: Path) -> None:
    """Unpack Ubuntu's kernels, with Ubuntu's keys as Debian vouches for them."""
    keys, ubuntu, focal = (image.folder / name for name in ("keys", UBUNTU, FOCAL))
    extract = ("mmdebstrap", "--quiet", "--variant=extract")
    run(*extract, "--include=ubuntu-keyring", UBUNTU_KEYS, keys)
    ring = keys / "usr/share/keyrings/ubuntu-archive-keyring.gpg"
    run(*extract, f"--keyring={ring}", "--include=linux-image-virtual", UBUNTU, ubuntu)
    # For virtual machines, with what a disk needs built in.
    run(*extract, f"--keyring={ring}", "--include=linux-image-kvm", FOCAL, focal)
    for root, kernel in ((ubuntu, image.ubuntu), (focal, image.focal)):
        shutil.copyfile(next((root / "boot").glob("vmlinuz-*")), kernel)
    # Docker needs some modules.
    modules = next((focal / "lib/modules").iterdir())
    shutil.copytree(modules, machine / "lib/modules" / modules.name)
    run("chroot", machine, "depmod", modules.name)
    for root in (keys, ubuntu, focal):
        shutil.rmtree(root)


def _environments(root: Path) -> None:
    """Make the environments from the lock, inside, with the host's way to the packages."""
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    if bundle := os.environ.get("SSL_CERT_FILE"):
        target = root / bundle.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle, target)
    lock = root / "srv/lock"
    lock.mkdir()
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copyfile(paths.ROOT / name, lock / name)
    shutil.copytree(paths.ROOT / "posebowl", lock / "posebowl")
    # In a mount namespace of its own, so that nothing stays mounted whatever happens.
    mounted = 'mount -t proc proc "$1/proc" && exec chroot "$1" sh -c "$2"'
    run("unshare", "--mount", "sh", "-c", mounted, "sh", root, ENVIRONMENTS)


def _set_up_machine(root: Path) -> None:
    """Write the machine's settings, and make its user."""
    run("chroot", root, "useradd", "--uid", "1000", "--create-home", "--shell", "/bin/sh", "user")
    files = {
        "etc/hostname": "machine\n",
        "etc/hosts": "127.0.0.1 localhost machine\n",
        "etc/fstab": "/dev/vda / ext4 rw,noatime 0 0\n",
        "etc/subuid": "user:100000:65536\n",
        "etc/subgid": "user:100000:65536\n",
        "etc/systemd/system/suite.service": SERVICE,
        "etc/systemd/user/docker.service": ROOTLESS_DOCKER,
        "var/lib/systemd/linger/user": "",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text))
    units = root / "etc/systemd/system"
    for name in UNWANTED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    (units / "multi-user.target.wants/suite.service").symlink_to("../suite.service")


def _set_up_runtime(root: Path) -> None:
    """Make the user and folders that runtime/Dockerfile makes."""
    run("chroot", root, "useradd", "--uid", "1000", "--create-home", "--shell", "/bin/sh", "runner")
    inside = root / "code_execution"
    for name in ("submission", "workdir", "data/images"):
        (inside / name).mkdir(parents=True)
    (root / "opt/posebowl").mkdir()
    for path in (inside, inside / "submission", inside / "workdir", root / "home/runner"):
        os.chown(path, 1000, 1000)
        path.chmod(0o775)
    run("chown", "-R", "1000:1000", root / "opt/env")


def run(*words: str | Path) -> None:
    """Run a program of the recipe, politely: it takes minutes of processor time."""
    subprocess.run(["nice", "-n", "10", *map(str, words)], check=True)
