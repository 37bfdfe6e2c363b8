import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from contactcentre.domain.agents import AgentState
from contactcentre.web import accounts
from tests.cli.test_up import processes_of
from tests.pbx import spectrum
from tests.plugins.lab import PBXS
from tests.plugins.speech import Spoken
from tests.system.browsers import SOCKETS, TONES, Browser, is_shut
from tests.system.centre import Centre, running
from tests.waiting import eventually
from tests.web.chromium import Chromium
from tests.web.conftest import PASSWORD


@pytest.fixture(scope="package", params=PBXS)
def shared_centre(request: pytest.FixtureRequest, spoken: Spoken) -> Iterator[Centre]:
    """One contact centre on each PBX for all system tests: lab, services, our four processes, six phones."""
    # short, and not below pytest's own directory, which the account that PostgreSQL runs as under root cannot enter
    with tempfile.TemporaryDirectory(prefix="cc-sys-", dir="/tmp") as directory:
        state = spoken(Path(directory))
        state.chmod(0o755)
        with running(state, request.param) as centre:
            yield centre
            killed = centre.here.supervisor.stop()
            assert killed == [], f"every process of ours ends when it is asked to\n{centre.log()[-5000:]}"
        eventually(lambda: not processes_of(state), lambda: f"left running: {processes_of(state)}")


@pytest.fixture
def centre(shared_centre: Centre) -> Iterator[Centre]:
    """Nobody is on duty and nobody has called; afterwards nothing is left of the test's calls."""
    shared_centre.begin()
    told = len(shared_centre.log())
    yield shared_centre
    for call in shared_centre.calls:
        if call.result is None:
            call.hang_up()
    problems = shared_centre.over().problems
    assert problems == ()
    assert "Traceback" not in shared_centre.log()[told:], shared_centre.log()[told:]


@pytest.fixture
def browser(centre: Centre, tmp_path: Path) -> Iterator[Browser]:
    """`browser("emma")`: where she has signed in, opened her page and begun work. At its end it has no errors, there
    is a picture of it, and her phone is given back."""
    opened: list[tuple[str, Chromium]] = []

    def open_page(name: str) -> Chromium:
        if centre.store.user_named(name) is None:
            centre.store.add_user(name, accounts.hash_password(PASSWORD), "agent")
            centre.store.change_user(name, agent=name)
        says = tmp_path / f"{name}.wav"
        spectrum.write_tone(says, TONES[name])
        page = Chromium(says, viewport={"width": 1440, "height": 900}).__enter__()
        opened.append((name, page))
        page.add_init_script(SOCKETS)
        page.goto(f"{centre.url}/login")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.click("button.main")
        page.wait_for_selector("#desk[data-stale=false]")
        page.evaluate("localStorage.devices = JSON.stringify({ clean: false })")  # steady tones count as noise
        page.reload()
        if len(opened) == len({name for name, _ in opened}):
            page.wait_for_text("#phone-state", "Ready")
            page.click("[data-step=login]")
            centre.until_agent(name, AgentState.AVAILABLE)
        return page

    yield open_page
    for number, (name, page) in enumerate(opened):
        try:
            if page.killed:
                continue
            page.screenshot(path=str(tmp_path / f"{name}-{number}.png"), full_page=True)
            assert [error for error in page.errors if " 409 " not in error] == [], name
            page.goto("about:blank")  # gives the phone back, as closing the window does
            if name not in [other for other, _ in opened[number + 1 :]]:
                eventually(partial(is_shut, centre, name), "the window's password is ended")
        finally:
            page.__exit__()
