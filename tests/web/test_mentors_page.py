"""Mentors assigned from the live page, in a real Chromium."""

from pathlib import Path

import pytest

from contactcentre.domain.coaching import Coaching
from contactcentre.live.coaches import Coaches
from contactcentre.web.app import WebServices
from tests.web.chromium import Chromium, why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]


def test_a_supervisor_assigns_a_mentor_sees_it_and_takes_it_back(
    web: WebServices, signed_in: Chromium, tmp_path: Path
) -> None:
    page = signed_in
    page.click("#mentors-open")
    page.wait_for_text("#mentors-none", "Nobody has a mentor.")
    page.click("#mentor-form button")
    page.wait_for_text("#mentors-problem", "Choose the agent first.")
    page.select_option("#mentor-agent", "anna")
    page.select_option("#mentor-who", "ben")
    page.select_option("#mentor-mode", "listen")
    page.check("#mentor-tell")
    page.click("#mentor-form button")
    page.wait_for_text("#mentors-done", "From now on Ben Okafor’s phone rings when Anna Fischer talks.")
    page.wait_for_text("#mentors-now", "Anna Fischer: Ben Okafor hears, with a beep")
    assert Coaches(web.live.redis).all() == {"anna": Coaching("ben", "listen", tell=True)}
    page.screenshot(path=str(tmp_path / "mentors.png"))

    page.select_option("#mentor-who", "anna")
    page.click("#mentor-form button")
    page.wait_for_text("#mentors-problem", "nobody is their own mentor")
    page.click("#mentors header button")
    page.click("#mentors-open")
    page.select_option("#mentor-agent", "anna")
    assert page.input_value("#mentor-who") == "ben", "the form begins with what is so"
    page.select_option("#mentor-who", "")
    page.click("#mentor-form button")
    page.wait_for_text("#mentors-done", "Nobody accompanies Anna Fischer any more.")
    page.wait_for_selector("#mentors-none", state="visible")
    assert Coaches(web.live.redis).all() == {}
    assert [error for error in page.errors if " 422 " not in error] == []  # that was the agent as own mentor
