"""The flow of a contact that an agent has begun: nothing but the call. No flow of a site has such a name."""

from contactcentre.domain.flows.model import Flow

CALLING = Flow.parse("call:out", {"start": "call", "nodes": {"call": {"type": "transfer", "to": "number:0"}}})
"""Its one node is where the two talk. Whoever walks it makes the call; what is left to the flow is where the customer
goes when the agent hangs up (nowhere), or sends them on."""
