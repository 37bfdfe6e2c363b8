"""Structured logs on stderr: `configure()` once at the start of a process, then `logs.get(__name__)`.

What a caller controls may land in a value: control characters are escaped, passwords are masked.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from contactcentre.outages import Said
from contactcentre.settings import without_password

_SECRET_WORDS = ("password", "secret", "token", "authorization", "cookie", "api_key")


def get(name: str) -> Any:
    """A logger: `log.info("what happened", contact_id=..., seconds=...)`."""
    return structlog.stdlib.get_logger(name)


def configure(level: str = "info", style: str = "console", stream: TextIO | None = None, **bound: Any) -> None:
    """Routes structlog and the library's logging to `stream` (stderr); `bound` goes into every line."""
    out = stream or sys.stderr
    structlog.contextvars.clear_contextvars()

    def of_process(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Not by context: each greenlet begins with an empty one."""
        return {**bound, **event}

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        of_process,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Any]
    if style == "json":
        last = [
            structlog.processors.format_exc_info,
            _clean,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ]
    else:
        # not rich's tracebacks: they print every frame's local variables, and with them passwords and tokens
        plain = structlog.dev.plain_traceback
        last = [_clean, structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=0, exception_formatter=plain)]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    handler.addFilter(Said())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("websockets", "alembic", "asyncio"):
        logging.getLogger(noisy).setLevel(max(root.level, logging.WARNING))
    # it warns of every try to reach a PBX that is away; we say so once, and when it is back
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def _clean(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "***"
        elif isinstance(value, str) and name != "exception":
            event[name] = printable(without_password(value))
    return event


def printable(text: str) -> str:
    """The text with control characters, newlines and terminal escapes included, written as \\xNN."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
