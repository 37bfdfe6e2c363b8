"""Calls that go on: hold, transfer, consult, conference, park, record, hang up."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.terminal import actor, json_option, print_json, said, show
from contactcentre.domain.ids import short

if TYPE_CHECKING:
    from contactcentre.domain.conversation import Conversation
    from contactcentre.live import ContactNow

CONTACT = click.argument("contact", metavar="CONTACT")
TO = click.argument("to", metavar="DESTINATION")
_PLACES = {"together": "in the conversation", "music": "hears music", "ringing": "rings"}


@click.group("call")
def command() -> None:
    """Calls that go on: hold, transfer, consult, conference, park, record, hang up.

    CONTACT is a contact's id, the beginning of one, or the name of the agent who talks with it. A DESTINATION is
    agent:NAME, queue:NAME, flow:NAME, voicemail:BOX, did:NUMBER or number:NUMBER; numbers outside must begin as
    `settings.transfer_numbers` of the site says.
    """


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Conversations and parked customers now."""
    from contactcentre.live.calls import under_way

    with open_live() as live:
        now = sorted(live.contacts().values(), key=lambda contact: contact.arrived)
    rows = [_row(contact, *found) for contact in now if (found := under_way(contact)) is not None]
    if as_json:
        return print_json(rows)
    if not rows:
        return click.echo("Nobody talks.")
    table = Table("Contact", "Caller", "State", "With", "Queue", "Slot", box=None, pad_edge=False)
    for row in rows:
        others = ", ".join(party["agent"] or party["to"] for party in row["parties"])
        cells = (short(row["contact"]), row["caller"], row["state"], others, row["queue"], row["slot"])
        table.add_row(*(said(str(cell)) for cell in cells))
    return show(table)


def _row(contact: "ContactNow", state: str, talk: "Conversation") -> dict[str, Any]:
    return {
        "contact": contact.contact_id,
        "node": contact.node,
        "caller": contact.caller,
        "state": state,
        "queue": talk.queue,
        "slot": talk.slot,
        "since": contact.since,
        "parties": [{"agent": p.agent, "to": p.to, "place": p.place.value} for p in talk.parties.values()],
    }


# -- verbs -----------------------------------------------------------------------------------------------------------


def _ask(contact: str, verb: str, as_json: bool, **args: Any) -> None:
    """Asks the controller that drives the call, and prints the state after it."""
    from contactcentre.live import CommandFailed, NoSuchCall, calls

    with open_live() as live:
        try:
            found = calls.find(live, contact)
            told = calls.ask(live, found, verb, args)
        except NoSuchCall as unknown:
            raise click.ClickException(f"{unknown}; see `contactcentre call list`") from unknown
        except CommandFailed as refused:
            if as_json:
                print_json({"code": refused.code, "message": str(refused)})
            raise click.ClickException(f"{verb}: {refused}") from refused
    with open_store() as store:
        store.audit(actor(), f"call.{verb}", found.contact_id, calls.noted(args))
    if as_json:
        print_json(told)
    elif "parties" in told:
        _show(told)
    else:
        click.echo(f"{short(found.contact_id)}: done")


def _show(told: Mapping[str, Any]) -> None:
    slot = f" in {told['slot']}" if told["slot"] else ""
    recording = f", recording {told['recording']}" if told["recording"] else ""
    click.echo(f"{short(told['contact'])}: {told['state']}{slot}{recording}")
    table = Table(box=None, pad_edge=False, show_header=False)
    for party in told["parties"]:
        name = party.get("agent") or party.get("to") or "customer"
        muted = ", muted" if party["muted"] else ""
        table.add_row(Text("  "), said(name), said(_PLACES.get(party["place"], party["place"]) + muted))
    show(table)


def _simple(verb: str, help_text: str) -> None:
    @command.command(verb, help=help_text)
    @CONTACT
    @json_option
    def ask(contact: str, as_json: bool) -> None:
        _ask(contact, verb, as_json)


for _verb, _help in {
    "hold": "The customer hears the queue's music.",
    "resume": "The customer on hold hears the agent again.",
    "toggle": "Talk with the customer, who is asked hears music; and back.",
    "complete": "Who was asked has the customer, the agent leaves.",
    "conference": "Who was asked, the agent and the customer talk.",
    "cancel": "Nobody is asked any more, the customer is back.",
    "drop": "The agent leaves, the others of the conference talk on.",
}.items():
    _simple(_verb, _help)


def _to_verb(verb: str, help_text: str) -> None:
    @command.command(verb, help=help_text)
    @CONTACT
    @TO
    @json_option
    def ask(contact: str, to: str, as_json: bool) -> None:
        _ask(contact, verb, as_json, to=to)


for _verb, _help in {
    "transfer": "The agent leaves, the customer goes on to DESTINATION.",
    "consult": "Ask an agent, a queue or a number; the customer hears music.",
    "add": "Call somebody into the conversation.",
}.items():
    _to_verb(_verb, _help)


def _party_verb(verb: str, help_text: str, required: bool) -> None:
    @command.command(verb, help=help_text)
    @CONTACT
    @click.argument("party", required=required, default=None if required else "")
    @json_option
    def ask(contact: str, party: str, as_json: bool) -> None:
        _ask(contact, verb, as_json, party=party)


_party_verb("mute", "Nobody hears PARTY: an agent, a number, or `customer`.", False)
_party_verb("unmute", "PARTY is heard again.", False)
_party_verb("kick", "PARTY leaves the conversation.", True)


@command.command()
@CONTACT
@click.option("--slot", default="", help="Where; the first that is free, if not named.")
@json_option
def park(contact: str, slot: str, as_json: bool) -> None:
    """The customer hears music until somebody retrieves them.

    Nobody did within `settings.park_seconds`: they go back to the agent, then to the queue.
    """
    _ask(contact, "park", as_json, slot=slot)


@command.command()
@CONTACT
@click.argument("agent")
@json_option
def retrieve(contact: str, agent: str, as_json: bool) -> None:
    """AGENT takes a parked customer. CONTACT may be the slot's number."""
    _ask(contact, "retrieve", as_json, agent=agent)


@command.command()
@CONTACT
@click.argument("agent")
@json_option
def pickup(contact: str, agent: str, as_json: bool) -> None:
    """AGENT's phone rings for a customer who waits or is parked. Whoever answers first has them: CONTACT may be the
    agent whose phone rings for them already."""
    _ask(contact, "pickup", as_json, agent=agent)


@command.command()
@CONTACT
@click.argument("digits")
@json_option
def dtmf(contact: str, digits: str, as_json: bool) -> None:
    """Send keys to the customer's side."""
    _ask(contact, "dtmf", as_json, digits=digits)


@command.command()
@CONTACT
@click.argument("action", type=click.Choice(["start", "stop", "pause", "resume"]))
@json_option
def record(contact: str, action: str, as_json: bool) -> None:
    """Record or pause; a pause is silence in the recording."""
    _ask(contact, "record", as_json, action=action)


@command.command()
@CONTACT
@TO
@json_option
def move(contact: str, to: str, as_json: bool) -> None:
    """Who waits goes on in another queue, DESTINATION queue:NAME.

    The first arrival still counts. A queue that is full or empty leads back.
    """
    _ask(contact, "move", as_json, to=to)


_simple("front", "Who waits is the next one of the queue.")


@command.command()
@CONTACT
@click.argument("points", type=click.IntRange(-1000, 1000))
@json_option
def priority(contact: str, points: int, as_json: bool) -> None:
    """Who waits has so many points from now on (with the queue's own)."""
    _ask(contact, "priority", as_json, priority=points)


@command.command()
@CONTACT
@json_option
def hangup(contact: str, as_json: bool) -> None:
    """End the call for everybody."""
    _ask(contact, "hangup", as_json)
