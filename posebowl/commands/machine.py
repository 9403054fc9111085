"""Tasks that look at the machine."""

from __future__ import annotations

from dataclasses import asdict

from invoke import Context

from posebowl.command import JSON, command


@command(name="doctor", help={"json": JSON})
def diagnose(_: Context, json: bool = False) -> int:
    """Say what this machine has and what to type next."""
    from posebowl import cli, doctor, shown

    found = doctor.examine()
    if json:
        cli.print_json({**asdict(found), "healthy": found.healthy})
    else:
        shown.diagnosis(found)
    return 0 if found.healthy else 1


@command(name="config", help={"json": JSON})
def configuration(_: Context, json: bool = False) -> None:
    """Print each setting's value and where it came from."""
    from posebowl import cli, config, shown

    found = config.explain()
    if json:
        cli.print_json({item.setting.name: item.summary() for item in found})
    else:
        shown.configuration(found)
