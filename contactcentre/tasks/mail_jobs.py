"""The Celery task that tells people of alerts by e-mail, where the settings name a mail server."""

import time
from typing import Any

from celery import Task, shared_task

from contactcentre.domain.alerts import WORDS, AlertFact
from contactcentre.outgoing.mail import MailServer, NotSent
from contactcentre.settings import Settings
from contactcentre.store import StoreUnavailable
from contactcentre.tasks.app import MAIL_ALERT
from contactcentre.tasks.jobs import log, workshop

PAUSES = (10, 60, 300, 540)
"""Seconds between the tries; after these an alert is no news."""


@shared_task(bind=True, name=MAIL_ALERT, max_retries=len(PAUSES))  # type: ignore[untyped-decorator]
def mail_alert(task: "Task[..., Any]", id: str, state: str) -> None:
    """Tells all whom the settings name that an alert was raised, or is over."""
    settings, tries = workshop.settings, task.request.retries
    server = mail_server(settings)
    if server is None:
        return
    try:
        fact = workshop.store.alert_fact(id, state)
        if fact is not None:
            subject, text = words(fact, settings.web_url)
            server.send(tuple(settings.alert_mail.split()), subject, text)
    except (NotSent, StoreUnavailable) as error:
        if tries >= len(PAUSES):
            log.error("an alert could not be mailed", alert=id, error=str(error))
            return
        log.warning("an alert was not mailed yet", alert=id, error=str(error), again_in=PAUSES[tries])
        raise task.retry(exc=error, countdown=PAUSES[tries]) from error


def mail_server(settings: Settings) -> MailServer | None:
    """None where nobody is to be told by e-mail."""
    if not settings.smtp_server or not settings.alert_mail:
        return None
    host, _, port = settings.smtp_server.rpartition(":")
    password = settings.smtp_secret.get_secret_value() if settings.smtp_secret else ""
    return MailServer(host, int(port), settings.mail_from or f"contactcentre@{host}", settings.smtp_user, password)


def words(fact: AlertFact, web_url: str) -> tuple[str, str]:
    """(subject, text)."""
    because = WORDS.get(fact.when, "{value:g}").format(value=fact.value)
    moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(fact.at))
    if fact.state == "cleared":
        subject, text = f"Over: {fact.queue}: {fact.name}", f"{fact.queue} is well again: {fact.name} is over."
    else:
        subject, text = (
            f"Alert: {fact.queue}: {fact.name}",
            f"{fact.queue} is not well: {because} (limit {fact.limit:g}).",
        )
    return subject, f"{text}\n{moment}\n" + (f"{web_url}/\n" if web_url else "")
