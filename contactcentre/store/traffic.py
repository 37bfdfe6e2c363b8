"""Which ways calls went through flows."""

from dataclasses import dataclass

import sqlalchemy as sa

from contactcentre.domain.events import Kind
from contactcentre.store.database import Database

MOST_CONTACTS = 2000
"""The latest so many contacts are looked at: their facts lie together, so that takes a fraction of a second however
long the day was."""

_STEPS = sa.text("""
    WITH latest AS (
        SELECT id FROM contact WHERE arrived >= to_timestamp(:since) ORDER BY arrived DESC LIMIT :most
    ), steps AS (
        SELECT contact_id, data ->> 'flow' AS flow, data ->> 'node' AS node,
               lead(data ->> 'flow') OVER one AS next_flow, lead(data ->> 'node') OVER one AS next_node
        FROM event JOIN latest ON latest.id = event.contact_id
        WHERE kind = :kind
        WINDOW one AS (PARTITION BY contact_id ORDER BY seq)
    )
    SELECT node, CASE WHEN next_flow = :flow THEN next_node END AS onward, count(*), count(DISTINCT contact_id)
    FROM steps WHERE flow = :flow
    GROUP BY GROUPING SETS ((1, 2), ())
""")


@dataclass(frozen=True, slots=True)
class FlowTraffic:
    """Of the `contacts` that came into the flow: how often each of its `nodes` was come to, and each of the `ways`
    (from, to) gone."""

    contacts: int
    nodes: dict[str, int]
    ways: dict[tuple[str, str], int]


class Traffic(Database):
    def flow_traffic(self, flow: str, since: float) -> FlowTraffic:
        """Of the latest MOST_CONTACTS contacts that arrived at or after `since` (epoch seconds), those that came into
        this flow, on arrival or out of another one."""
        asked = {"flow": flow, "since": since, "most": MOST_CONTACTS, "kind": Kind.NODE.value}
        contacts = 0
        nodes: dict[str, int] = {}
        ways: dict[tuple[str, str], int] = {}
        with self._begin() as connection:
            for node, onward, times, distinct in connection.execute(_STEPS, asked):
                if node is None:  # all of them
                    contacts = distinct
                    continue
                nodes[node] = nodes.get(node, 0) + times
                if onward is not None:
                    ways[node, onward] = times
        return FlowTraffic(contacts, nodes, ways)
