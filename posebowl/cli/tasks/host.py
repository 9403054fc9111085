"""Tasks that look at the machine."""

from __future__ import annotations

from dataclasses import asdict

from invoke import Context

from posebowl.cli.task import JSON, command


@command(name="doctor", help={"json": JSON})
def diagnose(_: Context, json: bool = False) -> int:
    """Say what this machine has and what to type next."""
    from posebowl import doctor
    from posebowl.cli import options
    from posebowl.cli.views import tables

    found = doctor.examine()
    if json:
        options.print_json({**asdict(found), "healthy": found.healthy})
    else:
        tables.diagnosis(found)
    return 0 if found.healthy else 1


@command(name="config", help={"json": JSON})
def configuration(_: Context, json: bool = False) -> None:
    """Print each setting's value and where it came from."""
    from posebowl.cli import options
    from posebowl.cli.views import tables
    from posebowl.settings import resolve

    found = resolve.explain()
    if json:
        options.print_json({item.setting.name: item.summary() for item in found})
    else:
        tables.configuration(found)
