"""Tasks for the images: build, move, open a shell in one, test its packages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from posebowl.cli.options import ZIP_TO_UNPACK, Json
from posebowl.cli.task import task
from posebowl.settings import Settings
from posebowl.util.options import Option
from posebowl.util.values import DIGEST, EXISTING, TEXT, TRUTH, word


@task("build", "variant", "engine", "base_image", "ca_bundle")
def build(
    settings: Settings,
    *,
    no_cache: Annotated[bool, Option(TRUTH, "repeat every step")] = False,
    json: Json = False,
) -> None:
    """Build the image of a variant from uv.lock."""
    from posebowl.cli import output
    from posebowl.images import builder

    built = builder.build(
        settings.variant,
        settings.image_engine,
        cache=settings.cache,
        no_cache=no_cache,
        base_image=settings.base_image or "",
        ca_bundle=settings.ca_bundle,
    )
    output.present_text(built, builder.describe(built), as_json=json)


@task("base", "engine", "mirror")
def base(settings: Settings, *, json: Json = False) -> None:
    """Make the base image here, where there is no registry."""
    from posebowl.cli import output
    from posebowl.images import builder, debian_base
    from posebowl.util.units import human_bytes

    client = builder.choose(settings.image_engine)
    made = debian_base.make(client, cache=settings.cache, mirror=settings.mirror or "")
    text = f"{made.name}: {human_bytes(made.bytes)} in {made.seconds:.0f} s"
    output.present_text(made, text, as_json=json)


@task("push", "variant", "registry", "engine")
def push(
    settings: Settings,
    *,
    version: Annotated[str | None, Option(word("0.1.0"), "a version to push it under too")] = None,
    json: Json = False,
) -> None:
    """Push an image to a registry, under the hash of its lock."""
    from posebowl.cli import output
    from posebowl.images import builder, registry

    place = registry.required(settings.registry)
    client = builder.choose(settings.image_engine)
    moved = registry.push(client, settings.variant, place, version=version or "")
    text = f"{moved.local} -> {' and '.join((moved.remote, *moved.tags))} ({moved.digest})"
    output.present_text(moved, text, as_json=json)


@task("pull", "variant", "registry", "engine")
def pull(
    settings: Settings,
    *,
    digest: Annotated[
        str | None, Option(DIGEST, "what the image has to be, as `invoke push` showed it")
    ] = None,
    json: Json = False,
) -> None:
    """Pull the image that was made from this uv.lock."""
    from posebowl.cli import output
    from posebowl.images import builder, registry

    place = registry.required(settings.registry)
    client = builder.choose(settings.image_engine)
    moved = registry.pull(client, settings.variant, place, digest=digest or "")
    text = f"{moved.remote} -> {moved.local} ({moved.digest})"
    output.present_text(moved, text, as_json=json)


@task("shell", "variant", "engine", "data")
def shell(
    settings: Settings,
    *,
    zip: ZIP_TO_UNPACK = None,  # noqa: A002
    command: Annotated[str, Option(TEXT, "what to run instead of an interactive shell")] = "",
) -> int:
    """Open a shell where main.sh would run."""
    from posebowl.cli.inside import Visit
    from posebowl.submission import archive

    imports = frozenset() if zip is None else archive.inspect(zip).imports
    return Visit(settings=settings, archive=zip, imports=imports, command=command).make()


@task("packages", "variant", "engine")
def packages(
    settings: Settings,
    *,
    select: Annotated[str, Option(TEXT, "only tests with this in their names")] = "",
    changes_from: Annotated[
        Path | None,
        Option(EXISTING, "an older uv.lock: print what changed, sizes, licences, import times"),
    ] = None,
    json: Json = False,
) -> int:
    """Do something small with every package, inside the image."""
    from posebowl.cli import output
    from posebowl.environments import changes
    from posebowl.images import builder, package_report, package_tests

    changed = changes(changes_from) if changes_from else ()
    client = builder.choose(settings.image_engine)
    found = package_tests.check_packages(
        client, settings.variant, select=select, to_stderr=json or changes_from is not None
    )
    if changes_from:
        report = package_report.examine(client, settings.variant, found, changed)
        text = package_report.markdown(report)
        output.present(report, lambda _: output.print_document(text), as_json=json)
    elif json:
        output.print_json(found)
    return found.exit_code
