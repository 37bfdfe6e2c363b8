"""Who is whose mentor: the site's word, what was assigned meanwhile, and what is none."""

from contactcentre.domain.coaching import Coaching, coached
from contactcentre.domain.site import Agent, Site

SITE = Site(
    agents={
        "anna": Agent(mentor="sue", mentor_mode="listen", mentor_told=True),
        "bert": Agent(),
        "sue": Agent(),
        "max": Agent(mentor="max"),
    }
)


def test_the_site_says_who_has_a_mentor_for_good() -> None:
    assert coached(SITE, {}) == {"anna": Coaching("sue", "listen", tell=True)}


def test_what_was_assigned_goes_before_the_site_also_where_it_says_nobody() -> None:
    assigned = {"anna": Coaching("bert"), "bert": Coaching("sue")}
    assert coached(SITE, assigned) == assigned
    assert coached(SITE, {"anna": Coaching("")}) == {}


def test_people_whom_the_site_does_not_know_and_oneself_are_no_mentors() -> None:
    assert coached(SITE, {"anna": Coaching("gone"), "bert": Coaching("bert"), "gone": Coaching("sue")}) == {}


def test_it_is_restored_as_it_was_saved() -> None:
    for one in (Coaching("sue"), Coaching("sue", "listen", tell=True), Coaching("")):
        assert Coaching.restore(one.save()) == one
    assert Coaching.restore({"mentor": "sue", "mode": "shout"}) == Coaching("sue")
