"""Chromium, as a reader uses it: pages without any script, real clicks and keys.

It is driven over its pipe: https://chromedevtools.github.io/devtools-protocol/.
"""

import contextlib
import itertools
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
LONGEST = 60.0
"""Seconds until a browser that hangs is ended."""


class Browser:
    """One tab. Elements are named by XPath. `said` are the messages of its console, `asked` the addresses
    that it asked for, after `watch`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.numbers, self.session = itertools.count(1), {}
        self.events: list[str] = []
        self.said: list[str] = []
        self.asked: set[str] = set()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = {"sessionId": attached["sessionId"]}
        self.call("Page.enable")
        self.call("Emulation.setScriptExecutionDisabled", value=True)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params, **self.session}
        self.process.stdin.write(json.dumps(message).encode() + b"\0")
        self.process.stdin.flush()
        while (answer := self._read()).get("id") != number:
            pass
        assert "error" not in answer, (method, params, answer["error"])
        return answer["result"]

    def watch(self) -> None:
        """Note messages and requests from now on."""
        for domain in ("Log", "Runtime", "Network", "Security", "Audits"):
            self.call(f"{domain}.enable")

    def wear(self, width: int, *, dark: bool) -> int:
        """Look at the page in a window of so many pixels; how wide the page is then."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        return int(self.call("Page.getLayoutMetrics")["cssContentSize"]["width"])

    def open(self, url: str) -> str:
        """The page of an address, as `page`."""
        with self.loading():
            assert "errorText" not in self.call("Page.navigate", url=url)
        return self.page

    def click(self, *paths: str) -> None:
        """Press the mouse on the middle of each, of a link of several lines on the first one."""
        for path in paths:
            node = {"nodeId": self._find(path)}
            self.call("DOM.scrollIntoViewIfNeeded", **node)
            corners = self.call("DOM.getContentQuads", **node)["quads"][0]
            where = {"x": sum(corners[::2]) / 4, "y": sum(corners[1::2]) / 4}
            for kind in ("mousePressed", "mouseReleased"):
                self.call(
                    "Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where
                )

    def type(self, path: str, text: str) -> None:
        self.click(path)
        self.call("Input.insertText", text=text)

    def press(self, text: str) -> str:
        """The page after the button with this text."""
        return self.follow(f"//button[normalize-space()='{text}']")

    def follow(self, path: str) -> str:
        """The page behind this link or button."""
        with self.loading():
            self.click(path)
        return self.page

    @property
    def page(self) -> str:
        """Its HTML, as the browser understood it."""
        return self.call("DOM.getOuterHTML", nodeId=self._find("/html"))["outerHTML"]

    def attribute(self, path: str, name: str) -> str:
        """As the page has it."""
        words = self.call("DOM.getAttributes", nodeId=self._find(path))["attributes"]
        return str(words[words.index(name) + 1])

    def _find(self, path: str) -> int:
        self.call("DOM.getDocument")
        found = self.call("DOM.performSearch", query=path)
        assert found["resultCount"] == 1, f"{found['resultCount']} of {path}"
        at = {"searchId": found["searchId"], "fromIndex": 0, "toIndex": 1}
        return self.call("DOM.getSearchResults", **at)["nodeIds"][0]

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """Until another page is loaded."""
        self.events.clear()
        yield
        while "Page.loadEventFired" not in self.events:
            self._read()

    def _read(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self.process.stdout.read(1)) != b"\0":
            assert byte, "the browser has ended"
            text += byte
        message = json.loads(text)
        event, told = message.get("method", ""), message.get("params", {})
        self.events.append(event)
        if event == "Network.requestWillBeSent":
            self.asked.add(told["request"]["url"])
        elif event in ("Log.entryAdded", "Runtime.consoleAPICalled", "Audits.issueAdded"):
            self.said.append(json.dumps(told))
        return message


@contextlib.contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A browser with a new profile in `folder`."""
    words = (str(CHROMIUM), *QUIET, "--remote-debugging-pipe", f"--user-data-dir={folder}")
    pipes = ("sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1', "sh")
    with subprocess.Popen(
        [*pipes, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        end = threading.Timer(LONGEST, process.kill)
        end.start()
        try:
            browser = Browser(process)
            yield browser
            browser.session = {}
            browser.call("Browser.close")
        finally:
            end.cancel()
            process.kill()
