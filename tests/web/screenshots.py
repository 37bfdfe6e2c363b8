"""`make screenshots`: every page as docs/screenshots has it, in light and dark, of a contact centre that works.

`ONLY=live,desk` takes these pictures alone. Exit code 1 when a page reported an error, or was wider than its window.
"""

import base64
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gevent import monkey

monkey.patch_all()

from contactcentre.domain.agents import AgentState  # noqa: E402
from tests.pbx import spectrum  # noqa: E402
from tests.web.chromium import Chromium, why_not  # noqa: E402
from tests.web.conftest import PASSWORD  # noqa: E402
from tests.web.scenery import KNOWN, Scene, scene  # noqa: E402
from tests.web.serving import ROOT  # noqa: E402

PICTURES = ROOT / "docs" / "screenshots"
DESKTOP, PHONE, WALL = (1440, 900), (390, 844), (1920, 1080)
TALLEST = 1700
"""Pixels of a page that is longer than its window; what is below is left out."""
LARGEST, TOGETHER = 150 * 1024, 6_000_000
"""Bytes of one picture, and of all."""
AS_WEBP = """async ([png, quality]) => {
  const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext("2d").drawImage(picture, 0, 0);
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/webp", quality })).arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}"""


class Camera:
    """Takes pictures of pages; `wrong` is what was wrong with these."""

    def __init__(self, scratch: Path, only: frozenset[str]) -> None:
        self._scratch, self._only = scratch, only
        self.wrong: list[str] = []
        self.taken: dict[str, int] = {}

    def __enter__(self) -> "Camera":
        self._lab = Chromium().__enter__()  # a page without rules of its own turns PNG into WebP
        self._lab.goto("about:blank")
        return self

    def __exit__(self, *error: object) -> None:
        self._lab.__exit__(*error)

    def shoot(
        self, page: Chromium, name: str, size: tuple[int, int] = DESKTOP, *, whole: bool = True, ready: str = ""
    ) -> None:
        """In light and dark. `whole`: with what is below the window; `ready`: selector of what must be there."""
        if self._only and name not in self._only:
            return
        if ready:
            page.wait_for_selector(ready)
        width, height = size
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function("() => document.fonts.status === 'loaded'")
            page.wait_for_timeout(250)  # what moves comes to rest; charts are drawn anew
            tall = page.evaluate("document.documentElement.scrollHeight")
            clip = {"x": 0, "y": 0, "width": width, "height": min(max(height, tall), TALLEST) if whole else height}
            png = self._scratch / f"{name}-{scheme}.png"
            page.screenshot(path=str(png), full_page=whole, clip=clip)
            self._keep(png)
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            self.wrong.append(f"{name} is wider than {width} pixels")
        page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})

    def _keep(self, png: Path) -> None:
        for quality in (0.9, 0.8, 0.65, 0.5):
            text = self._lab.evaluate(AS_WEBP, [base64.b64encode(png.read_bytes()).decode(), quality])
            if len(data := base64.b64decode(text)) <= LARGEST:
                break
        else:
            self.wrong.append(f"{png.stem} has {len(data)} bytes")
        (PICTURES / f"{png.stem}.webp").write_bytes(data)
        self.taken[png.stem] = len(data)

    @contextmanager
    def page(self, here: Scene, who: str, says: Path | None = None) -> Iterator[Chromium]:
        """Where somebody has signed in."""
        width, height = DESKTOP
        with Chromium(
            says, viewport={"width": width, "height": height}, timezone_id="Europe/Paris", locale="en-GB"
        ) as page:
            page.goto(f"{here.url}/login")
            if who:
                page.fill("#name", who)
                page.fill("#password", PASSWORD)
                page.click("button.main")
                page.wait_for_selector("form.who")
            yield page
            self.wrong += [f"{who or 'nobody'}'s page: {error}" for error in page.errors]


def take(here: Scene, camera: Camera, scratch: Path) -> None:
    with camera.page(here, "") as page:
        camera.shoot(page, "login", whole=False)
    with camera.page(here, "ada") as page:
        _admin(here, camera, page)
    here.at_work()
    says = scratch / "alice.wav"
    spectrum.write_tone(says, 1150.0)
    with camera.page(here, "alice", says) as alice:
        _desk(here, camera, alice)
        here.calls_wait()
        with camera.page(here, "sue") as page:
            _live(here, camera, page)
            _history(here, camera, page)
        with camera.page(here, "wall") as page:
            page.goto(f"{here.url}/wallboard")
            camera.shoot(page, "wallboard", WALL, whole=False, ready="#wall li")


def _admin(here: Scene, camera: Camera, page: Chromium) -> None:
    plan = here.plan("queues", "sales", {"max_wait": 240, "wrap_up": 30, "requires": "sales >= 40"})
    for name, path, ready in (
        ("site", "/admin", ".tiles"),
        ("site-queues", "/admin/site/queues", "tbody tr"),
        ("site-agents", "/admin/site/agents", "tbody tr"),
        ("site-queue", "/admin/site/queues/support", "details"),
        ("site-flow", "/admin/site/flows/welcome", "svg"),
        ("site-plan", f"/admin/plans/{plan['id']}", ".diff"),
        ("site-yaml", "/admin/yaml", "textarea"),
        ("site-history", "/admin/history", "tbody tr"),
        ("prompts", "/admin/prompts", "tbody tr"),
        ("users", "/admin/users", "tbody tr"),
        ("user", "/admin/users/sue", "h1"),
        ("tokens", "/admin/tokens", "tbody tr"),
        ("webhooks", "/webhooks", "tbody tr"),
        ("webhook", "/webhooks/warehouse", "tbody tr"),
        ("audit", "/audit", "tbody tr"),
        ("account", "/me", "h1"),
        ("api", "/api/", ".opblock-tag"),
    ):
        page.goto(f"{here.url}{path}")
        camera.shoot(page, name, ready=ready)


def _desk(here: Scene, camera: Camera, page: Chromium) -> None:
    page.wait_for_text("#phone-state", "Ready")
    page.click("[data-step=login]")
    here.until_agent("alice", AgentState.AVAILABLE)
    page.wait_for_text("#me-state", "Free")
    camera.shoot(page, "desk-free")
    call = here.caller(KNOWN, "2", talk=None)
    page.wait_for_selector("#answer:not([hidden])")
    camera.shoot(page, "desk-rings")
    page.click("#answer")
    call.until("person", 60)
    page.fill("#answer-order", "A-1178-04")
    page.wait_for_text("#result-state", "Saved")
    page.evaluate("document.activeElement.blur()")
    camera.shoot(page, "desk")
    camera.shoot(page, "desk-phone", PHONE)


def _live(here: Scene, camera: Camera, page: Chromium) -> None:
    page.goto(here.url)
    page.wait_for_selector("#alerts:not([hidden]) li")
    camera.shoot(page, "live", ready="[data-agent=emma]")
    camera.shoot(page, "live-phone", PHONE)
    (talks, *_) = [one.contact_id for one in here.live.contacts().values() if one.agent == "bruno"]
    page.click(f"[data-call='{talks}']")
    camera.shoot(page, "live-call", whole=False, ready="#call[open]")
    page.press("body", "Escape")
    page.click("[data-lead=bruno]")
    camera.shoot(page, "live-agent", whole=False, ready="#agent[open] #agent-skills li")
    page.press("body", "Escape")
    page.click("#notices-open")
    camera.shoot(page, "live-messages", whole=False, ready="#notices[open] #notices-list li")
    page.press("body", "Escape")
    (waits, *_) = [one for one, waiting in here.live.waiting().items() if not waiting.offered]
    page.goto(f"{here.url}/contacts/{waits}")
    camera.shoot(page, "why", ready="#facts")


def _history(here: Scene, camera: Camera, page: Chromium) -> None:
    for name, path, ready in (
        ("charts", "/charts", "#rows tr"),
        ("contacts", "/contacts", "tbody tr"),
        ("customers", "/customers", "tbody tr"),
        ("customer", f"/customers/{KNOWN.replace('+', '%2B')}", "#name"),
        ("voicemail", "/voicemail", "tbody tr"),
        ("agent", "/agents/bruno", "#why"),
    ):
        page.goto(f"{here.url}{path}")
        camera.shoot(page, name, ready=ready, whole=name != "contacts")  # fifty rows are alike
    page.goto(f"{here.url}/contacts/{here.told}")
    page.click("[data-open]")
    page.wait_for_selector("[data-part=player]:not([hidden])")
    camera.shoot(page, "contact")


def main() -> int:
    if why := why_not():
        print(f"No pictures: {why}", file=sys.stderr)
        return 2
    only = frozenset(filter(None, os.environ.get("ONLY", "").split(",")))
    PICTURES.mkdir(exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cc-pictures-", dir="/tmp") as directory:
        scratch = Path(directory)
        scratch.chmod(0o755)
        state = scratch / "state"
        state.mkdir(mode=0o755)
        with scene(state) as here, Camera(scratch, only) as camera:
            take(here, camera, scratch)
    sizes = [path.stat().st_size for path in PICTURES.glob("*.webp")]
    if sum(sizes) > TOGETHER:
        camera.wrong.append(f"all pictures together have {sum(sizes)} bytes")
    for text in camera.wrong:
        print(f"WRONG  {text}")
    print(f"{len(camera.taken)} pictures in {time.monotonic() - began:.0f} s; {sum(sizes) / 1e6:.1f} MB in all")
    return 1 if camera.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
