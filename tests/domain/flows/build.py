"""Flows for tests."""

from typing import Any

import yaml

from contactcentre.domain.flows.actions import Action, Begin, Result
from contactcentre.domain.flows.model import Flow
from contactcentre.domain.flows.walk import Walker
from contactcentre.domain.site import Site

AT = 1_795_428_000.0  # Monday 2026-11-23 10:00 UTC

SITE = Site.model_validate(
    {
        "settings": {"timezone": "Europe/Paris"},
        "skills": {"lang_en": "English", "lang_fr": "French", "billing": "Bills"},
        "queues": {
            "sales": {},
            "support": {"max_wait": 300, "max_length": 10},
            "busy": {  # has ways of its own
                "max_wait": 60,
                "max_length": 5,
                "overflow": {"timeout": "queue:sales", "full": "callback", "empty": "voicemail:box"},
                "overflow_priority": 7,
                "keys": {1: "voicemail:box", 2: "callback", 3: "agent:anna", 4: "flow:other", 5: "queue:support"},
                "groups": {"gold": 20},
            },
        },
        "agents": {"anna": {}, "box": {}, "carla": {}, "dora": {}},
        "hours": {
            "office": {
                "timezone": "Europe/Paris",
                "holidays": "FR",
                "periods": [{"days": "mon-fri", "open": "09:00", "close": "18:00"}],
            }
        },
        "dids": {"0800": {"flow": "other"}},
        "flows": {
            "other": {
                "start": "hello",
                "language": "fr",
                "nodes": {"hello": {"type": "say", "text": "Bonjour", "next": "end"}, "end": {"type": "hangup"}},
            }
        },
    }
)


def flow(nodes: str, *, start: str = "", site: Site = SITE, **outline: Any) -> Flow:
    """A flow of these nodes (YAML), beginning with the first, with the prompts p and q and a node `end`."""
    made = yaml.safe_load(nodes)
    made.setdefault("end", {"type": "hangup"})
    prompts = {"p": {"en": "Prompt p", "fr": "Texte p"}, "q": {"en": "Prompt q", "fr": "Texte q"}}
    return Flow.parse("test", {"start": start or next(iter(made)), "prompts": prompts, "nodes": made, **outline})


class Call:
    """A walk whose notes are kept in order."""

    def __init__(self, walker: Walker, at: float = AT) -> None:
        self.walker, self.at = walker, at
        self.notes: list[tuple[str, dict[str, Any]]] = []

    @classmethod
    def of(cls, nodes: str, at: float = AT, site: Site = SITE, **variables: str) -> tuple["Call", Action]:
        """A new call in a flow of these nodes, and its first action."""
        known = {"caller": "+33155501234", "caller_name": "Ada", "did": "0800", **variables}
        call = cls(Walker(flow(nodes), site, known), at)
        return call, call.step(Begin())

    def step(self, result: Result) -> Action:
        action = self.walker.step(result, self.at)
        self.notes += [(kind.value, data) for kind, data in self.walker.take_notes()]
        return action

    @property
    def path(self) -> list[str]:
        return [data["node"] for kind, data in self.notes if kind == "flow.node"]

    @property
    def choices(self) -> list[str]:
        return [data["choice"] for kind, data in self.notes if kind == "flow.chose"]
