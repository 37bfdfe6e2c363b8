"""Tells pages that are open what people at work tell each other. Where Redis is away they read it later."""

from collections.abc import Collection
from typing import Any

from redis import Redis

from contactcentre.domain.notation import encode
from contactcentre.live.connection import PREFIX, ask
from contactcentre.live.state import KEPT_CHANGES


def announce(redis: "Redis", notice: dict[str, Any], readers: Collection[str], prefix: str = PREFIX) -> None:
    """To the desks of agents among the readers, with the text; to supervisors' pages, that there is news. Raises Away
    or Refused."""
    told = encode({"notice": notice, "readers": list(readers)})
    entry = ("kind", "notice", "key", str(notice.get("id", "")), "value", told)
    ask(redis, "XADD", f"{prefix}changes", "MAXLEN", "~", KEPT_CHANGES, "*", *entry)
