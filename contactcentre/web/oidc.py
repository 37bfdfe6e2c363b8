"""Signing in by an OpenID Connect provider: the authorization code flow with PKCE (OpenID Connect Core 1.0, section
3.1; RFC 7636). What the provider says is believed only as far as its signature, made with a key that it publishes,
reaches; nothing of it is read before.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from contactcentre.domain.notation import decode
from contactcentre.outgoing.reach import ANYWHERE, Failed
from contactcentre.outgoing.request import ask
from contactcentre.settings import Settings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures that only the provider can make: neither `none` nor a secret that both know."""

LEEWAY = 60
"""Seconds that the provider's clock may be away from ours."""

DESCRIPTION_SECONDS = 3600.0
"""So long what the provider says of itself is kept."""

KEYS_SECONDS = 10.0
"""A token by an unknown key makes us ask for the keys again, at most so often."""

MOST_BYTES = 256 * 1024


class ProviderFailed(Exception):
    """It does not answer, or what it says cannot be believed; the text says what, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a sign-in began with, to be compared with what comes back."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Self:
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))


@dataclass(frozen=True, slots=True)
class Description:
    """Of the provider, by itself (OpenID Connect Discovery 1.0)."""

    authorization: str
    token: str
    keys: str
    logout: str
    secret_in_body: bool
    names_itself: bool  # in what comes back (RFC 9207)


class Provider:
    """The one of the settings. One object for each process, for many requests at once."""

    def __init__(self, settings: Settings, redirect: str) -> None:
        self._issuer, self._client, self._redirect = settings.oidc_issuer, settings.oidc_client, redirect
        self._secret = settings.oidc_secret.get_secret_value() if settings.oidc_secret else ""
        self._scopes = " ".join(dict.fromkeys(["openid", *settings.oidc_scopes.split()]))
        self._lock = threading.Lock()
        self._described: tuple[float, Description] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def address(self, asked: Asked) -> str:
        """Where the browser goes to sign in. Raises ProviderFailed."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(asked.verifier.encode()).digest()).rstrip(b"=").decode()
        return _with(
            self._describe().authorization,
            response_type="code",
            client_id=self._client,
            redirect_uri=self._redirect,
            scope=self._scopes,
            state=asked.state,
            nonce=asked.nonce,
            code_challenge=challenge,
            code_challenge_method="S256",
        )

    def logout_address(self, back: str) -> str:
        """Where the browser signs out of the provider, too; "" where it has no such page. Raises ProviderFailed."""
        logout = self._describe().logout
        return _with(logout, client_id=self._client, post_logout_redirect_uri=back) if logout else ""

    def claims(self, asked: Asked, came: Mapping[str, str], now: float) -> dict[str, Any]:
        """What the provider says of who signed in, for the code that `came` back. Raises ProviderFailed."""
        described = self._describe()
        if came.get("iss", self._issuer) != self._issuer or (described.names_itself and "iss" not in came):
            raise ProviderFailed("the answer is of another issuer")
        if error := came.get("error"):
            raise ProviderFailed(f"the provider says {error[:60]!r}")
        if not came.get("code"):
            raise ProviderFailed("the answer has no code")
        return self._read(self._token(described, came["code"], asked.verifier), asked.nonce, now)

    def _token(self, described: Description, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if not self._secret or described.secret_in_body:
            form |= {"client_id": self._client, **({"client_secret": self._secret} if self._secret else {})}
        else:  # RFC 6749, section 2.3.1
            pair = f"{quote_plus(self._client)}:{quote_plus(self._secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        said = _json(described.token, body=urlencode(form).encode(), headers=headers)
        token = said.get("id_token")
        if not isinstance(token, str):
            raise ProviderFailed("there is no id token")
        return token

    def _read(self, token: str, nonce: str, now: float) -> dict[str, Any]:
        try:
            try:
                claims = jwt.decode(token, self._key_set(), algorithms=ALGORITHMS).claims
            except InvalidKeyIdError:  # it has new keys
                claims = jwt.decode(token, self._key_set(fresh=True), algorithms=ALGORITHMS).claims
            rules: dict[str, Any] = {
                "iss": {"essential": True, "value": self._issuer},
                "aud": {"essential": True, "value": self._client},
                "nonce": {"essential": True, "value": nonce},
                "exp": {"essential": True},
                "iat": {"essential": True},
                "sub": {"essential": True},
            }
            jwt.JWTClaimsRegistry(now=int(now), leeway=LEEWAY, **rules).validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise ProviderFailed(f"the id token is not good: {type(error).__name__}: {str(error)[:120]}") from None
        audience, party = claims["aud"], claims.get("azp")
        if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in (None, self._client):
            raise ProviderFailed("the id token is for another client")
        if not claims["sub"] or len(claims["sub"]) > 255:
            raise ProviderFailed("the id token has no usable subject")
        return dict(claims)

    def _key_set(self, *, fresh: bool = False) -> KeySet:
        with self._lock:
            age = KEYS_SECONDS if fresh else DESCRIPTION_SECONDS
            if self._keys is None or time.monotonic() - self._keys[0] >= age:
                try:
                    found = KeySet.import_key_set(_json(self._describe().keys))  # type: ignore[arg-type]
                except (JoseError, KeyError, ValueError, TypeError) as error:
                    raise ProviderFailed(f"its keys cannot be read: {type(error).__name__}") from None
                self._keys = time.monotonic(), found
            return self._keys[1]

    def _describe(self) -> Description:
        known = self._described
        if known is not None and time.monotonic() - known[0] < DESCRIPTION_SECONDS:
            return known[1]
        said = _json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != self._issuer:
            raise ProviderFailed("it calls itself another issuer")
        ways = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        found = Description(
            self._endpoint(said, "authorization_endpoint"),
            self._endpoint(said, "token_endpoint"),
            self._endpoint(said, "jwks_uri"),
            self._endpoint(said, "end_session_endpoint") if said.get("end_session_endpoint") else "",
            "client_secret_basic" not in ways,
            said.get("authorization_response_iss_parameter_supported") is True,
        )
        self._described = time.monotonic(), found
        return found

    def _endpoint(self, said: Mapping[str, Any], name: str) -> str:
        url = said.get(name)
        good = isinstance(url, str) and (url.startswith("https://") or self._issuer.startswith("http://"))
        if not good or not urlsplit(str(url)).netloc:
            raise ProviderFailed(f"its {name} is no https address")
        return str(url)


def _json(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    try:
        answer = ask(
            url, ANYWHERE, method="GET" if body is None else "POST", body=body, headers=headers, most=MOST_BYTES
        )
        said = decode(answer.body)
    except Failed as failed:
        raise ProviderFailed(f"{urlsplit(url).hostname} does not answer: {failed}") from None
    except (ValueError, RecursionError):
        raise ProviderFailed(f"{urlsplit(url).path} answers no JSON") from None
    if answer.status != 200 or not isinstance(said, dict):
        error = said.get("error") if isinstance(said, dict) else None
        raise ProviderFailed(f"{urlsplit(url).path} answers {answer.status} {json.dumps(error)[:60] if error else ''}")
    return said


def _with(url: str, **parameters: str) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(parameters)}"
