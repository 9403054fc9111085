"""Tasks that look at the machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from posebowl.cli.options import Force, Json
from posebowl.cli.task import task
from posebowl.settings import Settings
from posebowl.util.options import Option
from posebowl.util.values import PATH


@task("doctor")
def diagnose(*, json: Json = False) -> int:
    """Report what this machine has and what to type next."""
    from posebowl import doctor
    from posebowl.cli import output
    from posebowl.cli.views import tables
    from posebowl.errors import UsageError
    from posebowl.settings import Found, resolve

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


@task("selftest", "engine", "variant", "runtime", "allow_cpu")
def selftest(
    settings: Settings,
    *,
    page: Annotated[Path | None, Option(PATH, "an HTML page of the result to write")] = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Run honest and hostile submissions; compare how each ends with how it must."""
    from posebowl.cli import output
    from posebowl.cli.views import selftest as shown
    from posebowl.doctor import TestWatcher, run_self_test, self_test_page
    from posebowl.util.files import refuse_existing, write_text

    if page:
        refuse_existing(page, force=force)
    done = run_self_test(settings, TestWatcher() if json else shown.watcher())
    if page:
        write_text(page, self_test_page(done))
    output.present(
        {**asdict(done), "passed": done.passed}, lambda _: shown.summary(done), as_json=json
    )
    return 0 if done.passed else 1


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
