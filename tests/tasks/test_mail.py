"""Alerts are mailed where the settings say so, by a real SMTP conversation."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery.exceptions import Retry
from redis import Redis

from contactcentre.domain.alerts import AlertFact
from contactcentre.embedded import Services
from contactcentre.live import connect
from contactcentre.outgoing.mail import MailServer, NotSent
from contactcentre.settings import Settings, SettingsError
from contactcentre.store import Store
from contactcentre.tasks import jobs, mail_jobs
from contactcentre.tasks.recorder import Recorder
from tests.store.calls import DAY

ID = "01a2173e-27be-7a53-8418-6f0000000001"
RAISED = AlertFact(ID, "raised", DAY, "support", "crowd", "waiting", 10, 12)


@contextmanager
def mailbox(refuses: str = "") -> Iterator[tuple[int, list[str]]]:
    """A mail server without TLS; (its port, the messages it took). `refuses`: what it says to every recipient."""
    taken: list[str] = []

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline().decode():
                word = line.split()[0].upper() if line.split() else ""
                if word == "DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = []
                    while (said := self.rfile.readline().decode()) != ".\r\n":
                        lines.append(said)
                    taken.append("".join(lines))
                answer = f"{refuses}\r\n" if word == "RCPT" and refuses else "250 yes\r\n"
                self.wfile.write(b"221 bye\r\n" if word == "QUIT" else answer.encode())
                if word == "QUIT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_address[1], taken
        server.shutdown()
        thread.join()


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[jobs.Workshop]:
    made = jobs.Workshop()
    monkeypatch.setattr(mail_jobs, "workshop", made)
    yield made
    made.store.close()


def told(settings: Settings, port: int) -> Settings:
    more = {
        "smtp_server": f"127.0.0.1:{port}",
        "alert_mail": "a@example.com b@example.com",
        "web_url": "https://cc.example",
    }
    return settings.model_copy(update=more)


def test_an_alert_is_mailed_to_all_who_are_named(
    shop: jobs.Workshop, settings: Settings, store: Store, database_url: str, services: Services
) -> None:
    store.record([], [], [RAISED, AlertFact(ID, "cleared", DAY + 90, "support", "crowd", "waiting", 10, 12)])
    with mailbox() as (port, taken):
        shop.open(told(settings, port), database_url, services.redis_url)
        for state in ("raised", "cleared", "acknowledged"):
            mail_jobs.mail_alert.apply((ID, state), throw=True)
    assert len(taken) == 2
    assert "Subject: Alert: support: crowd" in taken[0]
    assert "To: a@example.com, b@example.com" in taken[0]
    assert "support is not well: 12 wait (limit 10).\r\n2026-11-23 00:00:00 UTC\r\nhttps://cc.example/" in taken[0]
    assert "Subject: Over: support: crowd" in taken[1]


@pytest.mark.parametrize(
    ("language", "subject", "text"),
    [
        ("fr", "Alerte\u00a0: support\u00a0: crowd", "support va mal\u00a0: 12 attendent (limite 10)."),
        ("de", "Alarm: support: crowd", "support hat Probleme: 12 warten (Grenze 10)."),
        ("zh", "告警：support：crowd", "support 异常：12 人等待（上限 10）。"),
    ],
)
def test_an_alert_is_mailed_in_the_language_of_the_settings(language: str, subject: str, text: str) -> None:
    assert mail_jobs.words(RAISED, "", language) == (subject, f"{text}\n2026-11-23 00:00:00 UTC\n")


def test_what_the_server_does_not_take_is_tried_again(
    shop: jobs.Workshop, settings: Settings, store: Store, database_url: str, services: Services
) -> None:
    store.record([], [], [RAISED])
    with mailbox("451 later") as (port, taken):
        shop.open(told(settings, port), database_url, services.redis_url)
        with pytest.raises(Retry):
            mail_jobs.mail_alert.apply((ID, "raised"), throw=True)
        mail_jobs.mail_alert.apply((ID, "raised"), retries=len(mail_jobs.PAUSES), throw=True)
    assert taken == []


def test_a_password_is_not_sent_without_tls_and_who_is_not_there_is_said() -> None:
    with mailbox() as (port, taken):
        with pytest.raises(NotSent, match="no TLS"):
            MailServer("127.0.0.1", port, "me@example.com", "user", "password").send(("a@example.com",), "x", "y")
        assert taken == []
    with pytest.raises(NotSent, match="refused"):
        MailServer("127.0.0.1", port, "me@example.com").send(("a@example.com",), "x", "y")


def test_without_settings_nobody_is_told_and_wrong_ones_are_named(settings: Settings) -> None:
    assert mail_jobs.mail_server(settings) is None
    with pytest.raises(SettingsError, match="CONTACTCENTRE_ALERT_MAIL"):
        Settings(alert_mail="nobody")


def test_the_recorder_hands_over_what_was_raised_and_is_over(store: Store, services: Services, redis: "Redis") -> None:
    handed: list[tuple[str, str]] = []
    with connect(services.redis_url) as client:
        recorder = Recorder(store, client, "test", alerted=lambda id, state: handed.append((id, state)))
        for state in ("raised", "acknowledged", "cleared"):
            fact = AlertFact(ID, state, DAY, "support", "crowd", "waiting", 10, 12)
            client.xadd("cc:events", {"alert": fact.to_json()})
        recorder.step(0)
    assert handed == [(ID, "raised"), (ID, "cleared")]
