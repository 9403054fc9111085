"""Print the Dockerfile of the machine's runtime images, with the labels that a run asks for."""

from __future__ import annotations

from posebowl.challenge import Variant
from posebowl.engines.oci.image import (
    LOCK_LABEL,
    RECIPE_LABEL,
    VARIANT_LABEL,
    lock_hash,
    recipe_hash,
)

print(f"""\
FROM posebowl-machine
COPY entrypoint.sh unpack.py /opt/posebowl/
ENV LANG=C.UTF-8 HOME=/home/runner VIRTUAL_ENV=/opt/env PYTHONUNBUFFERED=1 \\
    PATH=/opt/env/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LABEL {LOCK_LABEL}={lock_hash()} {RECIPE_LABEL}={recipe_hash()} {VARIANT_LABEL}={Variant.CPU}
WORKDIR /code_execution
USER runner
ENTRYPOINT ["/opt/posebowl/entrypoint.sh"]""")
