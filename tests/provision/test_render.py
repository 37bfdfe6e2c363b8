"""The text of the configuration files."""

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactcentre.domain.site import Agent, Site, Trunk
from contactcentre.domain.spelling import NAME, NUMBER
from contactcentre.domain.strategies import ALIASES, STRATEGIES
from contactcentre.provision import check, parse, render
from contactcentre.provision.render import Outbound, UnsafeValue, feature_codes
from tests.provision.sites import FLOW, document

SECRETS = {"agent/alice": "s3cret-of-alice", "agent/bob": "s3cret-of-bob", "ari/contactcentre": "s3cret-of-ari"}


def sections(text: str) -> list[tuple[str, dict[str, list[str]]]]:
    """An independent reading of Asterisk's configuration format: sections in order, keys with all their values."""
    found: list[tuple[str, dict[str, list[str]]]] = []
    for number, line in enumerate(text.split("\n"), 1):
        bare = re.sub(r"(?<!\\);.*", "", line).strip()
        if not bare:
            continue
        assert not bare.startswith("#"), f"line {number} is a directive: {line}"
        if bare.startswith("["):
            assert bare.endswith("]"), line
            found.append((bare[1:-1], {}))
        else:
            key, sign, value = bare.partition("=")
            assert sign, f"line {number} is neither section nor key: {line!r}"
            found[-1][1].setdefault(key.strip(), []).append(value.strip())
    return found


def test_the_same_site_in_another_order_gives_the_same_text() -> None:
    turned = {
        section: dict(reversed(content.items())) if section != "settings" else content
        for section, content in reversed(document().items())
    }
    assert render(parse(document()), SECRETS) == render(parse(turned), SECRETS)


def test_an_agents_phone_has_one_contact_a_password_and_its_own_context() -> None:
    found = [part for name, part in sections(render(parse(document()), SECRETS)["pjsip.conf"]) if name == "alice"]
    kinds = {part["type"][0]: part for part in found}
    assert kinds["endpoint"]["context"] == ["contactcentre-agents"]
    assert kinds["endpoint"]["callerid"] == ['"Élodie O\'Neil (support)" <101>']
    assert kinds["auth"]["password"] == ["s3cret-of-alice"]
    assert (kinds["aor"]["max_contacts"], kinds["aor"]["remove_existing"]) == (["1"], ["yes"])


def test_a_pbx_that_connects_to_the_controller_says_who_it_is_and_leads_nobody_to_one_that_never_was_there() -> None:
    site = parse(document())
    outbound = Outbound("wss://pbx.example.com:8087", "somebody", "s3cret-of-ari", "/etc/ours.pem")
    found = render(site, SECRETS, outbound=outbound, ari_user=False)
    (client,) = sections(found["websocket_client.conf"])
    assert client[1]["uri"] == ["wss://pbx.example.com:8087/"]
    assert (client[1]["username"], client[1]["password"]) == (["somebody"], ["s3cret-of-ari"])
    assert (client[1]["tls_enabled"], client[1]["ca_list_file"]) == (["yes"], ["/etc/ours.pem"])
    (link,) = sections(found["ari.conf"])
    assert (link[1]["websocket_client_id"], link[1]["local_ari_user"]) == ([client[0]], ["somebody"])
    plain = render(site, SECRETS)
    assert "websocket_client.conf" not in plain
    assert "outbound" not in plain["ari.conf"]
    never_said_so = '"${CONTACTCENTRE_UNTIL}" != ""'
    assert never_said_so in plain["extensions.conf"]
    assert never_said_so not in found["extensions.conf"]
    assert found["extensions.conf"].count("${EPOCH} > 0${CONTACTCENTRE_UNTIL}") > len(site.dids), "codes of agents, too"
    with pytest.raises(UnsafeValue):
        render(site, SECRETS, outbound=replace(outbound, secret="a;b-and-more"))


def test_a_trunk_that_registers_does_so_with_its_own_account() -> None:
    site = parse(
        document(trunks__isp={"host": "2001:db8::1", "username": "bob", "registration": True, "transport": "tls"})
    )
    text = render(site, {**SECRETS, "trunk/isp": "carrier-says"})["pjsip.conf"]
    kinds = {part["type"][0]: part for name, part in sections(text) if name == "isp"}
    assert kinds["registration"]["server_uri"] == ["sip:[2001:db8::1]:5060\\;transport=tls"]
    assert kinds["registration"]["client_uri"] == ["sip:bob@[2001:db8::1]:5060"]
    assert kinds["auth"]["password"] == ["carrier-says"]
    assert kinds["identify"]["match"] == ["2001:db8::1"]


def test_a_carrier_cannot_transfer_our_agents_and_an_agents_phone_may_ask() -> None:
    found = sections(render(parse(document(trunks__isp={"host": "192.0.2.1"})), SECRETS)["pjsip.conf"])
    endpoints = {name: part.get("allow_transfer") for name, part in found if part["type"] == ["endpoint"]}
    assert endpoints["isp"] == ["no"]
    assert endpoints["alice"] is None


def test_a_did_with_a_plus_is_also_reached_without_it() -> None:
    text = render(parse(document()), SECRETS)["extensions.conf"]
    assert "exten = 33155500001,1,Goto(+33155500001,1)" in text.splitlines()


def test_the_dialplan_answers_only_whom_the_flow_would_answer_first() -> None:
    closed = {"start": "open", "nodes": {"open": {"type": "hangup", "cause": "busy"}}}
    site = parse(document(flows__closed=closed, dids__900={"flow": "closed"}))
    lines = render(site, SECRETS)["extensions.conf"].splitlines()
    before = {line: earlier for earlier, line in pairwise(lines)}
    taken = " same = n(controller),Stasis(contactcentre,did,{},speaks:${{CHANNEL(audionativeformat)}})"
    assert before[taken.format("+33155500001")] == " same = n,Answer(,i)"
    assert before[" same = n,Answer(,i)"] == " same = n,GotoIf($[${EPOCH} > 0${CONTACTCENTRE_ANSWERS}]?controller)"
    assert "Answer" not in before[taken.format("900")]


def test_nothing_a_caller_sends_reaches_the_dialplan_but_filtered_digits() -> None:
    text = render(parse(document()), SECRETS)["extensions.conf"]
    used = set(re.findall(r"\$\{[^$]*?\}+", text))
    assert used <= {
        "${EXTEN})}",
        "${EXTEN}",
        "${CHANNEL(endpoint)}",
        "${STASISSTATUS}",
        "${QUEUESTATUS}",
        "${DIALSTATUS}",
        "${EPOCH}",
        "${CONTACTCENTRE_UNTIL}",  # seconds, set by the driver
        "${CONTACTCENTRE_ANSWERS}",  # seconds, set by the driver
        *(f"${{CONTACTCENTRE_{name}}}" for name in ("DID", "SINCE", "QUEUE")),  # set by the dialplan itself
        "${CHANNEL(audionativeformat)}",  # names of codecs
        "${CHANNEL_TO_TAKE}",  # an id of the PBX's own, set by the driver
        "${IFMODULE(app_minivm.so)}",
        "${SHIFT(MESSAGE_COUNTS,+)}",  # names and numbers, set by the driver
        "${SHOWN}",
        *(f"${{CUT(SHOWN,:,{place})}}" for place in "123"),
    }
    assert all("FILTER(0-9+*#,${EXTEN})" in line for line in text.splitlines() if "${EXTEN" in line)


QUEUE = {
    "agents": ["bob", "alice"],
    "requires": "billing >= 40 or lang_fr >= 20",
    "relax": [{"after": 9, "requires": "any"}, {"after": 10, "agents": ["carol"]}],
}


@pytest.mark.parametrize("strategy", [*STRATEGIES, *ALIASES])
def test_every_strategy_has_one_that_the_pbx_knows(strategy: str) -> None:
    site = parse(document(agents__carol={}, queues__sales={**QUEUE, "strategy": strategy}))
    queue = dict(sections(render(site, SECRETS)["queues.conf"]))["contactcentre-sales"]
    own = ("ringall", "leastrecent", "fewestcalls", "random", "rrmemory", "rrordered", "linear", "wrandom")
    assert queue["strategy"][0] in own
    assert strategy not in own or queue["strategy"] == [strategy]
    alice, bob = (10, 70) if strategy in ("best-skill", "wrandom") else (0, 0)
    last = 101 * 2 + 100 if strategy in ("best-skill", "wrandom") else 2
    assert queue["member"] == [f"PJSIP/bob,{bob},bob", f"PJSIP/alice,{alice},alice", f"PJSIP/carol,{last},carol"]


def test_a_queue_of_the_pbx_has_the_sites_settings_in_asterisks_words() -> None:
    more = {"join_empty": "paused, unavailable", "leave_when_empty": "strict", "announce_position": 45}
    site = parse(
        document(
            agents__carol={}, queues__sales={**QUEUE, **more, "announce_wait": True, "max_length": 7, "priority": 3}
        )
    )
    queue = dict(sections(render(site, SECRETS)["queues.conf"]))["contactcentre-sales"]
    expected = {"joinempty": "paused,unavailable", "leavewhenempty": "strict", "announce-frequency": "45"}
    expected |= {"announce-position": "yes", "announce-holdtime": "yes", "maxlen": "7", "weight": "3"}
    assert {key: queue[key][0] for key in expected} == expected


def test_what_a_dialplan_alone_can_do_of_an_overflow_it_does() -> None:
    ways = {"full": "queue:support", "empty": "number:+33612345678", "timeout": "voicemail:support"}
    text = render(parse(document(queues__sales__overflow=ways)), SECRETS)["extensions.conf"]
    leads = [line for line in text.splitlines() if "QUEUESTATUS" in line]
    assert leads == [
        ' same = n,GotoIf($["${QUEUESTATUS}" = "FULL"]?contactcentre-fallback,support,1)',
        ' same = n,GotoIf($["${QUEUESTATUS}" = "JOINEMPTY"]?contactcentre-out,+33612345678,1)',
        ' same = n,GotoIf($["${QUEUESTATUS}" = "LEAVEEMPTY"]?contactcentre-out,+33612345678,1)',
    ]


def test_phones_and_softphones_have_a_lamp_unless_the_site_wants_none() -> None:
    found = render(parse(document(agents__alice__webrtc=True)), SECRETS)
    assert found["pjsip.conf"].count("mailboxes = alice@contactcentre") == 4, "each account's endpoint and aor"
    assert "[contactcentre-messages]" in found["extensions.conf"]
    without = render(parse(document(settings__message_lamp="off")), SECRETS)
    assert "mailboxes" not in without["pjsip.conf"]
    assert "[contactcentre-messages]" not in without["extensions.conf"]


def test_every_feature_code_leads_to_the_controller() -> None:
    site = parse(document())
    text = render(site, SECRETS)["extensions.conf"]
    for code in feature_codes(site):
        assert f"exten = {code},1,Stasis(contactcentre,feature,{code},${{CHANNEL(endpoint)}})" in text.splitlines()


@pytest.mark.parametrize("secret", ["a\nb", "a;b", "${SHELL(id)}", "x\\y", "\x00", "#exec id"])
def test_a_secret_that_would_mean_something_stops_the_rendering(secret: str) -> None:
    with pytest.raises(UnsafeValue):
        render(parse(document()), {**SECRETS, "agent/alice": secret})


@pytest.mark.parametrize(
    "agent",
    [
        Agent.model_construct(full_name='x" <0>\n[evil]'),
        Agent.model_construct(full_name='x" <999>'),
        Agent.model_construct(full_name="x;y"),
        Agent.model_construct(number="101,1,System(id)"),
        Agent.model_construct(number="101\nexten = 1,1,System(id)"),
        Agent.model_construct(endpoint="x]\n[general"),
        Agent.model_construct(full_name="${GLOBAL(x)}"),
    ],
)
def test_what_slipped_past_the_model_still_stops_at_the_template(agent: Agent) -> None:
    site = parse(document()).model_copy(update={"agents": {"alice": agent}})
    with pytest.raises(UnsafeValue):
        render(site, SECRETS)


def test_a_hostile_trunk_that_slipped_past_the_model_stops_at_the_template() -> None:
    for hostile in ({"host": "h\nb"}, {"host": "h", "username": "a;b"}, {"host": "h", "match": ("1\n2",)}):
        site = Site.model_construct(**{**dict(Site()), "trunks": {"t": Trunk.model_construct(**hostile)}})
        with pytest.raises(UnsafeValue):
            render(site, {"trunk/t": "secret-secret"})


names = st.from_regex(re.compile(NAME), fullmatch=True)
people = st.text(
    st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"], blacklist_characters=';\\"<>$'), max_size=80
)
numbers = st.from_regex(re.compile(NUMBER), fullmatch=True)


@st.composite
def sites(draw: st.DrawFn) -> dict[str, Any]:
    agents = draw(st.dictionaries(names, st.tuples(people, numbers, st.integers(0, 100)), max_size=5))
    queues = draw(st.lists(names, unique=True, max_size=4))
    dids = draw(st.dictionaries(numbers, st.sampled_from(["", "fr", "pt_BR"]), max_size=5))
    skills = draw(st.lists(names, unique=True, min_size=1, max_size=3))
    trunks = draw(st.dictionaries(names, st.sampled_from(["192.0.2.1", "sip.example.net", "2001:db8::7"]), max_size=3))
    return {
        "skills": dict.fromkeys(skills, ""),
        "agents": {
            name: {"full_name": person, "number": number, "skills": {skills[0]: level}}
            for name, (person, number, level) in agents.items()
        },
        "queues": {name: {"requires": f"{skills[-1]} >= 10"} for name in queues} | {"support": {}},
        "dids": {number: {"flow": "main", "language": language} for number, language in dids.items()},
        "trunks": {name: {"host": host} for name, host in trunks.items()},
        "flows": {"main": FLOW},
    }


@settings(max_examples=150)
@given(sites())
def test_whatever_a_valid_site_holds_is_read_back_as_just_that(raw: dict[str, Any]) -> None:
    try:
        site = Site.model_validate(raw)
    except ValueError:
        return  # bidi controls and the like: refused before
    if check(site):
        return
    secrets = {f"agent/{name}": "abcdefgh" for name in site.agents} | {"ari/contactcentre": "abcdefgh"}
    files = {name: sections(text) for name, text in render(site, secrets).items()}
    endpoints = {name: part for name, part in files["pjsip.conf"] if part["type"] == ["endpoint"]}
    assert set(endpoints) == set(site.agents) | set(site.trunks)
    for name, agent in site.agents.items():
        assert endpoints[name]["callerid"] == [f'"{agent.full_name or name}" <{agent.number}>']
    incoming = dict(files["extensions.conf"])["contactcentre-in"]
    dialled = [line.split(",")[0] for line in incoming.get("exten", [])]
    assert sorted(dialled) == sorted([*site.dids, *(number[1:] for number in site.dids if number[0] == "+")])
    assert {name for name, _ in files["queues.conf"]} == {f"contactcentre-{name}" for name in site.queues}


def test_a_softphone_has_an_account_over_webrtc_and_no_password_in_any_file() -> None:
    files = render(parse(document(agents__alice__webrtc=True)), SECRETS)
    kinds = {part["type"][0]: part for name, part in sections(files["pjsip.conf"]) if name == "alice-web"}
    assert kinds["endpoint"]["webrtc"] == kinds["endpoint"]["dtls_auto_generate_cert"] == ["yes"]
    assert kinds["endpoint"]["context"] == ["contactcentre-agents"]
    assert kinds["endpoint"]["auth"] == ["alice-web"]
    assert set(kinds) == {"endpoint", "aor"}, "whoever has been given no password is turned away"
    assert "alice-web" not in render(parse(document()), SECRETS)["pjsip.conf"]
