"""Headless Chromium over its debugging pipe: opens a file at a screen's size and says what the browser made of it."""

import base64
import fcntl
import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
# Chromium reads commands at descriptor 3 and answers at 4.
_LAUNCH = (
    "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 3); os.dup2(w, 4); os.execv(sys.argv[3], sys.argv[3:])"
)


@dataclass
class Page:
    """What happened while a page was opened: requests it made, complaints on the console."""

    browser: "Chromium"
    session: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, session=self.session, **parameters)

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])


class Chromium:
    """One browser process; `close` ends it."""

    def __init__(self, binary: str, profile: Path, timeout: float = 60.0) -> None:
        self.timeout = timeout
        self.pages: dict[str, Page] = {}
        self.loaded: set[str] = set()
        self.count = 0
        self.buffer = b""
        # Descriptors above 9 cannot collide with 3 and 4 in the child.
        inward, self.outgoing = _high_pipe()
        self.incoming, outward = _high_pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(inward), str(outward), binary, *_FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(inward, outward),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(inward)
        os.close(outward)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.incoming, selectors.EVENT_READ)

    def close(self) -> None:
        try:
            self.call("Browser.close")
            self.process.wait(self.timeout)
        finally:
            self.process.kill()
            self.process.wait()
            self.selector.close()
            os.close(self.outgoing)
            os.close(self.incoming)

    def open(self, path: Path, width: int, height: int = 844, dark: bool = False) -> Page:
        """Opens a file in a fresh tab as a screen of `width` x `height` CSS pixels shows it."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        self.loaded.discard(session)
        page.call("Page.navigate", url=path.as_uri())
        deadline = time.monotonic() + self.timeout
        # The empty page of a fresh tab has a load event too, which may come late.
        while not (session in self.loaded and page.evaluate("location.href") == path.as_uri()):
            self.loaded.discard(session)
            while session not in self.loaded:
                self._take(self._message(deadline))
        return page

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        self.count += 1
        command = {"id": self.count, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        _write_all(self.outgoing, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + self.timeout
        while True:
            message = self._message(deadline)
            if message.get("id") == command["id"]:
                assert "error" not in message, (method, message)
                return message["result"]
            self._take(message)

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            ready = self.selector.select(max(0.0, deadline - time.monotonic()))
            assert ready, f"Chromium said nothing for {self.timeout} s"
            chunk = os.read(self.incoming, 1 << 20)
            assert chunk, f"Chromium ended with {self.process.wait()}"
            self.buffer += chunk
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def _take(self, message: dict[str, Any]) -> None:
        page = self.pages.get(message.get("sessionId", ""))
        if page is None:
            return
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self.loaded.add(page.session)
        elif method == "Network.requestWillBeSent":
            page.requests.append(parameters["request"]["url"][:200])
        elif method == "Log.entryAdded":
            page.complaints.append(parameters["entry"]["text"])
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            page.complaints.append(json.dumps(parameters))


def _high_pipe() -> tuple[int, int]:
    ends = []
    for low in os.pipe():
        ends.append(fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(low)
    return ends[0], ends[1]


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
