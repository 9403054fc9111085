"""Print the settings of the machine's runtime image, for `import --change`, one a line.

They are those of runtime/Dockerfile, with the labels that a run asks for.
"""

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
ENV LANG=C.UTF-8
ENV HOME=/home/runner
ENV VIRTUAL_ENV=/opt/env
ENV PATH=/opt/env/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV PYTHONUNBUFFERED=1
LABEL {LOCK_LABEL}={lock_hash()}
LABEL {RECIPE_LABEL}={recipe_hash()}
LABEL {VARIANT_LABEL}={Variant.CPU}
USER runner
ENTRYPOINT ["/opt/posebowl/entrypoint.sh"]""")
