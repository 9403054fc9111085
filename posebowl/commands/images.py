"""Tasks for the images: build, move, open a shell in one, test its packages."""

from __future__ import annotations

from pathlib import Path

from invoke import Context

from posebowl.command import JSON, command

VARIANT = "cpu or gpu"
ENGINE = "auto, docker or podman"
TRANSFER = {
    "variant": VARIANT,
    "registry": "host[:port][/path], or POSEBOWL_REGISTRY",
    "engine": ENGINE,
    "json": JSON,
}


@command(
    help={
        "variant": VARIANT,
        "engine": ENGINE,
        "no_cache": "repeat every step",
        "base_image": "what to start from (debian:bookworm-slim, or what `invoke base` made)",
        "ca_bundle": "certificates that the build trusts (SSL_CERT_FILE)",
        "json": JSON,
    },
)
def build(
    _: Context,
    variant: str = "cpu",
    engine: str = "auto",
    no_cache: bool = False,
    base_image: str = "",
    ca_bundle: str = "",
    json: bool = False,
) -> None:
    """Build the image of a variant from uv.lock."""
    from posebowl import cli
    from posebowl.challenge import Variant
    from posebowl.images import build as image_build

    built = image_build.build(
        cli.one_of(Variant, variant, "variant"),
        cli.engine(engine),
        no_cache=no_cache,
        base_image=base_image,
        ca_bundle=Path(ca_bundle).expanduser() if ca_bundle else None,
    )
    cli.show(built, image_build.describe(built), as_json=json)


@command(help={"engine": ENGINE, "mirror": "Debian mirror (that of this host)", "json": JSON})
def base(_: Context, engine: str = "auto", mirror: str = "", json: bool = False) -> None:
    """Make the base image here, where no registry is."""
    from posebowl import cli
    from posebowl.files import human_bytes
    from posebowl.images import base as image_base
    from posebowl.images import build as image_build

    made = image_base.make(image_build.choose(cli.engine(engine)), mirror=mirror)
    size = human_bytes(made.bytes)
    cli.show(made, f"{made.name}: {size} in {made.seconds:.0f} s", as_json=json)


@command(help=TRANSFER)
def push(
    _: Context, variant: str = "cpu", registry: str = "", engine: str = "auto", json: bool = False
) -> None:
    """Push an image to a registry, under the hash of its lock."""
    from posebowl import cli
    from posebowl.challenge import Variant
    from posebowl.images import build as image_build
    from posebowl.images import registry as image_registry

    kind, place = cli.one_of(Variant, variant, "variant"), image_registry.registry_of(registry)
    moved = image_registry.push(image_build.choose(cli.engine(engine)), kind, place)
    cli.show(moved, f"{moved.local} -> {moved.remote}", as_json=json)


@command(help=TRANSFER)
def pull(
    _: Context, variant: str = "cpu", registry: str = "", engine: str = "auto", json: bool = False
) -> None:
    """Pull the image that was made from this uv.lock."""
    from posebowl import cli
    from posebowl.challenge import Variant
    from posebowl.images import build as image_build
    from posebowl.images import registry as image_registry

    kind, place = cli.one_of(Variant, variant, "variant"), image_registry.registry_of(registry)
    moved = image_registry.pull(image_build.choose(cli.engine(engine)), kind, place)
    cli.show(moved, f"{moved.remote} -> {moved.local}", as_json=json)


@command(
    help={
        "variant": VARIANT,
        "engine": ENGINE,
        "data": "data folder (data/, or data/demo while that is empty)",
        "zip": "a submission to unpack first",
        "command": "what to run instead of an interactive shell",
    }
)
def shell(
    _: Context,
    variant: str = "cpu",
    engine: str = "auto",
    data: str = "",
    zip: str = "",  # noqa: A002
    command: str = "",
) -> int:
    """Open a shell where main.sh would run."""
    import tempfile

    from posebowl import cli
    from posebowl import data as data_folder
    from posebowl.challenge import Variant
    from posebowl.images import build as image_build
    from posebowl.images import inside as image_inside

    with tempfile.TemporaryDirectory() as scratch:
        folder = data_folder.find(Path(data) if data else None, scratch=Path(scratch))
        return image_inside.shell(
            image_build.choose(cli.engine(engine)),
            cli.one_of(Variant, variant, "variant"),
            images=folder.images,
            submission_format=folder.submission_format,
            archive=Path(zip) if zip else None,
            command=command,
        )


@command(help={"variant": VARIANT, "engine": ENGINE, "select": "only tests with this in it"})
def packages(_: Context, variant: str = "cpu", engine: str = "auto", select: str = "") -> int:
    """Do something small with every package, inside the image."""
    from posebowl import cli
    from posebowl.challenge import Variant
    from posebowl.images import build as image_build
    from posebowl.images import inside as image_inside

    words = ("-k", select) if select else ()
    kind = cli.one_of(Variant, variant, "variant")
    return image_inside.check_packages(image_build.choose(cli.engine(engine)), kind, words)
