"""Images that this project did not make, on docker and podman; and a network that is waived."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from posebowl.challenge import EngineName, Limit, Variant
from posebowl.engines import Engine
from posebowl.engines.cases import OK
from posebowl.engines.embedded.engine import EmbeddedEngine
from posebowl.engines.oci import client as oci_client, image
from posebowl.engines.oci.engine import OciEngine
from posebowl.errors import EngineError, Verdict
from tests.container.heard import Heard, SpecMaker

pytestmark = pytest.mark.container

FOREIGN = """
FROM {base}
USER root
RUN rm -rf /opt/posebowl /code_execution && mkdir -p /opt/conda/envs {link}
ENTRYPOINT []
ENV PATH=/usr/local/bin:/usr/bin:/bin
"""
CONDA = "&& ln -s /opt/env /opt/conda/envs/condaenv"
INTERFACES = "cut -d: -f1 /proc/net/dev | tail -n +3 | tr -d ' ' | sort | tr '\\n' ' '\n"


@contextlib.contextmanager
def built(engine: OciEngine, folder: Path, link: str) -> Iterator[str]:
    """Build an image without anything of this project's; it goes with the block."""
    client = oci_client.connect(engine.name)
    name = f"foreign-{secrets.token_hex(4)}:latest"
    recipe = folder / "Dockerfile"
    recipe.write_text(FOREIGN.format(base=image.current(client, Variant.CPU).name, link=link))
    client.run("build", "--tag", name, "--file", str(recipe), str(folder))
    try:
        yield name
    finally:
        client.run("rmi", "--force", name, check=False)


def test_a_run_brings_what_the_image_lacks(
    oci: OciEngine, spec_of: SpecMaker, tmp_path: Path
) -> None:
    said = "command -v python; pwd; touch mine ../mine; echo kept > ../submission/kept\n"
    with built(oci, tmp_path, CONDA) as name:
        spec, heard = dataclasses.replace(spec_of(OK + said), image=name), Heard()
        engine = OciEngine(oci.name)
        engine.prepare(spec, heard.watcher())
        outcome = engine.execute(spec, heard.watcher())
    log = spec.log.read_text().splitlines()
    assert outcome.verdict(spec.limits) is Verdict.OK, log
    assert log == ["/opt/conda/envs/condaenv/bin/python", "/code_execution/workdir"]
    assert (spec.output / "kept").read_text() == "kept\n"
    assert outcome.environment["made_from_lock"] == "no"
    assert outcome.environment["lock"] == ""
    assert outcome.environment["image"] == name
    assert any(name in note for note in heard.notes)


def test_its_output_is_limited(oci: OciEngine, spec_of: SpecMaker, tmp_path: Path) -> None:
    fill = "while :; do head -c 20000000 /dev/zero >> ../big || exit 1; done"
    with built(oci, tmp_path, CONDA) as name:
        spec = dataclasses.replace(spec_of(OK + fill, output_bytes=100 << 20), image=name)
        engine = OciEngine(oci.name)
        outcome = engine.execute(spec, Heard().watcher())
    assert outcome.verdict(spec.limits) is Verdict.OUTPUT_LIMIT


def test_what_an_image_lacks_is_named(oci: OciEngine, spec_of: SpecMaker, tmp_path: Path) -> None:
    with built(oci, tmp_path, "") as name:
        spec = dataclasses.replace(spec_of(OK), image=name)
        with pytest.raises(EngineError, match=rf"The image {name} has no program python\.") as why:
            OciEngine(oci.name).execute(spec, Heard().watcher())
    assert "--image" in why.value.fix


def test_an_image_that_is_not_there(oci: OciEngine, spec_of: SpecMaker) -> None:
    spec = dataclasses.replace(spec_of(OK), image="nobody/made:this")
    with pytest.raises(EngineError, match="has no image nobody/made:this") as caught:
        OciEngine(oci.name).prepare(spec, Heard().watcher())
    assert caught.value.fix == f"Type: {oci.name} pull nobody/made:this"


def test_the_embedded_engine_has_no_images(spec_of: SpecMaker) -> None:
    spec = dataclasses.replace(spec_of(OK), image="nobody/made:this")
    with pytest.raises(EngineError, match="has no images"):
        EmbeddedEngine().prepare(spec, Heard().watcher())


@pytest.mark.parametrize("waived", [False, True])
def test_the_network_is_open_only_where_it_is_waived(
    engine: Engine, spec_of: SpecMaker, waived: bool
) -> None:
    with listening() as port:
        call = f"import socket; print(socket.create_connection(('127.0.0.1', {port}), 5).recv(9))"
        spec = spec_of(f'{OK}{INTERFACES}python -c "{call}" 2>/dev/null; true')
        if waived:
            spec = dataclasses.replace(spec, waived=frozenset({Limit.NETWORK}))
        engine.prepare(spec, Heard().watcher())
        outcome = engine.execute(spec, Heard().watcher())
    log = spec.log.read_text()
    assert outcome.verdict(spec.limits) is Verdict.OK, log
    interfaces = log.partition("b'")[0].split()
    assert (Limit.NETWORK in outcome.unenforced) == waived
    assert (interfaces == ["lo"]) == (not waived)
    # The embedded engine shares the machine's own network; the others make one beside it.
    assert ("hello" in log) == (waived and engine.name is EngineName.EMBEDDED)


@contextlib.contextmanager
def listening() -> Iterator[int]:
    """Greet whoever connects to a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=greet, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def greet(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            caller, _ = server.accept()
            with caller:
                caller.sendall(b"hello")
