"""What an agent presses during a conversation: a code, and for some codes the number of somebody after it.

Digits have no mark that says for whom they are meant. So a code begins with `*` or `#`, its keys follow each other
within `CODE_PAUSE`, and what fits no code is for whoever is at the other end (an agent may talk with a machine).
Whoever reads this keeps the keys from the others, and passes on what was not meant for us.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from contactcentre.domain.site import Keys

CODE_PAUSE = 2.0
"""Seconds between two keys of one code, at most."""

NUMBER_PAUSE = 3.0
"""Seconds after the last key in which a number is complete also without `#`."""

FIRST_PAUSE = 8.0
"""Seconds to begin a number, after its code."""

LONGEST = 32
"""Keys of a number."""

WITH_NUMBER = frozenset({"transfer", "consult", "add"})


class Step(StrEnum):
    BEGUN = "begun"  # a number is to follow
    DONE = "done"
    GIVEN_UP = "given_up"  # no number followed, or `*`


@dataclass(frozen=True, slots=True)
class Keyed:
    """What was pressed."""

    step: Step
    verb: str  # as the site's `features.keys` names it
    number: str = ""


class Keypad:
    """The keys of one phone, one after the other. Times are epoch seconds."""

    def __init__(self) -> None:
        self._code = ""  # the beginning of one
        self._verb = ""  # whose number is being pressed
        self._number = ""
        self._passed = ""
        self.until: float | None = None
        """When waiting for the next key ends; `look` then."""

    def press(self, key: str, at: float, keys: Keys) -> Keyed | None:
        """One more key; what it makes complete."""
        late = self.look(at)
        if self._verb:
            return self._number_goes_on(key, at)
        codes = codes_of(keys)
        self._code += key
        while self._code and not any(code.startswith(self._code) for code in codes):
            self._passed, self._code = self._passed + self._code[0], self._code[1:]
        verb = codes.get(self._code, "")
        self.until = at + CODE_PAUSE if self._code and not verb else None
        if not verb:
            return late
        self._code = ""
        if verb not in WITH_NUMBER:
            return Keyed(Step.DONE, verb)
        self._verb, self._number, self.until = verb, "", at + FIRST_PAUSE
        return Keyed(Step.BEGUN, verb)

    def look(self, at: float) -> Keyed | None:
        """What is complete, or given up, because no key followed."""
        if self.until is None or at < self.until:
            return None
        if self._verb:
            return self._number_ends()
        self._passed += self._code
        self.clear()
        return None

    def passed(self) -> str:
        """The keys since the last time that were not meant for us."""
        passed, self._passed = self._passed, ""
        return passed

    def clear(self) -> None:
        """Whatever was begun is not meant any more."""
        self._code = self._verb = self._number = ""
        self.until = None

    def _number_goes_on(self, key: str, at: float) -> Keyed | None:
        if key == "*":
            self._number = ""
        if key in "*#":
            return self._number_ends()
        self._number = (self._number + key)[:LONGEST]
        self.until = at + NUMBER_PAUSE
        return None

    def _number_ends(self) -> Keyed:
        keyed = Keyed(Step.DONE if self._number else Step.GIVEN_UP, self._verb, self._number)
        self.clear()
        return keyed


@lru_cache(maxsize=16)
def codes_of(keys: Keys) -> Mapping[str, str]:
    """Code -> what it does."""
    return {code: verb for verb, code in keys.model_dump().items() if code}


def clashes(keys: Keys) -> list[tuple[str, str]]:
    """Pairs of what `keys` names, of which the second one's code begins with the first one's, and could never be
    pressed."""
    named = [(verb, code) for verb, code in keys.model_dump().items() if code]
    return [
        (verb, other)
        for place, (verb, code) in enumerate(named)
        for position, (other, longer) in enumerate(named)
        if place != position and longer.startswith(code) and (longer != code or place < position)
    ]
