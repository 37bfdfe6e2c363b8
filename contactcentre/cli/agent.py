"""Agents: who they are and what they can do, and what they are doing now."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.moments import MOMENT, Clock, seconds
from contactcentre.cli.noun import noun
from contactcentre.cli.provisioning import stored_site
from contactcentre.cli.terminal import actor, facts, json_option, listed, print_json, show
from contactcentre.cli.voicemail import waiting_in
from contactcentre.domain import day
from contactcentre.domain.agents import EXTENSION, LONGEST_WRAP_UP, AgentState, AgentStatus, Verb
from contactcentre.domain.devices import NoSuchDevice, account_of, choose, device_of
from contactcentre.domain.ids import short
from contactcentre.domain.site import Agent
from contactcentre.lab import lab_of
from contactcentre.live import in_use, signs_of_life, unreachable
from contactcentre.provision.change import NotThere, found
from contactcentre.settings import Settings


def forget(name: str) -> None:
    """A removed agent's state goes too, or one added again would be logged in at once. A call goes on to its
    end."""
    with open_live() as live:
        if live.agent(name).state not in (AgentState.OFFERED, AgentState.TALKING):
            live.forget_agent(name)


command = noun(
    "agent",
    Agent,
    ("full_name", "number", "endpoint", "skills"),
    after_removal=forget,
    now=waiting_in,
)


@command.command()
@click.option("--since", type=MOMENT, default="today", show_default=True, help="From: 2026-11-23, today, 2h.")
@click.option("--until", type=MOMENT, help="Before.")
@json_option
def work(since: str, until: str | None, as_json: bool) -> None:
    """What agents did: their own customers, and helping others.

    AHT = (talk + hold + consulting + wrap-up) / handled. Helping others is counted apart.
    """
    with open_store() as store:
        clock = Clock.of(store)
        found = store.agent_work(clock.read(since), clock.read(until) if until else time.time())
    rows = [{"agent": name, **asdict(done), "aht": done.aht} for name, done in sorted(found.items())]
    if as_json:
        return print_json(rows)
    spent = ("talk", "hold", "consult", "helping", "wrap_up", "aht")
    told = [{**row, **{name: seconds(row[name]) if row[name] is not None else "-" for name in spent}} for row in rows]
    return listed(told, ("agent", "handled", "helped", *spent), False, "Nobody talked.")


_names = click.argument("names", nargs=-1, required=True, metavar="NAME..")
_note = click.option("--note", default="", help="Why, in words that the agent reads.")


@command.command()
@_names
@click.option("--device", default="", metavar="DEVICE", help="phone, webrtc, external or external:NUMBER.")
@json_option
def login(names: tuple[str, ...], device: str, as_json: bool) -> None:
    """Log agents in: contacts may come.

    With --device also agents who are logged in: the next call comes there.
    """
    site, now = stored_site(), time.time()
    for name in names:
        found(site, "agent", name)
    try:
        chosen = {name: choose(site, name, device) if device else "" for name in names}
    except NoSuchDevice as error:
        raise click.BadParameter(str(error), param_hint="--device") from error
    with open_live() as live:
        after = []
        for name in names:
            there = device and live.agent(name).state is not AgentState.LOGGED_OUT
            after.append(live.change(name, Verb.SWITCH if there else Verb.LOGIN, now, device=chosen[name]))
    _tell(after, now, as_json)


@command.command()
@_names
@_note
@json_option
def logout(names: tuple[str, ...], note: str, as_json: bool) -> None:
    """Log agents out; during a call, when it is over."""
    _step(names, Verb.LOGOUT, as_json, note=note)


@command.command()
@_names
@click.option("--reason", default="", help="One of the site's pause reasons (the first).")
@_note
@json_option
def pause(names: tuple[str, ...], reason: str, note: str, as_json: bool) -> None:
    """Pause agents; during a call, when it is over."""
    _step(names, Verb.PAUSE, as_json, reason, note)


@command.command()
@_names
@_note
@json_option
def unpause(names: tuple[str, ...], note: str, as_json: bool) -> None:
    """End a pause or wrap-up, or take back a wish to pause."""
    _step(names, Verb.UNPAUSE, as_json, note=note)


command.add_command(unpause, "ready")


@command.command()
@click.argument("name")
@click.argument("levels", nargs=-1, metavar="[SKILL=LEVEL]..")
@click.option("--as-site", is_flag=True, help="As the site says again.")
@json_option
def skills(name: str, levels: tuple[str, ...], as_site: bool, as_json: bool) -> None:
    """Show an agent's skills, or change some until midnight.

    lang_fr=80 counts until midnight in the site's time zone, lang_fr= or lang_fr=0 is without the skill. What was given
    for the day before and is not named stays.
    """
    site, now = stored_site(), time.time()
    found(site, "agent", name)
    with open_live() as live:
        status = live.agent(name)
        today = {} if as_site else {**day.skills_now(status, now), **_levels(levels)}
        if levels or as_site:
            try:
                day.check(site, today)
            except ValueError as error:
                raise click.BadParameter(str(error), param_hint="SKILL=LEVEL") from error
            until = day.next_midnight(site.settings.timezone, now)
            status = live.change(name, Verb.LEND, now, skills=day.write(today), until=until)
            with open_store() as store:
                store.audit(actor(), "agent.skills", f"agent {name}", {"skills": today})
    today = day.skills_now(status, now)
    rows = [
        {"skill": skill, "site": site.agents[name].skills.get(skill, 0), "today": today.get(skill)}
        for skill in sorted(site.skills)
    ]
    if as_json:
        return print_json({"agent": name, "until": status.skills_until if today else None, "skills": rows})
    listed(rows, ("skill", "site", "today"), False, "The site has no skills.")
    if today:
        click.echo(f"Today's end in {seconds(status.skills_until - now)}.")
    return None


@command.command()
@click.argument("name")
@click.argument("more", type=click.FloatRange(1, LONGEST_WRAP_UP), default=EXTENSION, metavar="[SECONDS]")
@json_option
def extend(name: str, more: float, as_json: bool) -> None:
    """Give an agent more time for wrap-up.

    A minute unless SECONDS says otherwise, and never beyond half an hour from now."""
    _step((name,), Verb.EXTEND, as_json, seconds=more)


@command.command()
@click.argument("name", required=False)
@json_option
def status(name: str | None, as_json: bool) -> None:
    """What an agent, or everybody, is doing now."""
    site = stored_site()
    if name:
        found(site, "agent", name)
    with open_live() as live:
        known, signs = live.agents(), signs_of_life(live.redis)
    away, busy = unreachable(signs), in_use(signs)
    now = time.time()
    names = [name] if name else sorted(site.agents)
    rows = []
    for one in names:
        state = known.get(one) or AgentStatus(one)
        device = device_of(site, one, state.device)
        phone = "away" if one in away else "in_use" if one in busy else "free"
        since = away.get(one) or busy.get(one) or None
        rows.append(
            {
                **_told(state, now),
                "device": device.kind.value,
                "called": device.endpoint,
                "phone": phone,
                "phone_away": one in away,
                "phone_since": since,
            }
        )
    if as_json:
        print_json(rows[0] if name else rows)
        return
    shown = [
        {
            **row,
            "state": in_words(str(row["state"])),
            "for": seconds(row["for_seconds"]),
            "contact": short(str(row["contact_id"])),
            "device": row["device"],
            "phone": _phone_in_words(row, now),
        }
        for row in rows
    ]
    listed(
        shown,
        ("name", "state", "for", "reason", "queue", "contact", "calls", "device", "phone"),
        False,
        "The site has no agents.",
    )


@command.command()
@click.argument("name")
@click.option("--reveal", is_flag=True, help="Show the password too; this is kept in the audit log.")
@json_option
def secret(name: str, reveal: bool, as_json: bool) -> None:
    """The settings for an agent's SIP phone."""
    settings = Settings()
    site = stored_site()
    found(site, "agent", name)
    with open_store() as store:
        password = store.secret(f"agent/{name}")
        if password is None:
            raise NotThere(f"agent {name} has no secret yet: `contactcentre apply` makes one")
        if reveal:
            store.audit(actor(), "agent.secret", f"agent {name}")
    shown = {
        "server": _sip_server(settings),
        "user": account_of(site, name),
        "password": password if reveal else "(add --reveal to see it)",
        "codecs": "alaw, ulaw",
        "dtmf": "RFC 4733",
        "number": site.agents[name].number or "",
    }
    if as_json:
        print_json({"name": name, **shown, "password": password if reveal else None})
        return
    show(facts((field, value or "-") for field, value in shown.items()))


def _levels(given: tuple[str, ...]) -> dict[str, int]:
    found = {}
    for one in given:
        skill, equals, level = one.partition("=")
        if not equals or (level and not level.isdecimal()):
            raise click.BadParameter(f"{one!r} is not like lang_fr=80", param_hint="SKILL=LEVEL")
        found[skill] = int(level or 0)
    return found


def _step(
    names: tuple[str, ...], verb: Verb, as_json: bool, reason: str = "", note: str = "", **arguments: float
) -> None:
    site = stored_site()
    for name in names:
        found(site, "agent", name)
    said: dict[str, Any] = dict(arguments)
    if verb is Verb.PAUSE:
        reasons = site.settings.pause_reasons
        reason = reason or (reasons[0] if reasons else "")
        if reason not in reasons:
            raise click.BadParameter(f"{reason!r} is not one of: {', '.join(reasons)}", param_hint="--reason")
        said = {"reason": reason}
    if verb is not Verb.EXTEND:
        said |= {"by": actor(), "note": note}
    now = time.time()
    with open_live() as live, open_store() as store:
        after = []
        for name in names:
            after.append(live.change(name, verb, now, **said))
            store.audit(actor(), f"agent.{verb.value}", f"agent {name}", {k: v for k, v in said.items() if k != "by"})
    _tell(after, now, as_json, Verb.EXTEND if verb is Verb.EXTEND else None)


def _tell(after: Sequence[AgentStatus], now: float, as_json: bool, verb: Verb | None = None) -> None:
    if as_json:
        print_json([_told(one, now) for one in after])
        return
    for one in after:
        words = {"": "", "logout": ", logged out when this is over"}
        then = words.get(one.then, f", {one.then} when this is over")
        left = f" for {seconds(one.deadline - now)} more" if verb is Verb.EXTEND else ""
        by = f", called by {one.device}" if one.device else ""
        reason = f" ({one.reason})" if one.reason else ""
        click.echo(f"{one.name} is {in_words(one.state.value)}{reason}{left}{by}{then}")


def _phone_in_words(row: dict[str, Any], now: float) -> str:
    words = {"away": "not registered", "in_use": "in a call of its own"}.get(row["phone"], "")
    return f"{words}, {seconds(now - row['phone_since'])}" if words and row["phone_since"] else words


def in_words(state: str) -> str:
    """An agent's state as people say it."""
    return {"wrap_up": "in wrap-up"}.get(state, state.replace("_", " "))


def _told(status: AgentStatus, now: float) -> dict[str, Any]:
    """What may be shown: everything but the offer's token."""
    told = asdict(status)
    del told["token"]
    return {**told, "for_seconds": round(now - status.since) if status.since else None}


def _sip_server(settings: Settings) -> str:
    running = lab_of(settings).status()
    return f"{running.sip_host}:{running.sip_port}" if running else "the address of this PBX"
