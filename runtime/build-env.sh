# Settings of the host, for one build step; sourced, never copied into an image.
#
# /run/secrets/ca is a bundle of certificates (a proxy that inspects TLS), /run/secrets/env
# a list of `export NAME='value'` (indexes, proxies), /run/secrets/apt a configuration of apt.
# Each may be missing or empty.
umask 002
# Nothing of a step's own is left in the layer.
trap 'rm -rf /tmp/*' EXIT
# Where the base image has no Python 3.11, uv brings one.
export UV_PYTHON_INSTALL_DIR=/opt/python UV_CACHE_DIR=/var/cache/uv
# Lock extracts (pylock.toml) are a preview of uv, whose version is pinned.
export UV_PREVIEW_FEATURES=pylock
if [ -s /run/secrets/env ]; then
    . /run/secrets/env
fi
if [ -s /run/secrets/ca ]; then
    export SSL_CERT_FILE=/run/secrets/ca
    export PIP_CERT=/run/secrets/ca REQUESTS_CA_BUNDLE=/run/secrets/ca CURL_CA_BUNDLE=/run/secrets/ca
    printf 'Acquire::https::CAInfo "/run/secrets/ca";\n' >/tmp/apt-ca.conf
fi
if [ -s /tmp/apt-ca.conf ] || [ -s /run/secrets/apt ]; then
    cat /tmp/apt-ca.conf /run/secrets/apt >/tmp/apt.conf 2>/dev/null || true
    export APT_CONFIG=/tmp/apt.conf
fi
