"""Tasks for the images: build, move, open a shell in one, test its packages."""

from __future__ import annotations

from pathlib import Path

from invoke import Context

from posebowl.cli.task import JSON, command
from posebowl.settings import helps, resolve

WHICH = helps("variant", "engine")
TRANSFER = {**WHICH, **helps("registry"), "json": JSON}


@command(
    help={
        **WHICH,
        "no_cache": "repeat every step",
        **helps("base_image", "ca_bundle"),
        "json": JSON,
    },
)
def build(
    _: Context,
    variant: str = "",
    engine: str = "",
    no_cache: bool = False,
    base_image: str = "",
    ca_bundle: str = "",
    json: bool = False,
) -> None:
    """Build the image of a variant from uv.lock."""
    from posebowl.cli import options
    from posebowl.images import builder as image_build

    settings = resolve.load(
        variant=variant, engine=engine, base_image=base_image, ca_bundle=ca_bundle
    )
    built = image_build.build(
        settings.variant,
        settings.image_engine,
        cache=settings.cache,
        no_cache=no_cache,
        base_image=settings.base_image or "",
        ca_bundle=settings.ca_bundle,
    )
    options.show(built, image_build.describe(built), as_json=json)


@command(help={**helps("engine", "mirror"), "json": JSON})
def base(_: Context, engine: str = "", mirror: str = "", json: bool = False) -> None:
    """Make the base image here, where no registry is."""
    from posebowl.cli import options
    from posebowl.images import builder as image_build, debian_base as image_base
    from posebowl.util.units import human_bytes

    settings = resolve.load(engine=engine, mirror=mirror)
    client = image_build.choose(settings.image_engine)
    made = image_base.make(client, mirror=settings.mirror or "")
    size = human_bytes(made.bytes)
    options.show(made, f"{made.name}: {size} in {made.seconds:.0f} s", as_json=json)


@command(help=TRANSFER)
def push(
    _: Context, variant: str = "", registry: str = "", engine: str = "", json: bool = False
) -> None:
    """Push an image to a registry, under the hash of its lock."""
    from posebowl.cli import options
    from posebowl.images import builder as image_build, registry as image_registry

    settings = resolve.load(variant=variant, engine=engine, registry=registry)
    place = image_registry.required(settings.registry)
    client = image_build.choose(settings.image_engine)
    moved = image_registry.push(client, settings.variant, place)
    options.show(moved, f"{moved.local} -> {moved.remote}", as_json=json)


@command(help=TRANSFER)
def pull(
    _: Context, variant: str = "", registry: str = "", engine: str = "", json: bool = False
) -> None:
    """Pull the image that was made from this uv.lock."""
    from posebowl.cli import options
    from posebowl.images import builder as image_build, registry as image_registry

    settings = resolve.load(variant=variant, engine=engine, registry=registry)
    place = image_registry.required(settings.registry)
    client = image_build.choose(settings.image_engine)
    moved = image_registry.pull(client, settings.variant, place)
    options.show(moved, f"{moved.remote} -> {moved.local}", as_json=json)


@command(
    help={
        **helps("variant", "engine", "data"),
        "zip": "a submission to unpack first",
        "command": "what to run instead of an interactive shell",
    }
)
def shell(
    _: Context,
    variant: str = "",
    engine: str = "",
    data: str = "",
    zip: str = "",  # noqa: A002
    command: str = "",
) -> int:
    """Open a shell where main.sh would run."""
    import tempfile

    from posebowl.data import folder as data_folder
    from posebowl.images import builder as image_build, shell as image_inside
    from posebowl.submission import open_archive

    settings = resolve.load(variant=variant, engine=engine, data=data)
    archive = Path(zip).expanduser() if zip else None
    if archive is not None:
        open_archive(archive).close()
    with tempfile.TemporaryDirectory() as scratch:
        folder = data_folder.find(settings.data, scratch=Path(scratch))
        return image_inside.shell(
            image_build.choose(settings.image_engine),
            settings.variant,
            images=folder.images,
            submission_format=folder.submission_format,
            archive=archive,
            command=command,
        )


@command(help={**WHICH, "select": "only tests with this in their names", "json": JSON})
def packages(
    _: Context, variant: str = "", engine: str = "", select: str = "", json: bool = False
) -> int:
    """Do something small with every package, inside the image."""
    from posebowl.cli import options
    from posebowl.images import builder as image_build, shell as image_inside

    settings = resolve.load(variant=variant, engine=engine)
    client = image_build.choose(settings.image_engine)
    found = image_inside.check_packages(client, settings.variant, select=select, to_stderr=json)
    if json:
        options.print_json(found)
    return found.exit_code
