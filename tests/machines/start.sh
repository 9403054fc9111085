#!/bin/sh
# On the virtual machine, as root: prepare both users, make the images, run the suite as each.
# The last line is "ENDS CODE": tests/machines/machine.py waits for it.
set -u
export PATH="/opt/venv/bin:$PATH" POSEBOWL_CACHE=/var/cache/posebowl PYTHONDONTWRITEBYTECODE=1
cd /srv/posebowl || exit

# The environments are root's, and others use them as they are.
mine=/home/user/.cache/posebowl/environments
mkdir -p $mine
ln -s /var/cache/posebowl/environments/lean-* $mine/
chown -R user: /home/user
as_user() {
    setpriv --reuid 1000 --regid 1000 --init-groups env -i HOME=/home/user USER=user \
        XDG_RUNTIME_DIR=/run/user/1000 PATH="$PATH" PYTHONDONTWRITEBYTECODE=1 \
        HYPOTHESIS_STORAGE_DIRECTORY=/tmp/user "$@"
}

# The image differs from that of runtime/Dockerfile in its packages only.
python -m tests.machines.settings_of_image >/tmp/settings
set --
while read -r line; do
    set -- "$@" --change "$line"
done </tmp/settings
only=$(sed -n 's/.* only=\([a-z]*\).*/\1/p' /proc/cmdline)
if [ "${only:-docker}" = docker ]; then
    docker import "$@" /dev/vdc posebowl-runtime:cpu
fi
if [ "${only:-podman}" = podman ]; then
    as_user podman import --quiet "$@" - posebowl-runtime:cpu </dev/vdc
fi

set -- python -m pytest -v -p no:cacheprovider --durations=0
status=0
if [ "$only" != docker ]; then
    as_user "$@" tests/machines/inside.py -k "$only" || status=1
fi
if [ "${only:-embedded}" = embedded ]; then
    "$@" tests/machines/inside_as_root.py || status=1
fi
if [ "$only" != podman ]; then
    "$@" tests/machines/inside.py -k "$only" || status=1
fi
echo "ENDS $status"
