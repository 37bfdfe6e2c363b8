"""Messages by command: what people see, which steps they may take, and what is refused."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from redis import Redis

from contactcentre.cli.group import run
from contactcentre.domain.site import Site
from contactcentre.domain.voicemail import BoxCount, MessageState
from contactcentre.embedded import Services
from contactcentre.live import BoxCounts, connect
from contactcentre.settings import Settings
from contactcentre.store import Store
from tests.store.test_boxes import left

SITE = Site.model_validate(
    {"agents": {"anna": {}, "bert": {}}, "queues": {"support": {"agents": ["anna"]}, "billing": {"agents": ["bert"]}}}
)


@pytest.fixture
def store(
    settings: Settings, services: Services, redis: "Redis", database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", services.redis_url)
    monkeypatch.setenv("CONTACTCENTRE_STATE_DIR", str(settings.state_dir))
    with Store(database_url) as made:
        made.migrate()
        made.save_site(SITE, "test")
        with made._begin() as connection:
            connection.execute(sa.text("TRUNCATE event, contact, recording, voicemail, box_message"))
        yield made


@pytest.fixture
def counts(services: Services, redis: "Redis") -> Iterator[BoxCounts]:
    with connect(services.redis_url) as client:
        yield BoxCounts(client)


class Shell:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def ask(self, *words: str) -> Any:
        """What it printed as JSON; it must have succeeded."""
        code = run([*words, "--json"])
        out, err = self._capsys.readouterr()
        assert code == 0, err
        return json.loads(out)

    def say(self, *words: str) -> tuple[int, str, str]:
        code = run(list(words))
        return code, *self._capsys.readouterr()


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def state(store: Store, message: str) -> tuple[MessageState, str, str]:
    found = store.message(message).message
    return found.state, found.owner, found.box


def test_messages_are_listed_with_what_needs_somebody_first_and_counted_by_box(store: Store, shell: Shell) -> None:
    at = time.time()
    left(store, "l1", at - 300, caller="+33144", caller_name="Marie")
    left(store, "l2", at - 200, box="billing")
    left(store, "l3", at - 100, caller="")
    shell.ask("voicemail", "done", "l1", "--note", "called back")
    assert [one["message"] for one in shell.ask("voicemail", "list")] == ["l2", "l3", "l1"]
    assert [one["message"] for one in shell.ask("voicemail", "list", "--box", "billing")] == ["l2"]
    (done,) = shell.ask("voicemail", "list", "--state", "done")
    assert (done["caller"], done["note"], done["seconds"]) == ("+33144", "called back", 14.5)
    text = shell.say("voicemail", "list")[1]
    assert "+33144 (Marie)" in text
    assert "withheld" in text
    boxes = {row["box"]: (row["new"], row["claimed"]) for row in shell.ask("voicemail", "boxes")}
    assert boxes == {"billing": (1, 0), "support": (1, 0)}
    assert shell.say("voicemail", "list", "--box", "sales")[:2] == (0, "No messages.\n")


def test_a_message_is_claimed_on_an_agents_behalf_and_nobody_else_takes_it(store: Store, shell: Shell) -> None:
    left(store, "c1", time.time() - 300)
    claimed = shell.ask("voicemail", "claim", "c1", "--by", "anna")
    assert (claimed["state"], claimed["by"]) == ("claimed", "anna")
    code, out, err = shell.say("voicemail", "claim", "c1", "--by", "bert")
    assert (code, out) == (2, "")
    assert "anna looks after this message" in err
    assert shell.say("voicemail", "done", "c1", "--by", "bert")[0] == 2
    assert state(store, "c1") == (MessageState.CLAIMED, "anna", "support"), "what was refused has changed nothing"
    shell.ask("voicemail", "release", "c1", "--by", "anna")
    assert state(store, "c1") == (MessageState.NEW, "", "support")
    entries = store.audit_entries(subject="c1")
    assert [(e.action, e.detail["by"]) for e in entries] == [("voicemail.release", "anna"), ("voicemail.claim", "anna")]
    assert all(entry.actor.startswith("cli:") for entry in entries)


def test_a_supervisor_takes_it_out_of_an_agents_hands_and_hands_it_over(store: Store, shell: Shell) -> None:
    left(store, "h1", time.time() - 300)
    shell.ask("voicemail", "claim", "h1", "--by", "anna")
    moved = shell.ask("voicemail", "hand-over", "h1", "billing", "--note", "wants an invoice")
    assert (moved["box"], moved["state"], moved["by"]) == ("billing", "new", "")
    code, _, err = shell.say("voicemail", "hand-over", "h1", "nowhere")
    assert code == 2
    assert "the site has no queue and no agent 'nowhere'" in err
    assert shell.say("voicemail", "hand-over", "h1", "billing")[0] == 2, "it is there already"
    assert state(store, "h1") == (MessageState.NEW, "", "billing")
    told = shell.say("voicemail", "show", "h1")[1]
    assert "hand over to billing: wants an invoice" in told
    steps = shell.ask("voicemail", "show", "h1")["steps"]
    assert [step["did"] for step in steps] == ["hand_over", "claim"]


def test_what_is_done_is_reopened_first(store: Store, shell: Shell) -> None:
    left(store, "d1", time.time() - 300)
    assert shell.say("voicemail", "reopen", "d1")[0] == 2
    shell.ask("voicemail", "done", "d1", "--by", "anna")
    code, _, err = shell.say("voicemail", "claim", "d1", "--by", "anna")
    assert code == 2
    assert "reopen it first" in err
    assert shell.ask("voicemail", "reopen", "d1", "--note", "called again")["note"] == "called again"
    assert state(store, "d1") == (MessageState.NEW, "", "support")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("claim", "nothing"), "no message begins with 'nothing'"),
        (("claim", "many"), "several messages begin with 'many'"),
        (("show", ""), "no message begins with ''"),
        (("done", "many1", "--note", "x" * 501), "at most 500 characters"),
        (("list", "--state", "old"), "'old' is not one of 'new', 'claimed', 'done'"),
        (("list", "--limit", "0"), "0 is not in the range"),
        (("hand-over", "many1"), "Missing argument 'BOX'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(
    store: Store, shell: Shell, words: tuple[str, ...], said: str
) -> None:
    for name in ("many1", "many2"):
        left(store, name, time.time() - 300)
    code, out, err = shell.say("voicemail", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert not store.audit_entries(subject="many1")


def test_a_step_tells_who_counts_and_queue_and_agent_show_what_was_counted(
    store: Store, shell: Shell, counts: BoxCounts
) -> None:
    left(store, "q1", time.time() - 300)
    shell.ask("voicemail", "claim", "q1", "--by", "anna")
    assert counts.asked() == 1
    counts.tell({"support": BoxCount(3, 1, 5.0), "anna": BoxCount(1, 0, 6.0)})
    shown = shell.ask("queue", "show", "support")
    assert (shown["new_messages"], shown["claimed_messages"]) == (3, 1)
    assert shell.ask("queue", "show", "billing")["new_messages"] == 0
    assert shell.ask("agent", "show", "anna")["new_messages"] == 1
    assert "new messages" in shell.say("queue", "show", "support")[1]


def test_the_live_state_away_keeps_nobody_from_a_step(
    store: Store, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(store, "a1", time.time() - 300)
    monkeypatch.setitem(os.environ, "REDIS_URL", "unix:///nowhere/redis.sock")
    assert shell.ask("voicemail", "claim", "a1", "--by", "anna")["by"] == "anna"
    assert "new_messages" not in shell.ask("queue", "show", "support")
