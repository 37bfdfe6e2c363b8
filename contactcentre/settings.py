"""What a process of contactcentre needs to know before it does anything: addresses, directories, secrets.

Read from, in this order: arguments, the environment, `<state_dir>/contactcentre.env`, the lab of this state
directory (PBX only, when no other PBX is named), defaults. Secrets are never in argv, in logs or in a repr.
"""

import json
import os
import re
import secrets
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

STATE_DIR = "CONTACTCENTRE_STATE_DIR"
ROLES = ("admin", "supervisor", "agent", "auditor", "wallboard")


class SettingsError(Exception):
    """A setting is missing or wrong. The message names the setting, its value unless secret, the rule."""


def default_state_dir() -> Path:
    """The environment's, else /var/lib/contactcentre if there, else a checkout's .state, else the home's."""
    if named := os.environ.get(STATE_DIR):
        return Path(named).expanduser().absolute()
    system = Path("/var/lib/contactcentre")
    if os.geteuid() == 0 and system.is_dir():
        return system
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "Makefile").is_file() and (checkout / "setup.cfg").is_file():
        return checkout / ".state"
    return Path.home() / ".local/state/contactcentre"


def lab_dir(state_dir: Path, pbx: str) -> Path:
    """Where the lab of a state directory keeps its PBX; that of each product has a place of its own."""
    return state_dir / ("lab" if pbx == "asterisk" else f"lab-{pbx}")


def _env(name: str) -> Any:
    """A field with its own environment name, which may also be given as an argument under its Python name."""
    return AliasChoices(name)


class Settings(BaseSettings):
    """All settings; immutable. `Settings()` reads them, `Settings(web_port=0, ...)` overrides some."""

    model_config = SettingsConfigDict(
        env_prefix="CONTACTCENTRE_", extra="ignore", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    state_dir: Path = Field(default_factory=default_state_dir)
    database_url: str | None = Field(None, validation_alias=_env("DATABASE_URL"))
    redis_url: str | None = Field(None, validation_alias=_env("REDIS_URL"))
    node: str = Field("node1", pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")

    # What the site says by `pbx` must not be another; None = what it says, else asterisk (`cli.context.which_pbx`).
    pbx: Literal["asterisk", "freeswitch"] | None = None
    ari_url: str | None = None
    ari_user: str | None = None
    ari_secret: SecretStr | None = None
    ari_secret_file: Path | None = None
    # where the PBX connects to us, instead of us to it: ws:// on loopback, wss:// with a certificate elsewhere
    ari_listen: str = Field("", pattern=r"^(wss?://[^/?#@\s]+:[0-9]{1,5})?$")
    ari_listen_cert_file: Path | None = None  # with its chain; the key, too, where that has no file of its own
    ari_listen_key_file: Path | None = None
    ari_listen_ca_file: str = ""  # by which the PBX knows it, on the PBX's machine; "" = the authorities it knows
    esl_address: str | None = None
    esl_secret: SecretStr | None = None
    esl_secret_file: Path | None = None
    esl_door: str = "127.0.0.1"
    pbx_etc_dir: Path | None = None
    pbx_recordings_dir: Path | None = None

    recordings_dir: Path = Path("recordings")
    recording_format: Literal["wav", "flac", "opus"] = "wav"
    recording_keys_file: Path = Path("recording_keys")
    recording_keys: SecretStr | None = None  # instead of the file
    recording_keys_command: str = ""  # prints them; without a shell
    prompts_dir: Path = Path("prompts")

    web_bind: str = "127.0.0.1"
    web_port: int = Field(8800, ge=0, le=65535)
    web_url: str = Field("", pattern=r"^(https?://[^/?#@\s]+)?$")  # as users type it; "" = made of bind and port
    web_proxies: int = Field(0, ge=0, le=5)  # reverse proxies in front whose X-Forwarded-* headers are believed

    # of pages and e-mails, where neither the account nor the browser asks for one of these
    language: Literal["en", "fr", "es", "de", "zh"] = "en"

    # reads what the pages ask for about the site; "" = our own `contactcentre provision`, off = nobody does
    provision_command: str = ""

    watch_bind: str = "127.0.0.1"
    watch_port: int = Field(8810, ge=0, le=65532)  # the controller's; the others' follow; 0 = none

    # above these new calls are turned away (docs/admin.rst, Overload)
    overload_lag: float = Field(1.0, ge=0, le=60)  # seconds that the controller is late; 0 = never
    max_contacts: int = Field(0, ge=0)  # of this node at the same time; 0 = no limit

    # for so many seconds after a controller's last word the PBX leads new callers to it (docs/admin.rst)
    presence: float = Field(4.0, ge=2, le=60)

    # ... and so many later, when none has come back, who waits is led to the PBX's own queues by `up`; 0 = never
    last_resort: float = Field(30.0, ge=0, le=3600)

    phone_url: str = Field("", pattern=r"^(wss?://[^/?#@\s]+(/[^?#\s]*)?)?$")  # SIP over websocket, for browsers
    phone_ice: str = Field("", pattern=r"^((stuns?|turns?):[^\s]+(\s+|$))*$")  # STUN, TURN for those at home
    turn_secret: SecretStr | None = None  # shared with the TURN server, which makes passwords of it
    turn_secret_file: Path | None = None

    # networks inside that webhooks and lookups may reach, with blanks between; others only in public, and by https
    http_allow: str = ""

    # alerts are also mailed, where a server and somebody to be told are named
    smtp_server: str = Field("", pattern=r"^([A-Za-z0-9.-]+:[0-9]{1,5})?$")
    smtp_user: str = ""
    smtp_secret: SecretStr | None = None
    smtp_secret_file: Path | None = None
    mail_from: str = Field("", pattern=r"^([^@\s,]+@[^@\s,]+)?$")
    alert_mail: str = Field("", pattern=r"^([^@\s,]+@[^@\s,]+(\s+|$))*$")  # addresses, with blanks between

    # signing in by an OpenID Connect provider (docs/admin.rst); the issuer as the provider spells it itself
    oidc_issuer: str = Field("", pattern=r"^(https://[^?#@\s]+|http://(127\.0\.0\.1|localhost)(:[0-9]+)?[^?#@\s]*)?$")
    oidc_client: str = ""
    oidc_secret: SecretStr | None = None
    oidc_secret_file: Path | None = None
    oidc_scopes: str = "openid profile"
    oidc_label: str = "Sign in by your organisation"
    oidc_name_claim: str = "preferred_username"
    oidc_name_domain: str = ""  # names come as NAME@this
    oidc_role_claim: str = "groups"
    oidc_roles: str = ""  # GROUP=ROLE; GROUP=ROLE: the first that one is in decides. "" = roles are given here
    oidc_trust_names: bool = False  # who comes the first time gets the account of the same name
    oidc_provision: bool = False  # ... or a new one
    oidc_only: str = ""  # roles that do not sign in by password, with blanks between

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError("; ".join(_explain(error))) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        state = Path(init_settings().get("state_dir") or default_state_dir())
        return (
            init_settings,
            env_settings,
            DotEnvSettingsSource(settings_cls, env_file=state / "contactcentre.env"),
        )

    @field_validator("state_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url", "redis_url", mode="after")
    @classmethod
    def _service(cls, value: str | None, info: ValidationInfo) -> str | None:
        schemes = {
            "database_url": ("postgresql", "postgresql+psycopg", "postgres"),
            "redis_url": ("redis", "rediss", "unix"),
        }[info.field_name or ""]
        if value is not None and value.partition("://")[0] not in schemes:
            raise ValueError(f"must begin with {schemes[0]}://")
        return value

    @field_validator("ari_url", mode="after")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"https?://[^/@\s]+(/\S*)?$", value):
            raise ValueError("must look like http://HOST:PORT or https://HOST:PORT, without user and password")
        return value.rstrip("/") if value else None

    @field_validator("ari_listen", mode="after")
    @classmethod
    def _where_the_pbx_connects(cls, value: str) -> str:
        if not value:
            return value
        host = urlsplit(value).hostname or ""
        if host in ("0.0.0.0", "::"):  # noqa: S104 - refused
            raise ValueError("must name the address that the PBX connects to")
        if value.startswith("ws://") and not _is_loopback(host):
            raise ValueError("must be wss:// unless it is on loopback: whoever reads along could drive the PBX")
        return value

    @field_validator("esl_address", mode="after")
    @classmethod
    def _host_and_port(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9.-]+:[0-9]{1,5}", value):
            raise ValueError("must look like HOST:PORT")
        return value

    @field_validator("http_allow", mode="after")
    @classmethod
    def _networks(cls, value: str) -> str:
        for text in value.split():
            ip_network(text)
        return value

    @field_validator("oidc_roles", mode="after")
    @classmethod
    def _groups(cls, value: str) -> str:
        for one in filter(str.strip, value.split(";")):
            if one.rpartition("=")[2].strip() not in ROLES or not one.rpartition("=")[0].strip():
                raise ValueError(f"want GROUP=ROLE; GROUP=ROLE, with roles among {', '.join(ROLES)}")
        return value

    @field_validator("oidc_only", mode="after")
    @classmethod
    def _roles(cls, value: str) -> str:
        if strange := set(value.split()) - set(ROLES):
            raise ValueError(f"{min(strange)} is no role: {', '.join(ROLES)}")
        return value

    @model_validator(mode="after")
    def _provider(self) -> "Settings":
        wants = self.oidc_client or self.oidc_only or self.oidc_roles or self.oidc_provision
        if bool(self.oidc_issuer) is not bool(self.oidc_client) or (wants and not self.oidc_issuer):
            raise ValueError("CONTACTCENTRE_OIDC_ISSUER and CONTACTCENTRE_OIDC_CLIENT belong together")
        if self.oidc_provision and not self.oidc_role_map:
            raise ValueError("CONTACTCENTRE_OIDC_PROVISION needs CONTACTCENTRE_OIDC_ROLES: a new account's role")
        return self

    @model_validator(mode="before")
    @classmethod
    def _pbx_of_the_lab(cls, values: dict[str, Any]) -> dict[str, Any]:
        """With no PBX named, the lab of this state directory is the PBX, when there is one."""
        if values.get("ari_url") or values.get("esl_address"):
            return values
        pbx = values.get("pbx") or "asterisk"
        try:
            known = json.loads(
                (lab_dir(Path(values.get("state_dir") or default_state_dir()), pbx) / "lab.json").read_text()
            )
            found = {"pbx_etc_dir": known["etc_dir"], "pbx_recordings_dir": known["recordings_dir"]}
            if pbx == "freeswitch":
                found["esl_address"] = f"{known['esl_host']}:{known['esl_port']}"
                found["esl_secret"] = known["esl_password"]
            else:
                found |= {name: known[name] for name in ("ari_url", "ari_user", "ari_secret")}
            found["phone_url"] = known.get("ws_url", "")
        except (OSError, ValueError, KeyError, TypeError):
            return values
        return {**found, **{name: value for name, value in values.items() if value is not None}}

    @model_validator(mode="after")
    def _under_the_state_dir(self) -> "Settings":
        for name in ("recordings_dir", "recording_keys_file", "prompts_dir"):
            object.__setattr__(self, name, self.state_dir / getattr(self, name).expanduser())
        for name in ("ari_secret", "esl_secret", "turn_secret", "smtp_secret", "oidc_secret"):
            file: Path | None = getattr(self, f"{name}_file")
            if getattr(self, name) is None and file is not None:
                try:
                    secret = file.read_text().strip()
                except OSError as error:
                    raise ValueError(f"CONTACTCENTRE_{name.upper()}_FILE {file}: {error.strerror}") from None
                object.__setattr__(self, name, SecretStr(secret))
        return self

    @property
    def lab_dir(self) -> Path:
        """Of the lab's PBX of the kind that is set."""
        return lab_dir(self.state_dir, self.pbx or "asterisk")

    @property
    def oidc_role_map(self) -> dict[str, str]:
        """Group of the provider's -> role here, in the order of the setting."""
        pairs = (one.rpartition("=") for one in self.oidc_roles.split(";") if one.strip())
        return {group.strip(): role.strip() for group, _, role in pairs}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, without_password(value) if isinstance(value, str) else value

    def prepare(self) -> "Settings":
        """Makes the state, recordings (0700) and prompts directories; returns itself. Raises SettingsError."""
        # the PBX, another user, reads prompts below the state directory, so this one must let it pass
        for name, mode in (("state_dir", 0o777), ("prompts_dir", 0o777), ("recordings_dir", 0o700)):
            directory: Path = getattr(self, name)
            try:
                if not directory.is_dir():
                    directory.mkdir(parents=True, mode=mode, exist_ok=True)
            except OSError as error:
                raise SettingsError(
                    f"{directory} cannot be made: {error.strerror}; {environment_name(name)} may name another directory"
                ) from None
        return self

    @property
    def secret_key(self) -> str:
        """Signs sessions and links. Made on first use in `<state_dir>/secret_key` (0600)."""
        path = self.state_dir / "secret_key"
        try:
            return path.read_text()
        except FileNotFoundError:
            pass
        self.state_dir.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"secret_key.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)  # never replaces: of two processes that race, both take the first one's key
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_text()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def without_password(url: str) -> str:
    """The URL with its password as ***; any other text unchanged."""
    return re.sub(r"(\w[\w+.-]*://[^:/@\s]*):[^/\s]*@", r"\1:***@", url)


def environment_name(field: str) -> str:
    """The variable that a setting is read from."""
    return field.upper() if field.lower() in ("database_url", "redis_url") else f"CONTACTCENTRE_{field.upper()}"


def _explain(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_context=False):
        field = ".".join(str(part) for part in problem["loc"])
        hidden = "secret" in field or "keys" in field or "url" in field.lower() or not field
        value = "" if hidden else f" {problem['input']!r}"
        text = problem["msg"].removeprefix("Value error, ")
        yield f"{environment_name(field)}{value}: {text[:1].lower()}{text[1:]}" if field else text
