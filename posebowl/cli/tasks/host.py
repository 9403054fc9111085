"""Tasks that look at the machine."""

from __future__ import annotations

from dataclasses import asdict

from posebowl.cli.options import Json
from posebowl.cli.task import task


@task("doctor")
def diagnose(*, json: Json = False) -> int:
    """Report what this machine has and what to type next."""
    from posebowl import doctor
    from posebowl.cli import output
    from posebowl.cli.views import tables
    from posebowl.errors import UsageError
    from posebowl.settings import Found, Settings, resolve

    settings: Settings | None = None
    origins: tuple[Found, ...] | UsageError
    try:
        origins, settings = resolve.explain(), resolve.load()
    except UsageError as error:
        origins = error  # which the doctor reports
    found = doctor.examine(doctor.probes(settings, origins))
    if json:
        output.print_json({**asdict(found), "healthy": found.healthy})
    else:
        tables.diagnosis(found)
    return 0 if found.healthy else 1


@task("config")
def configuration(*, json: Json = False) -> None:
    """Print each setting's value and where it came from."""
    from posebowl.cli import output
    from posebowl.cli.views import tables
    from posebowl.settings import resolve

    found = resolve.explain()
    if json:
        output.print_json({item.setting.name: item.summary() for item in found})
    else:
        tables.configuration(found)
