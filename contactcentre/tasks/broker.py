"""Celery's words about a broker that is away, told as an outage of Redis (`contactcentre.outages`).

Celery says at each try that it failed, in several places, partly with tracebacks; it is the same Redis.
"""

import logging
import warnings
from typing import Any

from celery import signals

from contactcentre.outages import REDIS

AWAY = ("consumer: Cannot connect to", "consumer: Connection to broker lost", "beat: Connection error", "beat pidbox")
BACK = ("Connected to", "beat pidbox: Connected to")
LOGGERS = ("celery.worker.consumer.consumer", "celery.worker.consumer.connection", "celery.beat")
LOST = "the broker is away: "


class BrokerTold(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if text.startswith(BACK):
            back()
        elif text.startswith(AWAY):
            reason = next((str(arg) for arg in record.args or () if isinstance(arg, Exception)), text)
            REDIS.failed(LOST + reason.strip())
            return False
        return True


def back(**_: Any) -> None:
    if REDIS.on:
        REDIS.worked()


def listen() -> None:
    """From now on, in this process and those that it forks."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(BrokerTold())
    # beat does not say that it has found its way back
    signals.after_task_publish.connect(back, weak=False)
    # that tasks under way will run a second time when their broker was lost is what we want: each may
    warnings.filterwarnings("ignore", message=r"\s*In Celery 5\.1 we introduced an optional breaking change")
