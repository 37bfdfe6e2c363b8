"""SIP trunks to carriers and other PBXs."""

from contactcentre.cli.noun import noun
from contactcentre.domain.site import Trunk

command = noun(
    "trunk",
    Trunk,
    {
        "host": "Its host name or IP address.",
        "port": "Its SIP port (5060).",
        "transport": "udp, tcp or tls.",
        "username": "We authenticate with it; the password: `contactcentre secret set trunk/NAME`.",
        "registration": "Register there, so that it knows our address.",
        "match": "Addresses or networks that its calls come from (its host).",
        "codecs": "In order of preference (alaw,ulaw).",
        "caller_id": "The number shown when we call out through it.",
    },
    ("host", "port", "transport", "username", "registration"),
)
