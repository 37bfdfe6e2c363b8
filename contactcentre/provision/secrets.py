"""Which secrets a site needs, how new ones are made, and how they are kept out of sight."""

import re
import secrets
from collections.abc import Mapping

from contactcentre.domain.devices import account_of
from contactcentre.domain.site import Site
from contactcentre.provision.problems import ProvisionError
from contactcentre.provision.render import ARI_USER

LENGTH = 28
_ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that people confuse
_ALLOWED = re.compile(r"[A-Za-z0-9!#%&()*+,./:=?@^_{|}~-]{8,128}")
_NAME = re.compile(r"(agent|trunk|http)/[a-z][a-z0-9_-]{0,39}|(ari|esl)/contactcentre")
_LINE = re.compile(r"^(\s*[\w/-]*(?:pass|password|passwd|md5_cred|secret)\s*=>?\s*)(.+)$", re.I)
_PARAM = re.compile(r'^(.*name="[\w-]*password" value=")([^"]*)(".*)$')
ESL = "esl/contactcentre"
"""Of a FreeSWITCH's event socket."""
MASK = "********"


class BadSecret(ProvisionError):
    """A secret, or its name, that cannot be used."""


def needed(site: Site, foreign: frozenset[str] = frozenset()) -> tuple[list[str], list[str]]:
    """Names of the secrets that can be generated, and of those that only a person knows (a carrier's)."""
    own = [f"agent/{name}" for name in site.agents if account_of(site, name) not in foreign]
    own += [ESL] if site.freeswitch.event_socket else []
    given = [f"trunk/{name}" for name, trunk in site.trunks.items() if trunk.username]
    return sorted([*own, f"ari/{ARI_USER}"]), sorted(given)


def generate() -> str:
    """About 162 bits that can be typed into a phone."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))


def check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadSecret(f"{name!r} is no secret's name: agent/NAME, trunk/NAME, http/NAME, ari/{ARI_USER} or {ESL}")
    return name


def check_value(value: str) -> str:
    """The rule keeps a secret from meaning anything in a configuration file. The value is never part of an
    error."""
    if not _ALLOWED.fullmatch(value):
        raise BadSecret("a secret has 8 to 128 letters, digits and ! # % & ( ) * + , . / : = ? @ ^ _ { | } ~ -")
    return value


def masked(text: str, other: str, word: str) -> str:
    """Configuration text without its secrets. One that `other` does not have is marked with `word`, so a
    change shows."""
    known = {secret for line in other.splitlines() if (secret := _parted(line)[1])}
    lines = []
    for line in text.splitlines(keepends=True):
        before, secret, after = _parted(line.rstrip("\r\n"))
        if secret:
            line = f"{before}{MASK}{'' if secret in known else f' ({word})'}{after}\n"
        lines.append(line)
    return "".join(lines)


def _parted(line: str) -> tuple[str, str, str]:
    """What is before a line's secret, the secret ("" = it has none), and what is behind."""
    if match := _LINE.match(line):
        return match[1], match[2], ""
    if match := _PARAM.match(line):
        return match[1], match[2], match[3]
    return line, "", ""


def completed(site: Site, stored: Mapping[str, str], foreign: frozenset[str]) -> tuple[dict[str, str], dict[str, str]]:
    """(all secrets that the site needs, those of them that are new). Raises BadSecret when only a person can
    know one."""
    own, given = needed(site, foreign)
    missing = [name for name in given if name not in stored]
    if missing:
        commands = ", ".join(f"`contactcentre secret set {name}`" for name in missing)
        raise BadSecret(f"the carrier's password is not known yet: {commands}")
    fresh = {name: generate() for name in own if name not in stored}
    return {name: (fresh.get(name) or stored[name]) for name in (*own, *given)}, fresh
