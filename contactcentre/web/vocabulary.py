"""Words that stand in data (a role, an outcome, a state), as the templates' filter `say` finds them in catalogues."""

from collections.abc import Mapping

from contactcentre.domain.sentences import Phrase, phrase

WORDS = (
    # how a contact ended, and by whom
    phrase("answered"),
    phrase("abandoned"),
    phrase("self served"),
    phrase("voicemail"),
    phrase("callback"),
    phrase("transferred"),
    phrase("rejected"),
    phrase("overload"),
    phrase("lost"),
    phrase("not reached"),
    phrase("caller"),
    phrase("system"),
    # messages, accounts, webhooks, passwords of the site
    phrase("new"),
    phrase("claimed"),
    phrase("done"),
    phrase("active"),
    phrase("invited"),
    phrase("disabled"),
    phrase("on"),
    phrase("off"),
    phrase("failing"),
    phrase("missing"),
    phrase("set"),
    phrase("yes"),
    phrase("no"),
    phrase("default"),
)

ROUTING = (
    # rules of routing.Cut and routing.Nobody, as they stand in history; some begin a sentence
    phrase("serves a contact with right of way"),
    phrase("another agent is preferred"),
    phrase("excluded by the contact"),
    phrase("waits out the delay after an offer"),
    phrase("phone not registered or not answering"),
    phrase("in wrap-up"),
    phrase("rings for a contact"),
    phrase("talking"),
    phrase("paused"),
    phrase("is asked later"),
    phrase("does not fit"),
    phrase("logged out"),
    phrase("not a member of the queue"),
    phrase("Serves a contact with right of way"),
    phrase("Another agent is preferred"),
    phrase("Excluded by the contact"),
    phrase("Waits out the delay after an offer"),
    phrase("Phone not registered or not answering"),
    phrase("In wrap-up"),
    phrase("Rings for a contact"),
    phrase("Talking"),
    phrase("Paused"),
    phrase("Is asked later"),
    phrase("Does not fit"),
    phrase("Logged out"),
    phrase("Not a member of the queue"),
    phrase("the queue is not in the site"),
    phrase("the contact's requirement cannot be read"),
    phrase("waits for an agent it prefers"),
    phrase("no member of the queue fits"),
    phrase("nobody who fits is logged in"),
    phrase("nobody who fits is free for it"),
    phrase("an agent is ringing for it already"),
    # what became of offers, visits to queues, supervisions and recordings
    phrase("missed"),
    phrase("busy"),
    phrase("unreachable"),
    phrase("caller gone"),
    phrase("expired"),
    phrase("answered elsewhere"),
    phrase("declined it"),
    phrase("was ringing when the caller hung up"),
    phrase("did not answer before the offer's deadline"),
    phrase("was ringing when another agent answered"),
    phrase("timeout"),
    phrase("key"),
    phrase("full"),
    phrase("empty"),
    phrase("listen"),
    phrase("whisper"),
    phrase("barge"),
    phrase("no reason was noted"),
    phrase("stored"),
    phrase("failed"),
    phrase("deleted"),
    # scores, by strategies.STRATEGIES
    phrase("%(score)s seconds since the last turn", score=""),
    phrase("%(score)s seconds idle", score=""),
    phrase("%(score)s calls answered", score=""),
    phrase("%(score)s seconds talked", score=""),
    phrase("level %(score)s", score=""),
    phrase("place %(score)s in the queue", score=""),
    phrase("drawn with weight %(score)s", score=""),
)

ROLES: Mapping[str, Phrase] = {
    str(one): one
    for one in (phrase("admin"), phrase("supervisor"), phrase("agent"), phrase("auditor"), phrase("wallboard"))
}

PARTS: Mapping[str, Phrase] = {
    "trunks": phrase("Trunks"),
    "dids": phrase("DIDs"),
    "queues": phrase("Queues"),
    "skills": phrase("Skills"),
    "agents": phrase("Agents"),
    "flows": phrase("Flows"),
    "hours": phrase("Hours"),
    "music": phrase("Music"),
    "features": phrase("Features"),
    "settings": phrase("Settings"),
    "freeswitch": phrase("FreeSWITCH"),
}
"""Sections of the site."""

NEW: Mapping[str, Phrase] = {
    "trunk": phrase("New trunk"),
    "DID": phrase("New DID"),
    "queue": phrase("New queue"),
    "skill": phrase("New skill"),
    "agent": phrase("New agent"),
    "flow": phrase("New flow"),
    "hours": phrase("New hours"),
    "music": phrase("New music"),
}

REFUSALS: Mapping[str, Phrase] = {
    "alone": phrase("Nobody else talks with the customer: hang up, or transfer it."),
    "busy": phrase("The call did not answer in time. Try again."),
    "conference": phrase("Others talk with the customer, too."),
    "consulting": phrase("Somebody is being asked: complete or cancel that first."),
    "held_already": phrase("The customer is on hold already."),
    "listens_already": phrase("This phone listens to another call already."),
    "muted_already": phrase("That is muted already."),
    "no_answer": phrase("The call did not answer in time. Try again."),
    "no_call": phrase("There is no call now."),
    "no_softphone": phrase("This agent has no phone in the browser."),
    "no_standby": phrase("No controller stands by."),
    "no_such_target": phrase("The site has nobody of this name."),
    "not_answered": phrase("Nobody has answered there yet."),
    "not_consulting": phrase("Nobody is being asked."),
    "not_found": phrase("There is no such call any more."),
    "not_held": phrase("The customer is not on hold."),
    "not_muted": phrase("That is not muted."),
    "not_oneself": phrase("That is the agent who talks with the customer."),
    "not_ready": phrase("The controller that stands by is not ready yet."),
    "not_talking": phrase("No agent talks with this customer."),
    "oneself": phrase("This phone is in the call itself: another one is needed."),
    "over": phrase("It is over."),
    "parked": phrase("The customer is parked: retrieve it first."),
    "pbx": phrase("The PBX did not do it."),
    "phone_elsewhere": phrase("Your phone is in another window."),
    "suspended": phrase("The link to the PBX was lost: try again."),
    "too_many": phrase("Too many supervisors listen already."),
    "unreachable": phrase("That phone cannot be called."),
    "wrong_phone": phrase("That is no phone: an agent, an extension, or a number."),
}
"""What a controller says no to, by its code: its own words, which may say more, are English."""

PASSWORDS: Mapping[str, Phrase] = {
    str(one): one
    for one in (
        phrase("It is easy to guess."),
        phrase("A word by itself is easy to guess."),
        phrase("Common names and surnames are easy to guess."),
        phrase("Dates are often easy to guess."),
        phrase("Names and surnames by themselves are easy to guess."),
        phrase("Recent years are easy to guess."),
        phrase('Repeats like "aaa" are easy to guess.'),
        phrase('Repeats like "abcabcabc" are only slightly harder to guess than "abc".'),
        phrase('Sequences like "abc" or "6543" are easy to guess.'),
        phrase("Short keyboard patterns are easy to guess."),
        phrase("Straight rows of keys are easy to guess."),
        phrase("This is a top-10 common password."),
        phrase("This is a top-100 common password."),
        phrase("This is a very common password."),
        phrase("This is similar to a commonly used password."),
    )
}
"""What zxcvbn finds wrong."""
