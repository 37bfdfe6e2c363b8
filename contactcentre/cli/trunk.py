"""SIP trunks to carriers and other PBXs."""

from contactcentre.cli.noun import noun
from contactcentre.domain.site import Trunk

command = noun(
    "trunk",
    Trunk,
    ("host", "port", "transport", "username", "registration"),
)
