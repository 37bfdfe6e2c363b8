"""The rules that span the objects of a site."""

from typing import Any

import pytest

from contactcentre.domain.site import Site
from contactcentre.provision import SiteError, check, parse
from contactcentre.provision.fallback import members
from contactcentre.provision.uses import fallback_queue, users_of
from tests.provision.sites import document


def problems(**changes: Any) -> list[tuple[str, str]]:
    return [(problem.where, problem.rule) for problem in check(Site.model_validate(document(**changes)))]


def test_a_good_site_has_no_problem() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("path", "value", "where", "rule"),
    [
        ("agents__support", {}, "agents.support", "duplicate"),
        ("queues__support__keys", {"1": "voicemail:suport"}, "queues.support.keys.1", "unknown-box"),
        ("queues__support__disposition_required", True, "queues.support.disposition_required", "missing"),
        (
            "queues__support__dispositions",
            {"again": {"callback": True}},
            "queues.support.dispositions.again.callback",
            "order",
        ),
        ("queues__support__script", {"a": {"kind": "choice"}}, "queues.support.script.a.choices", "missing"),
        ("queues__support__script", {"a": {"choices": ["x"]}}, "queues.support.script.a.choices", "order"),
        (
            "queues__support__script",
            {"a": {"kind": "choice", "choices": ["x", "x"]}},
            "queues.support.script.a.choices.1",
            "duplicate",
        ),
        ("queues__support__screen_pop", "http://crm.example.com/", "queues.support.screen_pop", "form"),
        ("settings__outbound_trunk", "nope", "settings.outbound_trunk", "unknown-trunk"),
        ("settings__transfer_numbers", ["06", "+999"], "settings.transfer_numbers.1", "number"),
        ("settings__pause_reasons", ["break", "break"], "settings.pause_reasons.1", "duplicate"),
        ("trunks__t", {"host": "h", "registration": True}, "trunks.t.username", "missing"),
        ("trunks__t", {"host": "h", "codecs": []}, "trunks.t.codecs", "missing"),
        ("trunks__t", {"host": "127.0.0.2"}, "trunks.t.host", "duplicate"),
        ("trunks__t", {"host": "h", "match": ["10.0.0.0/33"]}, "trunks.t.match.0", "form"),
        ("trunks__alice", {"host": "h"}, "agents.alice", "duplicate"),
        ("trunks__system", {"host": "h"}, "trunks.system", "reserved"),
        ("agents__carol", {"endpoint": "transport-udp"}, "agents.carol.endpoint", "reserved"),
        ("agents__carol", {"endpoint": "ALICE"}, "agents.carol.endpoint", "duplicate"),
        ("dids__100", {"flow": "nope"}, "dids.100.flow", "unknown-flow"),
        ("dids__100", {"flow": "main", "trunk": "nope"}, "dids.100.trunk", "unknown-trunk"),
        ("dids__100", {"flow": "main", "fallback_queue": "nope"}, "dids.100.fallback_queue", "unknown-queue"),
        ("dids__33155500001", {"flow": "main"}, "dids.33155500001", "duplicate"),
        ("dids__0033155500001", {"flow": "main"}, "dids.0033155500001", "duplicate"),
        ("dids__0155500001", {"flow": "main"}, "dids.0155500001", "duplicate"),
        ("skills__not", "", "skills.not", "reserved"),
        ("queues__support__agents", ["alice", "alice"], "queues.support.agents.1", "duplicate"),
        ("queues__support__relax", [{"after": 5, "agents": ["bob"]}], "queues.support.relax.0.agents", "order"),
        ("queues__sales__relax", [{"after": 5}], "queues.sales.relax.0", "missing"),
        ("queues__sales__relax", [{"after": 5, "agents": ["zoe"]}], "queues.sales.relax.0.agents.0", "unknown-agent"),
        ("queues__sales__relax", [{"after": 5, "agents": ["bob"]}], "queues.sales.relax.0.agents.0", "duplicate"),
        ("queues__support__join_empty", "paused,strict", "queues.support.join_empty", "choice"),
        ("queues__support__leave_when_empty", "never", "queues.support.leave_when_empty", "choice"),
        ("queues__support__overflow", {"full": "queue:nope"}, "queues.support.overflow.full", "unknown-queue"),
        ("queues__support__overflow", {"empty": "flow:nope"}, "queues.support.overflow.empty", "unknown-flow"),
        ("queues__support__overflow", {"timeout": "queue:support"}, "queues.support.overflow.timeout", "order"),
        ("queues__support__keys", {1: "agent:nope"}, "queues.support.keys.1", "unknown-agent"),
        ("queues__support__strategy", "fastest", "queues.support.strategy", "choice"),
        ("agents__alice__skills", {"chess": 3}, "agents.alice.skills.chess", "unknown-skill"),
        ("agents__bob__mentor", "zoe", "agents.bob.mentor", "unknown-agent"),
        ("agents__bob__mentor", "bob", "agents.bob.mentor", "oneself"),
        ("agents__bob__number", "101", "agents.bob.number", "duplicate"),
        ("agents__bob__number", "*45", "agents.bob.number", "duplicate"),
        ("agents__bob__number", "*473", "agents.bob.number", "duplicate"),
        ("features__unpause", "*471", "features.pause", "duplicate"),
        ("features__extend", "*471", "features.pause", "duplicate"),
        ("features__logout", "*45", "features.logout", "duplicate"),
        ("hours__office__timezone", "Europe/Pariz", "hours.office.timezone", "hours"),
        (
            "hours__office__periods",
            [{"days": "mon", "open": "08:00", "close": "08:00"}],
            "hours.office.periods.0.close",
            "hours",
        ),
        ("flows__main__nodes__wait__requires", "chess", "flows.main.nodes.wait.requires", "flow"),
        ("flows__main__nodes__wait__next", "nope", "flows.main.nodes.wait.next", "flow"),
        ("flows__main__start", "nope", "flows.main.start", "flow"),
    ],
)
def test_what_does_not_fit_together_is_named(path: str, value: Any, where: str, rule: str) -> None:
    assert (where, rule) in problems(**{path: value})


def test_a_flow_that_goes_round_without_waiting_is_refused() -> None:
    nodes = {"a": {"type": "set", "vars": {"x": "1"}, "next": "b"}, "b": {"type": "set", "language": "fr", "next": "a"}}
    site = Site.model_validate(document(flows__round={"start": "a", "nodes": nodes}))
    told = {problem.where: problem.message for problem in check(site)}
    assert "goes round without waiting for anything: a -> b -> a" in told["flows.round.nodes.a"]


def test_queues_that_overflow_into_one_another_without_a_pause_are_refused() -> None:
    circle = {
        "queues__support__overflow": {"full": "queue:sales"},
        "queues__sales__overflow": {"empty": "queue:support"},
    }
    told = {problem.where: problem.message for problem in check(Site.model_validate(document(**circle)))}
    expected = "goes round without waiting for anything: support -> sales -> support"
    assert told == {"queues.support.overflow": expected}
    circle["queues__sales__overflow"] = {"timeout": "queue:support"}
    assert problems(**circle) == [], "who has waited may come back"


@pytest.mark.parametrize("value", ["voicemail", "queue:", "number:x", "callback:support", "fax:1", "agent:a b"])
def test_a_destination_that_is_none_is_refused_with_what_would_be_one(value: str) -> None:
    with pytest.raises(SiteError, match="is not a destination: queue:NAME, flow:NAME, voicemail:BOX, agent:NAME"):
        parse(document(queues__support__keys={"1": value}))
    with pytest.raises(SiteError, match="is not one key"):
        parse(document(queues__support__keys={"12": "callback"}))


def test_a_prompt_of_a_queue_that_nobody_can_say_is_named() -> None:
    queue = {"announce_prompt": "known", "announce_to_agent": "lost", "prompts": ["known", "gone"]}
    site = Site.model_validate(document(queues__sales=queue))
    found = check(site, lambda prompt, language: prompt == "known")
    assert [(problem.where, problem.rule) for problem in found] == [
        ("queues.sales.announce_to_agent", "prompt"),
        ("queues.sales.prompts.1", "prompt"),
    ]


def test_an_announcement_of_the_recording_that_nobody_can_say_is_named() -> None:
    queue = {"record_announce": "lost"}
    site = Site.model_validate(document(queues__sales=queue, settings__record_announce="gone"))
    found = check(site, lambda prompt, language: prompt not in ("lost", "gone"))
    assert [(problem.where, problem.rule) for problem in found] == [
        ("settings.record_announce", "prompt"),
        ("queues.sales.record_announce", "prompt"),
    ]


def test_without_a_country_only_the_international_spellings_are_one_number() -> None:
    assert problems(settings__country="", dids__0155500001={"flow": "main"}) == []
    assert problems(settings__country="", dids__0033155500001={"flow": "main"}) != []


def test_who_uses_what_is_known_by_its_place() -> None:
    site = Site.model_validate(document(flows__main__nodes__wait__requires="billing"))
    assert users_of(site, "skill", "billing") == [
        "agents.alice.skills",
        "flows.main.nodes.wait.requires",
        "queues.support.requires",
    ]
    assert users_of(site, "queue", "support") == ["flows.main.nodes.wait.queue"]
    assert users_of(site, "agent", "bob") == ["queues.sales.agents"]
    assert users_of(site, "trunk", "carrier") == ["dids.+33155500002.trunk"]


def test_the_fallback_is_the_chosen_queue_or_the_first_that_the_flow_leads_to() -> None:
    site = Site.model_validate(document())
    assert fallback_queue(site, "+33155500001") == "support"
    assert fallback_queue(site, "+33155500002") == "sales"
    silent = {"start": "bye", "nodes": {"bye": {"type": "hangup"}}}
    assert fallback_queue(Site.model_validate(document(flows__main=silent)), "+33155500001") is None


def test_members_of_a_fallback_queue_are_ranked_by_the_step_that_lets_them_in() -> None:
    site = Site.model_validate(document())
    assert members(site, site.queues["support"]) == {"alice": 0, "bob": 1}
    assert members(site, site.queues["sales"]) == {"bob": 0}
    rings = Site.model_validate(document(queues__sales__relax=[{"after": 5, "agents": ["alice"]}]))
    assert members(rings, rings.queues["sales"]) == {"bob": 0, "alice": 1}
    leads = Site.model_validate(document(queues__support__keys={"1": "queue:sales", "2": "agent:bob"}))
    assert users_of(leads, "queue", "sales") == ["dids.+33155500002.fallback_queue", "queues.support.keys.1"]
    assert users_of(leads, "agent", "bob") == ["queues.sales.agents", "queues.support.keys.2"]
    assert users_of(rings, "agent", "alice") == ["queues.sales.relax.0.agents"]
