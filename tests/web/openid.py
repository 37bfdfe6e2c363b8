"""A true OpenID Connect provider on loopback: discovery, keys, codes that are good once, PKCE, signed id tokens. And
whatever a provider may do wrong."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.outgoing.servers import Answer, Request, serving

CLIENT, SECRET = "contactcentre", "keep+this secret"
JSON = {"Content-Type": "application/json"}


@dataclass
class OpenId:
    """`sign`: what makes an id token of claims; the first of `keys` by itself. `changes`: of the claims (None: left
    out), of the description by `described`."""

    issuer: str = ""
    keys: list[RSAKey] = field(default_factory=lambda: [new_key("first")])
    changes: dict[str, Any] = field(default_factory=dict)
    described: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def sign_in(self, address: str, **person: Any) -> str:
        """Somebody signs in at the address that a browser was sent to; returns the address it is sent back to."""
        parts = urlsplit(address)
        wish = dict(parse_qsl(parts.query))
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/authorize"
        assert (wish["response_type"], wish["client_id"], wish["code_challenge_method"]) == ("code", CLIENT, "S256")
        assert "openid" in wish["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**wish, "person": json.dumps(person)}
        return f"{urlsplit(wish['redirect_uri']).path}?{urlencode({'code': code, 'state': wish['state']})}"

    def answer(self, request: Request) -> Answer:
        self.asked.append(urlsplit(request.path).path)
        match self.asked[-1]:
            case "/.well-known/openid-configuration":
                return 200, JSON, json.dumps(self._description()).encode()
            case "/keys":
                return 200, JSON, json.dumps(KeySet(list(self.keys)).as_dict(private=False)).encode()
            case "/token":
                return self._token(request)
        return 404, {}, b""

    def _description(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
            **self.described,
        }

    def _token(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        pair = base64.b64encode(b"contactcentre:keep%2Bthis+secret").decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            return 401, JSON, b'{"error": "invalid_client"}'
        wish = self.codes.pop(form["code"], None)
        made = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if wish is None or made != wish["code_challenge"] or form["redirect_uri"] != wish["redirect_uri"]:
            return 400, JSON, b'{"error": "invalid_grant"}'
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": wish["nonce"]}
        claims |= json.loads(wish["person"]) | self.changes
        claims = {name: value for name, value in claims.items() if value is not None}
        token = (self.sign or (lambda all: signed(all, self.keys[0])))(claims)
        return 200, JSON, json.dumps({"access_token": "-", "token_type": "Bearer", "id_token": token}).encode()


def new_key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig"})


def signed(claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


def unsigned(claims: dict[str, Any]) -> str:
    return f"{_part({'alg': 'none'})}.{_part(claims)}."


def signed_with_what_everybody_knows(claims: dict[str, Any], key: RSAKey) -> str:
    """HS256, with the provider's public key as the secret. By hand: the library does not do that."""
    text = f"{_part({'alg': 'HS256', 'kid': key.kid})}.{_part(claims)}"
    return f"{text}.{_base64(hmac.digest(key.as_pem(private=False), text.encode(), 'sha256'))}"


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


@contextmanager
def openid() -> Iterator[OpenId]:
    provider = OpenId()
    with serving(provider.answer) as server:
        provider.issuer = server.url.removesuffix("/hook")
        yield provider
