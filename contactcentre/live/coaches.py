"""Mentors that were assigned by command or API: they go before the site's own until they are taken back."""

import json

from redis import Redis

from contactcentre.domain.coaching import Coaching
from contactcentre.live.connection import PREFIX, ask


class Coaches:
    """Methods raise Away or Refused."""

    def __init__(self, redis: "Redis", prefix: str = PREFIX) -> None:
        self._redis, self._key = redis, f"{prefix}coaches"

    def all(self) -> dict[str, Coaching]:
        """Agent -> what was assigned last."""
        found = {}
        for agent, text in dict(ask(self._redis, "HGETALL", self._key)).items():
            try:
                found[str(agent)] = Coaching.restore(json.loads(text))
            except (ValueError, AttributeError):  # not ours
                continue
        return found

    def assign(self, agent: str, coaching: Coaching, standing: Coaching) -> None:
        """Counts within a second. `coaching.mentor` "" = nobody. Where it says what the site says (`standing`), nothing
        is kept, and later changes of the site count."""
        if coaching == standing or not (coaching.mentor or standing.mentor):
            ask(self._redis, "HDEL", self._key, agent)
        else:
            ask(self._redis, "HSET", self._key, agent, json.dumps(coaching.save()))
