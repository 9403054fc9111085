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
        cli.print_json(asdict(found))
    else:
        shown.diagnosis(found)
    return 0 if found.healthy else 1
