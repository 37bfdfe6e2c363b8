"""A flow for people: drawn, with the calls that went along its ways today, and tried out."""

import time
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.day import midnight
from contactcentre.domain.flows.check import check
from contactcentre.domain.flows.drawing import svg
from contactcentre.domain.flows.graph import arrows, summary, with_places
from contactcentre.domain.flows.model import Flow, read
from contactcentre.domain.flows.problems import shorten
from contactcentre.domain.flows.simulate import Script, moment_of, script_problems, simulate
from contactcentre.domain.flows.spoken import text_of
from contactcentre.domain.flows.walk import Walker
from contactcentre.domain.site import Site
from contactcentre.prompts.speech import bundled_texts
from contactcentre.store.traffic import FlowTraffic
from contactcentre.web.errors import BadValue, NotFound
from contactcentre.web.proposals import read_yaml, site_of
from contactcentre.web.rows import Row
from contactcentre.web.wiring import services

NAME = r"^[a-z][a-z0-9_-]{0,39}$"
DRAWN = 200
"""Nodes of a flow that is drawn; a larger one nobody could read, and it would hold other requests up."""


class Written(BaseModel):
    """A flow as it is in the site, or as `yaml` has it."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME)
    yaml: str | None = Field(default=None, max_length=400_000, description="instead of what the site has")


class Trial(Written):
    caller: str = Field(default="+33155501234", max_length=40)
    caller_name: str = Field(default="", max_length=80)
    did: str = Field(default="", max_length=40)
    language: str = Field(default="", max_length=20, description="what the DID says; the flow's own wins")
    at: str = Field(default="", max_length=40, description="by the site's clock, as 2026-12-25 10:00; empty: now")
    digits: list[str] = Field(default=[], max_length=100, description="an entry for each question, or `hangup`")
    queues: list[str] = Field(
        default=["answered"], min_length=1, max_length=50, description="how each wait ends, the last again and again"
    )
    transfers_fail: bool = False
    lookups: dict[str, dict[str, Any] | None] = Field(default={}, description="what lookups get; null: it fails")


class NodeRow(Row):
    name: str
    type: str
    about: str
    calls: int = Field(description="today")


class WayRow(Row):
    source: str
    target: str
    labels: list[str] = Field(description="empty: it simply goes on there")
    calls: int = Field(description="today")


class FlowRow(Row):
    name: str
    start: str
    description: str
    calls: int = Field(description="today, of the latest 2000 calls")
    since: float = Field(description="when today began by the site's clock")
    nodes: list[NodeRow]
    ways: list[WayRow]
    warnings: list[str] = Field(description="what a person should look at")
    svg: str = Field(description="drawn, without a style sheet; empty: it has too many nodes")


class MomentRow(Row):
    """The caller at one node."""

    at: float
    clock: str
    flow: str
    node: str
    type: str
    heard: list[str]
    did: list[str]
    set: dict[str, Any]
    choice: str


class TrialRow(Row):
    ok: bool = Field(description="false: the flow failed, or did not end")
    ending: str
    moments: list[MomentRow]


def flow_of(written: Written) -> tuple[Flow, Site]:
    """The flow, and the site with it. Raises NotFound, BadSite, BadValue."""
    _, site = site_of(None)
    if written.yaml is not None:
        data, _ = read_yaml(written.yaml, ("flows", written.name))
    elif written.name in site.flows:
        data = site.flows[written.name]
    else:
        raise NotFound(f"there is no flow {written.name}")
    flow, problems = read(written.name, data)
    if flow is None:
        first = problems[0]
        value = "" if first.value is None else f"{shorten(first.value)} "
        raise BadValue(f"{'.'.join(first.path)}: {value}{first.rule}")
    return flow, site.model_copy(update={"flows": {**site.flows, written.name: data}})


def told(written: Written) -> FlowRow:
    """Drawn, and what went through it today. Raises as `flow_of`."""
    flow, site = flow_of(written)
    since = midnight(site.settings.timezone, time.time())
    traffic = services().store.flow_traffic(flow.name, since)
    whole = with_places(flow, site)
    return FlowRow(
        name=flow.name,
        start=flow.start,
        description=flow.description,
        calls=traffic.contacts,
        since=since,
        nodes=[
            NodeRow(name=name, type=node.type, about=summary(node), calls=traffic.nodes.get(name, 0))
            for name, node in whole.nodes.items()
        ],
        ways=[
            WayRow(source=source, target=target, labels=labels, calls=traffic.ways.get((source, target), 0))
            for (source, target), labels in arrows(whole, site).items()
        ],
        warnings=[f"{'.'.join(one.path)}: {one.rule}" for one in check(flow, site) if not one.error],
        svg=_drawn(flow, site, traffic) if len(whole.nodes) <= DRAWN else "",
    )


def tried(trial: Trial) -> TrialRow:
    """The way of one call. Raises as `flow_of`, and BadValue."""
    flow, site = flow_of(trial)
    if wrong := script_problems(trial.digits, trial.queues):
        raise BadValue("; ".join(wrong))
    zone = ZoneInfo(site.settings.timezone)
    try:
        at = moment_of(trial.at, zone) if trial.at else time.time()
    except ValueError as error:
        raise BadValue(f"at: {error}") from None
    texts = bundled_texts()
    walker = Walker(
        flow,
        site,
        {"caller": trial.caller, "caller_name": trial.caller_name, "did": trial.did},
        language=trial.language,
    )
    script = Script(tuple(trial.digits), tuple(trial.queues), trial.lookups, trial.transfers_fail)
    story = simulate(walker, script, at, lambda name, spoken: text_of(texts.get(name, {}), spoken))
    moments = [
        MomentRow(**asdict(one), clock=f"{datetime.fromtimestamp(one.at, zone):%H:%M:%S}") for one in story.moments
    ]
    return TrialRow(ok=story.ok, ending=story.ending, moments=moments)


def _drawn(flow: Flow, site: Site, traffic: FlowTraffic) -> str:
    return svg(flow, site, traffic.ways, styled=False)
