"""By what an agent is called, and what may be chosen."""

import re

import pytest

from contactcentre.domain.devices import Device, Kind, NoSuchDevice, accounts, choose, device_of
from contactcentre.domain.site import Agent, Settings, Site, Trunk

CARRIER = {"carrier": Trunk(host="192.0.2.1")}
AGENTS = {
    "anna": Agent(),
    "ben": Agent(webrtc=True, endpoint="ben-desk", confirm="5"),
    "cleo": Agent(external="+33611223344"),
    "dora": Agent(external="+33611223345", device="phone", webrtc=True),
}
SITE = Site(agents=AGENTS, trunks=CARRIER, settings=Settings(country="FR", transfer_numbers=("+33",)))


@pytest.mark.parametrize(
    ("agent", "chosen", "device"),
    [
        ("anna", "", Device(Kind.PHONE, "anna")),
        ("ben", "", Device(Kind.PHONE, "ben-desk", key="5")),
        ("ben", "webrtc", Device(Kind.WEBRTC, "ben-web", key="5")),
        ("cleo", "", Device(Kind.EXTERNAL, "carrier", "+33611223344", "1")),
        ("cleo", "phone", Device(Kind.PHONE, "cleo")),
        ("dora", "", Device(Kind.PHONE, "dora")),
        ("dora", "external", Device(Kind.EXTERNAL, "carrier", "+33611223345", "1")),
        ("anna", "external:+33123456789", Device(Kind.EXTERNAL, "carrier", "+33123456789", "1")),
        ("anna", "webrtc", Device(Kind.PHONE, "anna")),  # chosen before the site changed
        ("anna", "external", Device(Kind.PHONE, "anna")),
        ("anna", "nonsense", Device(Kind.PHONE, "anna")),
        ("gone", "external", Device(Kind.PHONE, "gone")),
    ],
)
def test_the_choice_counts_and_what_the_site_does_not_allow_any_more_is_the_phone(
    agent: str, chosen: str, device: Device
) -> None:
    assert device_of(SITE, agent, chosen) == device


def test_a_pbx_calls_a_number_outside_through_the_trunk() -> None:
    assert device_of(SITE, "cleo", "").endpoint == "+33611223344@carrier"
    assert device_of(SITE, "anna", "").endpoint == "anna"


def test_a_site_without_a_trunk_calls_phones_only() -> None:
    assert device_of(SITE.model_copy(update={"trunks": {}}), "cleo", "").kind is Kind.PHONE


def test_softphones_have_accounts_of_their_own() -> None:
    assert accounts(SITE) == {
        "anna": "anna", "ben-desk": "ben", "cleo": "cleo", "dora": "dora", "ben-web": "ben", "dora-web": "dora",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("agent", "text", "kept"),
    [
        ("anna", "phone", "phone"),
        ("ben", "webrtc", "webrtc"),
        ("cleo", "external", "external"),
        ("anna", "external:0612345678", "external:+33612345678"),
        ("cleo", "external:0611223344", "external:+33611223344"),
    ],
)
def test_what_is_chosen_is_kept_as_one_text(agent: str, text: str, kept: str) -> None:
    assert choose(SITE, agent, text) == kept


@pytest.mark.parametrize(
    ("agent", "text", "why"),
    [
        ("anna", "webrtc", "anna has no softphone"),
        ("anna", "external", "anna has no number outside"),
        ("anna", "fax", "must be phone, webrtc, external or external:NUMBER"),
        ("anna", "phone:12", "must be phone, webrtc"),
        ("anna", "external:+44123456789012345", "no telephone number"),
        ("anna", "external:+442071838750", "none of settings.transfer_numbers (+33)"),
        ("anna", "external:${EXTEN}", "3 to 20 digits"),
        ("anna", "external:+336\n12345678", "3 to 20 digits"),
    ],
)
def test_what_cannot_be_called_is_refused_and_says_why(agent: str, text: str, why: str) -> None:
    with pytest.raises(NoSuchDevice, match=re.escape(why)):
        choose(SITE, agent, text)


def test_where_no_numbers_are_listed_only_the_provisioned_one_can_be_chosen() -> None:
    site = SITE.model_copy(update={"settings": Settings(country="FR")})
    assert choose(site, "cleo", "external:0611223344") == "external:+33611223344"
    with pytest.raises(NoSuchDevice, match="begins with none of"):
        choose(site, "cleo", "external:0611223399")


def test_a_national_number_needs_a_country() -> None:
    site = SITE.model_copy(update={"settings": Settings(transfer_numbers=("+33",))})
    with pytest.raises(NoSuchDevice, match="must begin with"):
        choose(site, "anna", "external:0612345678")
