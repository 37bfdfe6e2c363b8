"""Which numbers outside agents may call, or send customers to: whoever steals an agent's account must not call at our
expense.

`settings.transfer_numbers` lists how they begin, as the rest of the site writes numbers: international, or national
where `settings.country` is known. A complete number is a beginning, too. Nothing is listed: nothing may be called.
"""

from contactcentre.domain.numbers import begins_with, canonical, is_possible
from contactcentre.domain.site import Settings


class NotAllowed(ValueError):
    """The number must not be called. Says why."""

    def __init__(self, code: str, text: str) -> None:
        """`code`: not_allowed, or wrong_target for what nobody could call."""
        super().__init__(text)
        self.code = code


def allowed(settings: Settings, number: str) -> str:
    """The number as it is dialled: international where it is a telephone number and the country is known. Raises
    NotAllowed."""
    known = canonical(number, settings.country)
    if not begins_with(number, settings.transfer_numbers, settings.country):
        listed = ", ".join(settings.transfer_numbers) or "none"
        spelled = number if known == number else f"{number} ({known})"
        raise NotAllowed("not_allowed", f"{spelled} begins with none of settings.transfer_numbers ({listed})")
    if known.startswith("+") and not is_possible(known, settings.country):
        raise NotAllowed("wrong_target", f"{known} is no telephone number: too short, too long, or of no country")
    return known
