"""The demo's report in a real browser, wide and narrow, light and dark.

The browser is a headless Chromium, spoken to over its DevTools protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from airlock.sandbox.demo.record import DemoRun
from airlock.sandbox.demo.report import html

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RECORDED = Path(__file__).parents[1] / "fixtures" / "demo_run.json"

OVERFLOWING = """
[...document.querySelectorAll('body *')]
  .filter(e => !e.closest('.scroll, .diff, pre'))
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .filter(e => !e.closest('.skip'))
  .map(e => e.tagName + '.' + (e.className.baseVal ?? e.className))
"""

# Pairs of texts in the charts whose boxes touch.
OVERLAPPING = """
[...document.querySelectorAll('.grid')].flatMap(grid => {
  const texts = [...grid.querySelectorAll('.labels span, .ticks span, .y span, .caption')]
    .filter(e => e.getClientRects().length);
  const box = e => e.getBoundingClientRect();
  return texts.flatMap((a, i) => texts.slice(i + 1)
    .filter(b => box(a).left < box(b).right && box(b).left < box(a).right
              && box(a).top + 1 < box(b).bottom && box(b).top + 1 < box(a).bottom)
    .map(b => a.textContent + ' / ' + b.textContent));
})
"""

# Texts whose colour differs too little from what is behind them (WCAG 2.1, 1.4.3: 4.5 to 1).
FAINT = """
(() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  return [...document.querySelectorAll('body *')].filter(own).filter(e => {
    const both = [light(parse(getComputedStyle(e).color)), light(behind(e))];
    const [a, b] = both.sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) < 4.5;
  }).map(e => e.tagName + '.' + e.className + ': ' + e.textContent.slice(0, 30));
})()
"""

OPEN_ALL = "document.querySelectorAll('details').forEach(e => e.open = true)"


NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_FLAGS = (
    "--headless",
    "--no-sandbox",  # CI containers run as root.
    "--disable-gpu",
    "--disable-dev-shm-usage",  # Containers have 64 MB of it, and a tab that gets none crashes.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


def chromium() -> str | None:
    """Return the path of an installed browser."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One tab, and everything it complained about."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []
        self.requested: list[str] = []
        self._socket = socket
        self._ids = itertools.count(1)
        self._loaded: set[str] = set()

    async def open(self, url: str, *, width: int, dark: bool = False) -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Page.setLifecycleEventsEnabled", enabled=True)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        # By its loader, since the empty page before may be loaded late.
        loader = (await self.call("Page.navigate", url=url))["loaderId"]
        while loader not in self._loaded:
            self._note(await self._socket.receive_json())

    async def evaluate(self, expression: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        match message.get("method"):
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded":
                self.complaints.append(str(message["params"]))
            case "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
            case "Page.lifecycleEvent" if message["params"]["name"] == "load":
                self._loaded.add(message["params"]["loaderId"])


@contextlib.asynccontextmanager
async def page() -> AsyncIterator[Page]:
    """Yield an empty tab of a browser that ends with the context."""
    executable = chromium()
    assert executable
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            executable,
            *_FLAGS,
            f"--user-data-dir={profile}",
            "about:blank",
            stderr=asyncio.subprocess.PIPE,
            # Its helpers are children of its own: the group ends them all.
            start_new_session=True,
        )
        try:
            port = await _port(process)
            async with aiohttp.ClientSession() as session, _drained(process):
                # One that we ask for is there; the browser's own comes when it comes.
                async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as answer:
                    tab = await answer.json()
                url = tab["webSocketDebuggerUrl"]
                async with session.ws_connect(url, max_msg_size=0) as socket:
                    yield Page(socket)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@contextlib.asynccontextmanager
async def _drained(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """Read what the browser says: a full pipe would stop it."""
    assert process.stderr
    task = asyncio.create_task(process.stderr.read())
    try:
        yield
    finally:
        task.cancel()


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stderr
    async with asyncio.timeout(200):
        async for line in process.stderr:
            if b"DevTools listening on ws://" in line:
                return int(line.split(b":")[2].split(b"/")[0])
    raise AssertionError("The browser ended before it listened")


@pytest.mark.skipif(
    chromium() is None and os.environ.get("AIRLOCK_REQUIRE_BROWSER") != "1",
    reason="no browser here; AIRLOCK_REQUIRE_BROWSER=1 makes that an error",
)
@pytest.mark.parametrize(
    ("width", "dark"), [(1280, False), (1280, True), (840, False), (400, False)]
)
def test_the_report_is_whole_at_this_width(tmp_path: Path, width: int, dark: bool) -> None:  # noqa: FBT001 - pytest passes parameters by name
    run = msgspec.json.decode(RECORDED.read_bytes(), type=DemoRun)
    file = tmp_path / "report.html"
    file.write_text(html(run), encoding="utf-8")

    async def look() -> None:
        async with page() as tab:
            await tab.open(file.as_uri(), width=width, dark=dark)
            await tab.evaluate(OPEN_ALL)
            assert await tab.evaluate("innerWidth") == width
            assert await tab.evaluate("document.documentElement.scrollWidth") == width
            assert await tab.evaluate(OVERFLOWING) == []
            assert await tab.evaluate(OVERLAPPING) == []
            assert await tab.evaluate(FAINT) == []
            titles = await tab.evaluate(
                "[...document.querySelectorAll('h2')].map(e => e.innerText)"
            )
            assert len([title for title in titles if title[:1].isdigit()]) == len(run.scenes)
            assert tab.complaints == []
            assert tab.requested == [file.as_uri()]

    asyncio.run(look())
