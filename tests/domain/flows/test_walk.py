"""What happens to a caller at each node."""

from datetime import UTC, datetime

import pytest

from contactcentre.domain.flows.actions import (
    Answer,
    Begin,
    Digits,
    Done,
    Enqueue,
    Gather,
    Hangup,
    Left,
    Looked,
    Lookup,
    LookupFailed,
    Piece,
    Play,
    Reason,
    Record,
    Recorded,
    Resume,
    Sort,
    Transfer,
    TransferFailed,
    Transferred,
    Voicemail,
    gathered,
    timed_out,
)
from contactcentre.domain.flows.node import UnknownName
from contactcentre.domain.flows.walk import FlowStuck, Walker
from contactcentre.domain.site import Site
from tests.domain.flows.build import AT, SITE, Call, flow

SILENCE = Digits("", Reason.TIMEOUT)


def pressed(digits: str) -> Digits:
    return Digits(digits, Reason.MAX)


MENU = """
m:
  type: menu
  prompt: p
  invalid_prompt: q
  timeout_prompt: [{text: "Hello?"}]
  retries: 2
  choices: {"1": one, "2": two}
  on_timeout: gone
  on_invalid: end
one: {type: say, text: One, next: end}
two: {type: say, text: Two, next: end}
gone: {type: say, text: Gone, next: end}
"""


def test_a_menu_leads_where_its_choice_says_and_tells_the_journal() -> None:
    call, action = Call.of(MENU)
    assert isinstance(action, Gather)
    assert action.speech == (Piece(Sort.PROMPT, "p", "Prompt p"),)
    assert call.step(pressed("2")) == Play((Piece(Sort.TEXT, "Two"),), "en")
    assert call.step(Done()) == Hangup()
    assert call.notes == [
        ("flow.node", {"flow": "test", "node": "m", "type": "menu"}),
        ("flow.chose", {"node": "m", "choice": "2"}),
        ("flow.node", {"flow": "test", "node": "two", "type": "say"}),
        ("flow.node", {"flow": "test", "node": "end", "type": "hangup"}),
    ]


def test_wrong_keys_and_silence_share_the_retries_and_are_answered_with_their_prompts() -> None:
    call, _ = Call.of(MENU)
    again = call.step(pressed("9"))
    assert isinstance(again, Gather)
    assert [piece.value for piece in again.speech] == ["q", "p"]
    assert not again.type_ahead  # what was typed blindly before does not count for the next try
    again = call.step(SILENCE)
    assert isinstance(again, Gather)
    assert [piece.value for piece in again.speech] == ["Hello?", "p"]
    assert call.step(SILENCE) == Play((Piece(Sort.TEXT, "Gone"),), "en")
    assert call.choices == ["timeout"]


@pytest.mark.parametrize("garbage", ["A", "D", "*", "#", "12", "0", "C#B"])
def test_garbage_keys_in_a_menu_are_an_ordinary_wrong_choice(garbage: str) -> None:
    call, _ = Call.of(MENU)
    for _ in range(2):
        assert isinstance(call.step(pressed(garbage)), Gather)
    assert call.step(pressed(garbage)) == Hangup()
    assert call.choices == ["invalid"]


def test_a_choice_that_begins_another_one_waits_for_more_keys() -> None:
    gather = Gather((), "en", 5, 3, 2, choices=("1", "12", "3"))
    assert gathered(gather, "1") is None
    assert gathered(gather, "12") == Digits("12", Reason.MAX)
    assert gathered(gather, "3") == Digits("3", Reason.MAX)
    assert gathered(gather, "7") == Digits("7", Reason.MAX)  # cannot become any choice
    assert timed_out(gather, "1") == Digits("1", Reason.TIMEOUT)


def test_a_terminator_ends_an_entry_and_is_not_part_of_it() -> None:
    gather = Gather((), "en", 5, 3, 10, terminators="#")
    assert gathered(gather, "123") is None
    assert gathered(gather, "123#") == Digits("123", Reason.TERMINATOR)
    assert gathered(gather, "#") == Digits("", Reason.TERMINATOR)


COLLECT = """
c: {type: collect, prompt: p, var: account, min_digits: 3, max_digits: 6, retries: 1, next: said, on_timeout: end,
    on_invalid: bad%s}
said: {type: say, digits: "{{ account }}", next: end}
bad: {type: say, text: Bad, next: end}
"""


def test_collected_digits_go_into_their_variable() -> None:
    call, action = Call.of(COLLECT % "")
    assert isinstance(action, Gather)
    assert (action.max_digits, action.terminators) == (6, "#")
    assert call.step(Digits("1234", Reason.TERMINATOR)) == Play((Piece(Sort.DIGITS, "1234"),), "en")
    assert ("flow.set", {"name": "account", "value": "1234"}) in call.notes


def test_enough_digits_followed_by_silence_are_an_entry() -> None:
    call, _ = Call.of(COLLECT % "")
    assert isinstance(call.step(Digits("123", Reason.TIMEOUT)), Play)


@pytest.mark.parametrize("entry", ["12", "1*3", "12A4", "1234567", ""])
def test_an_entry_of_the_wrong_form_is_asked_for_again_and_then_leaves(entry: str) -> None:
    call, _ = Call.of(COLLECT % "")
    assert isinstance(call.step(Digits(entry, Reason.TERMINATOR)), Gather)
    assert call.step(Digits(entry, Reason.TERMINATOR)) == Play((Piece(Sort.TEXT, "Bad"),), "en")


@pytest.mark.parametrize(
    ("pattern", "entry", "fits"),
    [
        ("0XX", "012", True),
        ("0XX", "112", False),
        ("NXX", "199", False),
        ("_ZXXX", "1000", True),
        ("00.", "0033", True),
        ("00.", "0133", False),
        ("*XX#", "*12#", True),
    ],
)
def test_a_pattern_is_written_as_dial_plans_write_it(pattern: str, entry: str, fits: bool) -> None:
    call, _ = Call.of(COLLECT % f', pattern: "{pattern}"')
    assert isinstance(call.step(Digits(entry, Reason.MAX)), Play) is fits


def test_values_are_said_as_what_they_are_and_as_text_when_they_are_not() -> None:
    call, action = Call.of(
        """
        a: {type: say, number: "{{ caller_name }}", next: b}
        b: {type: say, date: now, next: c}
        c:
          type: play
          prompt: [{time: now}, {number: -5}, "sound:demo-congrats", {silence: 1}, {tone: beep}]
          next: end
        """,
        caller_name="forty\x1b[31m two",
    )
    assert action == Play((Piece(Sort.TEXT, "forty[31m two"),), "en")  # control characters never get in
    assert call.step(Done()) == Play((Piece(Sort.DATE, "2026-11-23"),), "en")
    action = call.step(Done())
    assert isinstance(action, Play)
    assert [(piece.sort.value, piece.value) for piece in action.speech] == [
        ("time", "11:00"),  # by the clock of the site
        ("number", "-5"),
        ("sound", "demo-congrats"),
        ("silence", "1.0"),
        ("tone", "beep"),
    ]


HOURS = """
h: {type: hours, hours: office, open: end, closed: shut, holiday: feast}
shut: {type: say, text: Shut, next: end}
feast: {type: say, text: Feast, next: end}
"""


@pytest.mark.parametrize(
    ("moment", "branch"),
    [("2026-11-23 10:00", "open"), ("2026-11-23 20:00", "closed"), ("2026-12-25 10:00", "holiday")],
)
def test_hours_choose_the_branch_and_a_caller_found_closed_was_turned_away(moment: str, branch: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    call, action = Call.of(HOURS, at)
    assert call.choices == [branch]
    assert (action if branch == "open" else call.step(Done())) == Hangup(turned_away=branch != "open")


def test_set_and_condition_work_on_variables_language_skills_and_priority() -> None:
    call, action = Call.of(
        """
        s:
          type: set
          vars: {topic: "bill of {{ caller_name }}", times: 2}
          language: fr
          skills: {lang_fr: 50}
          priority: 3
          next: t
        t: {type: set, skills: {billing: 10}, next: i}
        i: {type: condition, if: 'topic == "bill of Ada" and times == 2 and language == "fr"', then: w, else: end}
        w: {type: queue, queue: support, requires: billing or lang_en, priority: 2, max_wait: 30, on_timeout: end,
            on_full: end, on_empty: end, on_key: {"1": end}}
        """
    )
    assert action == Enqueue("support", "billing or lang_en", {"lang_fr": 50, "billing": 10}, 5, 30, True, "1", "fr")
    assert call.choices == ["then"]


def test_a_skill_set_to_nothing_is_asked_for_no_longer() -> None:
    _, action = Call.of(
        """
        a: {type: set, skills: {lang_fr: 50}, next: b}
        b: {type: set, skills: {lang_fr: 0}, next: q}
        q: {type: queue, queue: sales}
        """
    )
    assert action == Enqueue("sales", language="en")


LOOKUP = """
l:
  type: lookup
  url: https://crm.example/c/{{ caller }}?name={{ caller_name }}
  timeout: 2
  fields: {customer: name, tier: contract.tiers.0, gone: no.such, deep: contract, big: big, bad: bad}
  next: end
  on_failed: sorry
sorry: {type: say, text: Sorry, next: end}
"""


def test_a_lookup_encodes_what_the_caller_sends() -> None:
    _, action = Call.of(LOOKUP, caller="+33/../x?y#", caller_name='a&b="; rm -rf \r\nHost: evil')
    assert isinstance(action, Lookup)
    assert action.url == ("https://crm.example/c/%2B33%2F..%2Fx%3Fy%23?name=a%26b%3D%22%3B%20rm%20-rf%20Host%3A%20evil")


def test_a_caller_cannot_climb_in_the_path_of_a_lookup() -> None:
    _, action = Call.of(LOOKUP, caller="..")
    assert isinstance(action, Lookup)
    assert action.url.startswith("https://crm.example/c/?")


def test_a_lookups_fields_become_variables_and_what_is_not_there_is_not_set() -> None:
    call, _ = Call.of(LOOKUP, gone="before")
    values = {"name": "Ada\x00", "contract": {"tiers": ["gold"]}, "big": 10**30, "bad": float("inf")}
    assert call.step(Looked(200, values)) == Hangup()
    variables = call.walker.variables
    assert (variables["customer"], variables["tier"], variables["big"]) == ("Ada", "gold", "1" + "0" * 30)
    assert not {"gone", "deep", "bad"} & set(variables)
    assert call.choices == ["ok"]


def test_a_lookup_that_fails_takes_its_branch() -> None:
    call, _ = Call.of(LOOKUP)
    assert isinstance(call.step(LookupFailed("timeout")), Play)
    assert call.choices == ["failed"]


def test_a_post_sends_values_and_never_puts_them_into_the_structure() -> None:
    _, action = Call.of(
        """
        l: {type: lookup, method: POST, url: "http://h/", body: {n: "{{ caller_name }}", i: 1},
            next: end, on_failed: end}
        """,
        caller_name='","admin":"yes',
    )
    assert isinstance(action, Lookup)
    assert action.body == {"n": '","admin":"yes', "i": 1}


QUEUE = """
q: {type: queue, queue: support, on_timeout: t, on_full: f, on_empty: e, on_key: {"*": k}, next: survey}
t: {type: say, text: timeout, next: end}
f: {type: say, text: full, next: end}
e: {type: say, text: empty, next: end}
k: {type: say, text: key, next: end}
survey: {type: say, text: answered, next: end}
"""


@pytest.mark.parametrize("reason", ["timeout", "full", "empty", "key", "answered"])
def test_each_way_out_of_a_queue_has_its_branch(reason: str) -> None:
    call, _ = Call.of(QUEUE)
    action = call.step(Left(reason, "*" if reason == "key" else ""))
    assert action == Play((Piece(Sort.TEXT, reason),), "en")
    assert call.step(Done()) == Hangup(turned_away=reason in ("timeout", "full", "empty"))


def test_a_way_out_that_has_no_branch_ends_the_call() -> None:
    call, action = Call.of("q: {type: queue, queue: sales}")
    assert isinstance(action, Enqueue)
    assert not action.leave_when_empty  # nobody to go to: the caller waits
    assert call.step(Left("answered")) == Hangup()


def test_a_message_left_makes_good_for_a_full_queue() -> None:
    call, _ = Call.of(
        """
        q: {type: queue, queue: support, on_full: v}
        v: {type: voicemail, box: support, prompt: p, max_seconds: 60, next: end}
        """
    )
    action = call.step(Left("full"))
    assert action == Voicemail("support", (Piece(Sort.PROMPT, "p", "Prompt p"),), "en", 60)
    assert call.step(Recorded(12.5, "r")) == Hangup(turned_away=False)


@pytest.mark.parametrize(
    ("node", "queue", "review"), [("", False, False), ("", True, True), (", review: false", True, False)]
)
def test_a_message_is_reviewed_where_the_node_or_else_the_queue_says_so(node: str, queue: bool, review: bool) -> None:
    queues = {"support": SITE.queues["support"].model_copy(update={"review_messages": queue})}
    _, action = Call.of(f"v: {{type: voicemail, box: support{node}}}", site=SITE.model_copy(update={"queues": queues}))
    assert isinstance(action, Voicemail)
    assert action.review is review


def test_a_recording_that_failed_takes_its_branch() -> None:
    call, _ = Call.of("v: {type: voicemail, box: b, on_failed: s}\ns: {type: say, text: Sorry, next: end}")
    assert isinstance(call.step(Recorded(ok=False)), Play)


def test_transfers_go_to_agents_and_numbers_through_the_controller() -> None:
    call, action = Call.of(
        "t: {type: transfer, to: 'agent:anna', on_failed: n}\nn: {type: transfer, to: 'number:+331'}"
    )
    assert action == Transfer("agent", "anna", language="en")
    assert call.step(TransferFailed("busy")) == Transfer("number", "+331", language="en")
    assert call.step(Transferred()) == Hangup()


def test_a_transfer_to_a_queue_is_a_stay_in_that_queue() -> None:
    call, action = Call.of("t: {type: transfer, to: 'queue:sales'}")
    assert action == Enqueue("sales", language="en")
    assert call.step(Left("answered")) == Hangup()


@pytest.mark.parametrize("to", ["flow:other", "did:0800"])
def test_a_transfer_to_a_flow_goes_on_there_with_the_variables(to: str) -> None:
    call, action = Call.of(f"s: {{type: set, vars: {{x: '1'}}, next: t}}\nt: {{type: transfer, to: '{to}'}}")
    assert action == Play((Piece(Sort.TEXT, "Bonjour"),), "fr")
    assert call.walker.flow.name == "other"
    assert call.walker.variables["x"] == "1"
    assert ("contact.transferred", {"to": to, "by": "", "how": "flow"}) in call.notes


def test_names_that_the_site_does_not_have_are_a_named_error() -> None:
    for nodes, said in [
        ("t: {type: transfer, to: 'flow:nowhere'}", "no flow nowhere"),
        ("t: {type: transfer, to: 'did:999'}", "no DID 999"),
        ("h: {type: hours, hours: never, open: end, closed: end}", "no hours never"),
    ]:
        with pytest.raises(UnknownName, match=said):
            Call.of(nodes)


def test_a_flow_that_goes_round_without_waiting_is_stopped() -> None:
    with pytest.raises(FlowStuck) as caught:
        Call.of("a: {type: set, next: b}\nb: {type: condition, if: caller, then: a, else: end}")
    assert "a -> b" in str(caught.value)


def test_things_that_fail_at_once_do_not_count_as_waiting() -> None:
    call, action = Call.of(
        """
        l: {type: lookup, url: "http://h/", next: end, on_failed: p}
        p: {type: play, prompt: p, next: l}
        """
    )
    with pytest.raises(FlowStuck):  # noqa: PT012 - which step raises it is the walker's affair
        for _ in range(200):
            action = call.step(LookupFailed("refused") if isinstance(action, Lookup) else Done(ok=False))


def test_a_caller_who_listens_may_go_round_as_often_as_they_like() -> None:
    call, action = Call.of("p: {type: play, prompt: p, next: p2}\np2: {type: play, prompt: q, next: p}")
    for _ in range(1000):
        action = call.step(Done())
    assert isinstance(action, Play)


def test_a_caller_goes_on_where_the_state_was_saved() -> None:
    call, _ = Call.of(MENU)
    call.step(pressed("9"))
    saved = call.walker.save()
    restored = Call(Walker.restore(saved, SITE, {"test": flow(MENU)}))
    action = restored.step(Resume())
    assert isinstance(action, Gather)
    assert [piece.value for piece in action.speech] == ["q", "p"]
    assert restored.notes == []  # nothing new has happened
    assert restored.step(pressed("1")) == call.step(pressed("1"))


def test_a_node_that_is_gone_after_a_change_of_the_flow_sends_the_caller_to_its_start() -> None:
    call, _ = Call.of("a: {type: play, prompt: p, next: b}\nb: {type: play, prompt: q, next: end}")
    call.step(Done())
    changed = flow("new: {type: say, text: New, next: end}")
    restored = Walker.restore(call.walker.save(), SITE, {"test": changed})
    assert restored.step(Resume(), AT) == Play((Piece(Sort.TEXT, "New"),), "en")


def test_a_flow_that_is_gone_is_a_named_error() -> None:
    call, _ = Call.of(MENU)
    with pytest.raises(UnknownName, match="no flow test"):
        Walker.restore(call.walker.save(), Site())


def test_the_language_is_the_flows_own_else_the_dids_else_the_sites() -> None:
    nodes = "a: {type: play, prompt: p, next: end}"
    french = Walker(flow(nodes), SITE, {}, language="fr").step(Begin(), AT)
    assert isinstance(french, Play)
    assert (french.language, french.speech[0].text) == ("fr", "Texte p")
    assert Walker(flow(nodes, language="fr"), SITE, {}, language="en").language == "fr"
    assert Walker(flow(nodes), SITE).language == "en"


def test_a_regional_language_uses_the_texts_of_its_base() -> None:
    action = Walker(flow("a: {type: play, prompt: p, next: end}"), SITE, {}, language="fr-CA").step(Begin(), AT)
    assert isinstance(action, Play)
    assert (action.language, action.speech[0].text) == ("fr-CA", "Texte p")


def test_one_prompt_can_be_spoken_in_several_languages() -> None:
    _, action = Call.of("a: {type: play, prompt: [{prompt: p, language: fr}, p, {text: Hi, language: en}], next: end}")
    assert isinstance(action, Play)
    assert action.speech == (
        Piece(Sort.PROMPT, "p", "Texte p", "fr"),
        Piece(Sort.PROMPT, "p", "Prompt p"),
        Piece(Sort.TEXT, "Hi", language="en"),
    )


def test_answering_takes_no_time_in_a_flow() -> None:
    call, action = Call.of("a: {type: answer, next: end}")
    assert action == Answer()
    assert call.step(Done()) == Hangup()


def test_a_result_of_another_action_is_a_programmers_error() -> None:
    call, _ = Call.of(MENU)
    with pytest.raises(TypeError, match="a menu takes Digits"):
        call.step(Done())
    with pytest.raises(TypeError, match="the first step"):
        Walker(flow(MENU), SITE).step(Done(), AT)


PAYMENT = """
card: {type: collect, prompt: p, var: card, pattern: XXXX, retries: 1, sensitive: true, next: date, on_timeout: end,
       on_invalid: end}
date: {type: collect, prompt: p, var: until, pattern: XX, sensitive: true, next: known, on_timeout: end,
       on_invalid: end}
known: {type: condition, if: card starts with "4", then: pay, else: end}
pay: {type: lookup, url: "https://pay/{{ card }}", method: POST, body: {number: "{{ card }}", until: "{{ until }}"},
      fields: {token: token}, next: tell, on_failed: end}
tell: {type: say, text: "Paid with {{ card }} {{ token }}", next: keep}
keep: {type: set, vars: {copy: "{{ card }}"}, next: hold}
hold: {type: play, prompt: p, next: end}
"""


def test_what_is_keyed_in_secretly_is_sent_and_compared_and_is_nowhere_else() -> None:
    call, question = Call.of(PAYMENT)
    assert isinstance(question, Gather)
    assert question.sensitive
    again = call.step(pressed("41"))
    assert isinstance(again, Gather)
    assert again.sensitive, "also when it is asked again"
    call.step(pressed("4111"))
    lookup = call.step(pressed("29"))
    assert isinstance(lookup, Lookup)
    assert (lookup.url, lookup.body) == ("https://pay/", {"number": "4111", "until": "29"})
    said = call.step(Looked(200, {"token": "tok"}))
    assert isinstance(said, Play)
    assert said.speech[0].value == "Paid with  tok"
    call.step(Done())
    assert call.walker.variables["copy"] == ""
    told = [data for kind, data in call.notes if kind == "flow.set"]
    assert {"name": "card", "value": "", "secret": True} in told
    everything = repr((call.notes, call.walker.save(), call.walker.variables, lookup, pressed("4111")))
    assert "4111" not in everything


def test_after_a_restart_the_caller_is_asked_again_for_what_was_secret() -> None:
    call, _ = Call.of(PAYMENT)
    call.step(pressed("4111"))
    call.step(pressed("29"))
    walker = Walker.restore(call.walker.save(), SITE, {"test": flow(PAYMENT)})
    question = walker.step(Resume(), AT)
    assert (walker.node, isinstance(question, Gather) and question.sensitive) == ("card", True)
    walker.step(pressed("4222"), AT)
    lookup = walker.step(pressed("30"), AT)
    assert isinstance(lookup, Lookup)
    assert lookup.body == {"number": "4222", "until": "30"}


def test_after_a_restart_nothing_is_asked_again_that_nobody_needs_any_more() -> None:
    call, _ = Call.of(PAYMENT)
    for result in (pressed("4111"), pressed("29"), Looked(200, {}), Done()):
        call.step(result)
    walker = Walker.restore(call.walker.save(), SITE, {"test": flow(PAYMENT)})
    walker.step(Resume(), AT)
    assert walker.node == "hold"
    assert isinstance(walker.step(Done(), AT), Hangup)


def test_another_flow_does_not_have_what_was_secret() -> None:
    nodes = """
    card: {type: collect, prompt: p, var: card, sensitive: true, next: over, on_timeout: end, on_invalid: end}
    over: {type: transfer, to: "flow:test"}
    """
    call, _ = Call.of(nodes)
    call.step(pressed("4111"))
    assert call.walker.node == "card"
    assert call.walker.save()["asked"] == []
    assert call.walker._scene.secrets == {}


def test_a_flow_records_from_node_to_node() -> None:
    nodes = "\n".join(
        f"{what}: {{type: record, action: {what}, next: {then}}}"
        for what, then in (("start", "pause"), ("pause", "resume"), ("resume", "stop"), ("stop", "end"))
    )
    call, action = Call.of(nodes)
    asked = []
    while isinstance(action, Record):
        asked.append(action.what)
        action = call.step(Done())
    assert asked == ["start", "pause", "resume", "stop"]
    assert isinstance(action, Hangup)
