"""A real Chromium for tests. Playwright's loop and our gevent patches do not share a process, so the browser is driven
by this module run as a program (`python -m tests.web.chromium`), one line of JSON for each call. To start one takes
seconds, so it stays for the next page, which has cookies, storage and cache of its own.

    with Chromium() as page:
        page.goto("http://127.0.0.1:8800/login")
        page.fill("#name", "admin")
        page.evaluate("document.title")

Any method of Playwright's `Page` with JSON arguments and result can be called. It is not to be started where
`why_not()` says something.
"""

import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

PAGE_SECONDS = 40
"""For so long a page is waited for."""
FLAGS = [
    "--no-sandbox",
    "--headless=new",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

MICROPHONE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


RARELY = 0.001
"""Percent of packets: none is lost, in a test."""


class BrowserError(AssertionError):
    """Playwright refused a call, or what it waited for did not come."""


def executable() -> str:
    """Chromium's path, "" where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""


def why_not() -> str:
    """Why no browser can be started here; "" if one can."""
    if not executable():
        return "there is no chromium on PATH"
    import importlib.util

    return "" if importlib.util.find_spec("playwright") else "playwright is not installed"


class Chromium:
    """One page in a context of its own. `errors` are the messages that the page's console got as errors. `says`: a WAV
    file that its microphone hears over and over; the page may use it without asking anybody."""

    def __init__(self, says: Path | None = None, **context: Any) -> None:
        self._context = context
        self.killed = False
        self._flags = [*FLAGS, *MICROPHONE, f"--use-file-for-fake-audio-capture={says}"] if says else FLAGS

    def __enter__(self) -> Self:
        self._process = _idle.pop() if self._flags is FLAGS and _idle else _started(self._flags)
        self.open_page(self._context)
        return self

    def __exit__(self, *_: object) -> None:
        if self._flags is FLAGS:
            with contextlib.suppress(BrowserError):
                self.close_page()
                _idle.append(self._process)
                return
        _end(self._process)

    def __getattr__(self, method: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps([method, args, options]) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or '{"error": "the browser is gone"}')
            if "error" in answer:
                raise BrowserError(f"{method}{args}: {answer['error']}")
            return answer["value"]

        return call

    @property
    def errors(self) -> list[str]:
        return list(self.__getattr__("console_errors")())

    def loses_packets(self, percent: float) -> None:
        """From now on, of what WebRTC sends and is sent; requests and websockets are not concerned. Chromium does it
        only to connections that begin when it loses some already (say `RARELY`). Raises BrowserError where it is too
        old for that."""
        self.__getattr__("loses_packets")(percent)

    def freeze(self) -> None:
        """Stops all its processes, as a computer that sleeps: connections stay, nothing is sent or answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """As a crash. Only `__exit__` can follow."""
        self.killed = True
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        drivers = _children({self._process.pid})
        browsers, latest = set[int](), _children(drivers)
        while latest:
            browsers |= latest
            latest = _children(latest)
        for pid in browsers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def wait_for_text(self, selector: str, text: str) -> None:
        """Until the element's text holds this. Raises BrowserError after PAGE_SECONDS."""
        self.wait_for_function(
            "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)", arg=[selector, text]
        )


_idle: list[subprocess.Popen[str]] = []
"""Browsers without a page."""


def _children(parents: set[int]) -> set[int]:
    """Processes whose parents are these."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent in parents:
                found.add(int(stat.parent.name))
    return found


def _started(flags: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.web.chromium", executable(), json.dumps(flags)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # it outlives the test that starts it: nothing of that one's contact centre
        env={name: value for name, value in os.environ.items() if not name.startswith("CONTACTCENTRE_")},
    )


@atexit.register
def _end_idle() -> None:
    while _idle:
        _end(_idle.pop())


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


def drive(path: str, flags: list[str]) -> None:
    """Reads calls from stdin and answers them on stdout until stdin ends."""
    from playwright.sync_api import Error, sync_playwright

    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags, headless=True)
        for line in sys.stdin:
            method, args, options = json.loads(line)
            try:
                value: Any = None
                if method == "open_page":
                    errors.clear()
                    page, devtools = browser.new_context(**args[0]).new_page(), None
                    page.set_default_timeout(PAGE_SECONDS * 1000)
                    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
                    page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
                    page.on("pageerror", lambda error: errors.append(str(error)))
                elif method == "close_page":
                    page.context.close()
                elif method == "console_errors":
                    value = list(errors)
                elif method == "loses_packets":
                    devtools = devtools or page.context.new_cdp_session(page)
                    devtools.send("Network.enable")
                    devtools.send("Network.emulateNetworkConditionsByRule", _losing(*args))
                elif method == "set_offline":
                    page.context.set_offline(*args)
                else:
                    value = getattr(page, method)(*args, **options)
                text = json.dumps({"value": value if _is_json(value) else None})
            except Error as error:
                text = json.dumps({"error": error.message})
            print(text, flush=True)
        browser.close()


def _losing(percent: float) -> dict[str, Any]:
    unchanged = {"urlPattern": "", "offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    return {"offline": False, "matchedNetworkConditions": [{**unchanged, "packetLoss": percent}]}


def _is_json(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool, list, dict))


if __name__ == "__main__":
    drive(sys.argv[1], json.loads(sys.argv[2]))
