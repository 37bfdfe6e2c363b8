"""The Celery application: JSON only, acknowledged after the work, Redis as broker (`redis://`,
`redis+socket://`).

A task carries ids, never data: it reads what it needs from the store, so that doing it twice, late or after a
restart is always right. Results are not kept; what a task achieved is a fact in the journal.
"""

from celery import Celery
from celery.schedules import crontab

ASSEMBLE = "contactcentre.assemble"
REASSEMBLE = "contactcentre.assemble_left_over"
RETENTION = "contactcentre.retention"
SWEEP = "contactcentre.sweep_pbx"
DELIVER = "contactcentre.deliver_webhooks"
MAIL_ALERT = "contactcentre.mail_alert"
LOOK_UP = "contactcentre.look_up_customers"

VISIBILITY_SECONDS = 600
"""A task whose worker died is given to another one after so long. No task and no retry delay takes longer."""

DELIVER_SECONDS = 5.0
"""How often it is looked whether a webhook's message is to be tried again."""

app = Celery(
    "contactcentre",
    include=["contactcentre.tasks.jobs", "contactcentre.tasks.webhook_jobs", "contactcentre.tasks.mail_jobs"],
)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_default_queue="contactcentre",
    task_soft_time_limit=VISIBILITY_SECONDS - 60,
    task_time_limit=VISIBILITY_SECONDS - 30,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_max_tasks_per_child=500,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_SECONDS,
        "socket_timeout": 5,
        "socket_connect_timeout": 5,
    },
    timezone="UTC",
    beat_schedule={
        # what the recorder could not hand over, or a worker lost
        "left over": {"task": REASSEMBLE, "schedule": 60.0, "options": {"expires": 60}},
        # what is to be tried again, and what the recorder could not announce
        "webhooks": {"task": DELIVER, "schedule": DELIVER_SECONDS, "options": {"expires": DELIVER_SECONDS}},
        "retention": {"task": RETENTION, "schedule": crontab(hour="2", minute="15")},
        "sweep": {"task": SWEEP, "schedule": crontab(hour="2", minute="45")},
    },
)


def connect_broker(celery_url: str) -> None:
    """Tells where the broker is; call it once at the start of a process."""
    app.conf.broker_url = celery_url


def assemble_soon(recording: str) -> None:
    """Asks a worker to assemble a recording that has ended. Asking twice is harmless. Raises kombu's
    OperationalError when the broker does not take it within some seconds; `assemble_left_over` finds the
    recording then."""
    app.send_task(ASSEMBLE, [recording], retry=False, ignore_result=True)


def deliver_soon() -> None:
    """Asks a worker to send what webhooks are to be told. Asking twice is harmless. Raises as `assemble_soon`; what
    beat starts every few seconds sends it then."""
    app.send_task(DELIVER, retry=False, ignore_result=True, expires=60)


def look_up_soon() -> None:
    """Asks a worker to find out who calls. Asking twice is harmless. Raises as `assemble_soon`; who called is not found
    out then."""
    app.send_task(LOOK_UP, retry=False, ignore_result=True, expires=60)


def mail_soon(alert: str, state: str) -> None:
    """Asks a worker to mail what has become of an alert. Raises as `assemble_soon`; it is not mailed then."""
    app.send_task(MAIL_ALERT, [alert, state], retry=False, ignore_result=True, expires=900)
