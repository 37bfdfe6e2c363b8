"""The Celery task that tells people of alerts by e-mail, where the settings name a mail server."""

import time
from typing import Any

from celery import Task, shared_task

from contactcentre.domain.alerts import AlertFact, because
from contactcentre.domain.sentences import phrase
from contactcentre.languages import DEFAULT, translated
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
            subject, text = words(fact, settings.web_url, settings.language)
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


def words(fact: AlertFact, web_url: str, language: str = DEFAULT) -> tuple[str, str]:
    """(subject, text). Addresses of the settings are nobody's account, so the settings say their language."""
    about = {"queue": fact.queue, "name": fact.name}
    moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(fact.at))
    if fact.state == "cleared":
        subject = phrase("Over: %(queue)s: %(name)s", **about)
        text = phrase("%(queue)s is well again: %(name)s is over.", **about)
    else:
        subject = phrase("Alert: %(queue)s: %(name)s", **about)
        why = because(fact.when, fact.value)
        text = phrase("%(queue)s is not well: %(why)s (limit %(limit)s).", **about, why=why, limit=f"{fact.limit:g}")
    told = f"{translated(text, language)}\n{moment}\n"
    return translated(subject, language), told + (f"{web_url}/\n" if web_url else "")
