#!/bin/sh
# On the virtual machine, as root: prepare both users, make the images, run the suites.
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
asked() { [ "${only:-$1}" = "$1" ]; }
status=0
# suite ENGINE FILE [as_user [NAME=VALUE ...]]
suite() {
    engine=$1 file=$2
    shift 2
    echo "== $engine${1:+ as user} $(uptime -p)"
    "${@:-env}" ENGINE="$engine" ONLY="$only" \
        python -m pytest -v --capture=tee-sys -p no:cacheprovider --durations=0 "tests/machines/$file.py" || status=1
}
if asked podman; then
    as_user podman import --quiet "$@" - posebowl-runtime:cpu </dev/vdc
    suite podman inside as_user
fi
if asked docker; then
    docker import "$@" /dev/vdc posebowl-runtime:cpu
    suite docker inside
fi
# Alone only: what the others take together, it takes once more.
if [ "$only" = rootless ]; then
    socket=DOCKER_HOST=unix:///run/user/1000/docker.sock
    # Its first start may fail where the host is busy: the journal has the reason.
    for _ in 1 2 3 4 5; do
        as_user systemctl --user start docker && break
        journalctl --quiet --no-pager --lines 20 _UID=1000
    done
    as_user "$socket" docker info --format 'Storage driver {{.Driver}}'
    as_user "$socket" docker import "$@" - posebowl-runtime:cpu </dev/vdc
    suite docker inside as_user "$socket"
fi
if asked embedded; then
    suite embedded inside as_user
    suite embedded inside
fi
if asked embedded || asked ubuntu; then
    suite embedded inside_as_root
fi
if [ "$only" = swap ]; then
    fallocate -l 1G /swap && chmod 600 /swap && mkswap /swap >/dev/null && swapon /swap
    docker import "$@" /dev/vdc posebowl-runtime:cpu
    suite docker inside_with_swap
    suite embedded inside_with_swap as_user
    suite embedded inside_with_swap
fi
echo "ENDS $status"
