"""A second factor beside the password: six digits of an authenticator app (TOTP, RFC 6238), or a recovery code.

The secret that app and server share is sealed by a key made of `secret_key`, so the database alone is not enough to
make codes. Recovery codes are shown once; of their 120 random bits a hash is kept. No code is taken twice.
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import pyotp
import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contactcentre import logs
from contactcentre.domain.sentences import phrase
from contactcentre.live.connection import PREFIX, ask
from contactcentre.store import User
from contactcentre.web.errors import BadValue
from contactcentre.web.proposals import site_of
from contactcentre.web.wiring import services

STEP = 30
"""Seconds of a code (RFC 6238, section 5.2)."""

DRIFT = 1
"""Steps that a phone's clock, or a slow hand, may be away from ours."""

RECOVERY_CODES = 10
ENROL_SECONDS = 15 * 60
"""So long a new secret waits for the first code that proves that the app has it."""

_NONCE = 12
log = logs.get(__name__)


class CodeRefused(BadValue):
    code, title = "code_refused", phrase("The code is not right")


class Step(StrEnum):
    """What an account has to do after the password."""

    NOTHING = ""
    CODE = "code"
    ENROL = "enrol"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the app has to learn. `qr`: SVG of `uri`."""

    secret: str
    uri: str
    qr: str


def required(role: str) -> bool:
    """Does the site want one of everybody of this role?"""
    _, site = site_of(None)
    return role in site.settings.second_factor


def next_step(user: User) -> Step:
    """After the right password."""
    if services().store.second_factor(user.name) is not None:
        return Step.CODE
    return Step.ENROL if required(user.role) else Step.NOTHING


def begin(name: str) -> Enrolment:
    """A new secret, which replaces one that was begun before, and nothing that is in use."""
    secret = pyotp.random_base32()
    ask(services().redis, "SET", _place(name), base64.b64encode(_seal(name, secret)).decode(), "EX", ENROL_SECONDS)
    return _enrolment(name, secret)


def begun(name: str) -> Enrolment | None:
    """The one that waits for its first code."""
    secret = _begun(name)
    return None if secret is None else _enrolment(name, secret)


def confirm(name: str, code: str, by: str, address: str) -> list[str]:
    """From now on it is asked for; returns the recovery codes, which are nowhere else. Audited. Raises CodeRefused."""
    secret = _begun(name)
    if secret is None:
        raise CodeRefused(phrase("It took too long. Begin again, with the new picture."))
    step = _step_of(secret, code, time.time())
    if step is None:
        raise CodeRefused(phrase("That is not the code which the app shows now. Is the phone's clock right?"))
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    store = services().store
    store.keep_second_factor(name, _seal(name, secret), step, [_hashed(one) for one in codes], time.time())
    ask(services().redis, "DEL", _place(name))
    store.audit(by, "user.second_factor", name, {"now": "on"}, address)
    return codes


def check(user: User, code: str, address: str) -> bool:
    """Uses the code up. What is refused is audited, and so is a recovery code that was used."""
    store, now = services().store, time.time()
    factor = store.second_factor(user.name)
    if factor is None:
        return False
    text = "".join(code.split())
    if re.fullmatch(r"[0-9]{6}", text):
        secret = _unseal(user.name, factor.sealed)
        step = None if secret is None else _step_of(secret, text, now)
        if step is not None and store.take_code_step(user.name, factor.sealed, step):
            return True
        why = "code" if step is None else "code that was used before"
    else:
        if store.take_recovery_code(user.name, _hashed(text), now):
            left = factor.recovery_codes - 1
            store.audit(user.name, "user.recovery_code", user.name, {"left": left}, address)
            return True
        why = "recovery code"
    store.audit(user.name, "session.refuse", "", {"why": why}, address)
    return False


def new_recovery_codes(name: str, by: str, address: str) -> list[str]:
    """Those of before are good no longer. Audited."""
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    services().store.replace_recovery_codes(name, [_hashed(one) for one in codes])
    services().store.audit(by, "user.second_factor", name, {"now": "new recovery codes"}, address)
    return codes


def drop(name: str, by: str, said: str, address: str = "") -> bool:
    """False: there was none. Audited, with `said`: off or reset."""
    dropped = services().store.drop_second_factor(name)
    if dropped:
        services().store.audit(by, "user.second_factor", name, {"now": said}, address)
    return dropped


def _step_of(secret: str, code: str, now: float) -> int | None:
    """The step of time that the code belongs to, if that is now or as good as."""
    totp, at, text = pyotp.TOTP(secret, interval=STEP), int(now) // STEP, "".join(code.split())
    near = [step for step in range(at - DRIFT, at + DRIFT + 1) if _same(totp.generate_otp, step, text)]
    return near[-1] if near else None


def _same(made: Callable[[int], str], step: int, code: str) -> bool:
    return hmac.compare_digest(made(step).encode(), code.encode())


def _enrolment(name: str, secret: str) -> Enrolment:
    _, site = site_of(None)
    issuer = (site.settings.name or "contactcentre").replace(":", " ")
    uri = pyotp.TOTP(secret, interval=STEP).provisioning_uri(name=name, issuer_name=issuer)
    drawn = segno.make_qr(uri, error="m")
    return Enrolment(secret, uri, drawn.svg_inline(scale=4, dark="#000", light="#fff", omitsize=True))


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(15)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _hashed(code: str) -> str:
    """120 random bits cannot be guessed, so a fast hash keeps them. Hyphens and capitals do not matter."""
    return hashlib.sha256(re.sub(r"[\s-]", "", code).lower().encode()).hexdigest()


def _place(name: str) -> str:
    return f"{PREFIX}web:enrol:{name}"


def _begun(name: str) -> str | None:
    text = ask(services().redis, "GET", _place(name))
    return None if text is None else _unseal(name, base64.b64decode(text))


def _cipher() -> AESGCM:
    made = HKDF(SHA256(), 32, salt=None, info=b"contactcentre second factor")
    return AESGCM(made.derive(services().settings.secret_key.encode()))


def _seal(name: str, secret: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + _cipher().encrypt(nonce, secret.encode(), name.encode())


def _unseal(name: str, sealed: bytes) -> str | None:
    """None: another `secret_key` has sealed it, or it was another account's."""
    try:
        return _cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode()).decode()
    except InvalidTag:
        log.error("web.second_factor_lost", account=name, why="secret_key is not the one that sealed it")
        return None
