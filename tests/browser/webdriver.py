"""A headless Chromium, driven over the WebDriver protocol with the standard library alone."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import axe_core_python

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMEDRIVER: Final = shutil.which("chromedriver")

ESCAPE: Final = "\ue00c"
ARROW_RIGHT: Final = "\ue014"
ARROW_DOWN: Final = "\ue015"
END: Final = "\ue010"
ENTER: Final = "\ue007"
TAB: Final = "\ue004"

_AXE: Final = Path(axe_core_python.__file__).with_name("axe.min.js")
_ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"
_FLAGS: Final = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


@dataclass(frozen=True, kw_only=True)
class Browser:
    """A session of the browser."""

    url: str

    def open(self, path: Path) -> None:
        """Open a file from disk, with the records of earlier pages forgotten."""
        self._post("url", {"url": "about:blank"})
        for kind in ("browser", "performance"):
            self._post("se/log", {"type": kind})
        self._post("url", {"url": path.resolve().as_uri()})

    def run(self, script: str, *arguments: object) -> Any:
        """Run JavaScript in the page and return what it returns."""
        return self._post("execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script: str) -> bool:
        """Wait until a script returns something true; events such as `close` come a little late.

        The driver gives up after its own limit for scripts (30 s).
        """
        look = f"const look = () => (() => {{ {script} }})() ? done(true) : setTimeout(look, 10);"
        return bool(self.run(f"return new Promise((done) => {{ {look} look(); }});"))

    def click(self, selector: str) -> None:
        """Click in the middle of an element, as a mouse does."""
        self._post(f"element/{self._find(selector)}/click", {})

    def type(self, text: str) -> None:
        """Press the key of each character, at the focus."""
        for key in text:
            self.press(key)

    def accessibility(self) -> list[str]:
        """Return what axe-core finds wrong with the page, a line for each kind."""
        self.run(_AXE.read_text(encoding="utf-8"))
        return list(
            self.run(
                "return axe.run().then((found) => found.violations.map((one) =>"
                " `${one.id}: ${one.help}: ${one.nodes[0].html.slice(0, 200)}`))"
            )
        )

    def press(self, key: str) -> None:
        """Press and release a key, at the focus."""
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        action = {"type": "key", "id": "keyboard", "actions": keys}
        self._post("actions", {"actions": [action]})

    def media(self, *, scheme: str, width: int, height: int) -> None:
        """Set the colour scheme, and the size of the view in CSS pixels."""
        self._devtools(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self._devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write a PNG of what is in view, or of the whole page."""
        shot = self._devtools("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def printed(self) -> int:
        """Return how many pages the page has on paper."""
        pdf = base64.b64decode(self._devtools("Page.printToPDF")["data"])
        return len(re.findall(rb"/Type\s*/Page\b", pdf))

    def console(self) -> list[str]:
        """Return what was written to the console, including errors of the page's policy."""
        return [entry["message"] for entry in self._post("se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since `open`."""
        entries = self._post("se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def _find(self, selector: str) -> str:
        found = self._post("element", {"using": "css selector", "value": selector})
        return str(found[_ELEMENT])

    def _devtools(self, command: str, **params: object) -> Any:
        return self._post("goog/cdp/execute", {"cmd": command, "params": params})

    def _post(self, command: str, body: dict[str, Any]) -> Any:
        return _post(f"{self.url}/{command}", body)


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start Chromium with a fresh profile; it ends with the block.

    Args:
        profile: An empty folder.
    """
    flags = [*_FLAGS, f"--user-data-dir={profile}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")
    wanted = {
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": CHROMIUM, "args": flags},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
    with _driver() as address:
        session = _post(f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})
        running = Browser(url=f"{address}/session/{session['sessionId']}")
        try:
            yield running
        finally:
            _request(running.url, None, "DELETE")


@contextlib.contextmanager
def _driver() -> Iterator[str]:
    """Start chromedriver on a free port, which it prints in its first lines."""
    assert CHROMEDRIVER
    # Chromium may be killed before it has removed its temporary files: they go with this folder.
    with (
        tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as scratch,
        subprocess.Popen(
            [CHROMEDRIVER, "--port=0"],
            env={**os.environ, "TMPDIR": scratch},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout
            ports = (re.search(r"started successfully on port (\d+)", s) for s in process.stdout)
            port = next(match[1] for match in ports if match)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _post(url: str, body: dict[str, Any]) -> Any:
    return _request(url, json.dumps(body).encode(), "POST")


def _request(url: str, body: bytes | None, method: str) -> Any:
    request = urllib.request.Request(url, data=body, method=method)  # noqa: S310
    request.add_header("Content-Type", "application/json")
    # Never through a proxy: both ends are on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=120) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"]) from error
