"""The web application. `create_app(WebServices(...))` builds it; `server` runs it under gunicorn."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask import Response, request
from flask_limiter import Limiter
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]
from redis import Redis
from werkzeug.middleware.proxy_fix import ProxyFix

from contactcentre import logs
from contactcentre.archive import Shelf
from contactcentre.live import Live
from contactcentre.settings import Settings
from contactcentre.store import Store, StoreUnavailable
from contactcentre.web import accounts, bearer, build, errors, negotiation, openapi, permissions, repeats, room, session
from contactcentre.web.fanout import Fanout
from contactcentre.web.followers import Followers
from contactcentre.web.oidc import Provider
from contactcentre.web.session import Sessions
from contactcentre.web.why import Whys
from contactcentre.web.wiring import services as app_services

log = logs.get(__name__)

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
LARGEST_BODY = 64 * 1024


@dataclass(frozen=True)
class WebServices:
    """What the pages stand on."""

    settings: Settings
    store: Store
    redis: "Redis"
    redis_url: str
    live: Live
    sessions: Sessions
    fanout: Fanout
    whys: Whys
    shelf: Shelf
    followers: Followers

    @classmethod
    def connect(cls, settings: Settings, database_url: str, redis_url: str) -> "WebServices":
        """Connections of one process; none is opened before it is needed."""
        from contactcentre.live import connect

        redis = connect(redis_url)
        live, store = Live(redis), Store(database_url)
        fanout = Fanout(live, store)
        whys = Whys(store, live, time.time, fanout.state)
        followers, shelf = Followers(store.fact_numbers), Shelf.of(store, settings)
        return cls(settings, store, redis, redis_url, live, Sessions(redis), fanout, whys, shelf, followers)

    def close(self) -> None:
        self.fanout.stop()
        self.store.close()
        self.redis.close()


def create_app(services: WebServices, **config: Any) -> APIFlask:
    """The application. Its fan-out is not started: the process that serves does that (`services.fanout.start()`)."""
    from contactcentre.web.api import (
        alerts,
        calling,
        calls,
        coaches,
        days,
        events,
        flows,
        health,
        keeping,
        leading,
        listens,
        me,
        messages,
        notices,
        now,
        own,
        own_sessions,
        prompts,
        recordings,
        results,
        second_factor,
        site,
        stream,
        tokens,
        users,
        why,
    )
    from contactcentre.web.api import contacts as api_contacts
    from contactcentre.web.api import customers as api_customers
    from contactcentre.web.api import webhooks as api_webhooks
    from contactcentre.web.pages import (
        account,
        agents,
        audit,
        charts,
        contacts,
        customers,
        desk,
        live,
        oidc,
        own_sign_ins,
        second_step,
        voicemail,
        wallboard,
        webhooks,
    )
    from contactcentre.web.pages import prompts as prompt_pages
    from contactcentre.web.pages import site as site_pages
    from contactcentre.web.pages import tokens as token_pages
    from contactcentre.web.pages import tryout as tryout_page
    from contactcentre.web.pages import users as user_pages

    app = APIFlask(
        __name__,
        title="contactcentre",
        version="1",
        docs_path=None,
        spec_path="/api/v1/openapi.json",
        json_errors=False,
        static_folder=str(Path(__file__).parent / "static"),
    )
    app.config.update(
        SECRET_KEY=services.settings.secret_key,
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        SEND_FILE_MAX_AGE_DEFAULT=None,
        WTF_CSRF_TIME_LIMIT=session.LONGEST_SECONDS,
        AUTO_SERVERS=False,
        **config,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["contactcentre"] = services
    app.extensions["contactcentre.limiter"] = Limiter(
        session_address, app=app, storage_uri=limiter_url(services.redis_url), key_prefix="cc:web", headers_enabled=True
    )
    settings, back = services.settings, f"{accounts.dashboard_url(services.settings)}/login/oidc/back"
    app.extensions["contactcentre.oidc"] = Provider(settings, back) if settings.oidc_issuer else None
    room.install(app)
    _FormTokens(app)
    session.install(app, services.store, services.sessions)
    negotiation.install(app, services.settings.language)
    errors.install(app)
    build.install(app)
    openapi.install(app)
    histories = (api_contacts, results, api_customers, own, messages, keeping, why, site, flows, prompts, users)
    for api in (now, stream, me, calls, leading, listens, coaches, health, tokens, *histories, api_webhooks, alerts):
        app.register_blueprint(api.blueprint)
    for api in (calling, notices, events, days, recordings, second_factor, own_sessions):
        app.register_blueprint(api.blueprint)
    for page in (charts, wallboard):
        app.register_blueprint(page.blueprint)
    admins = (site_pages, prompt_pages, user_pages, token_pages)
    pages = (account, live, desk, contacts, customers, agents, audit, voicemail, webhooks, *admins)
    for page in (*pages, tryout_page, second_step, own_sign_ins, oidc):
        app.register_blueprint(page.blueprint)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # a queue's dispositions have an order
    permissions.protect(app)
    repeats.install(app)
    if near := services.settings.web_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=near, x_proto=near, x_host=near)  # type: ignore[method-assign]
    app.after_request(_note_change)
    app.after_request(_harden)
    return app


class _FormTokens(CSRFProtect):  # type: ignore[misc]
    """Of requests that change something, except those by API token (`bearer` says why)."""

    def protect(self, **options: Any) -> None:
        if bearer.given(request) is None:
            super().protect(**options)


def session_address() -> str:
    return session.address_of(request)


def limiter_url(redis_url: str) -> str:
    """The URL as the `limits` library wants it: `redis+unix://` where redis-py says `unix://`."""
    return redis_url.replace("unix://", "redis+unix://", 1) if redis_url.startswith("unix://") else redis_url


def _note_change(response: Response) -> Response:
    """Whatever a program changes by token is in the audit log, also what people do there without a line of its own."""
    if request.method in ("GET", "HEAD", "OPTIONS") or response.status_code >= 400 or bearer.given(request) is None:
        return response
    account, rule = session.current_account(), request.url_rule
    if account is not None and rule is not None:
        store: Store = app_services().store
        try:
            store.audit(account.name, f"api.{request.method.lower()}", rule.rule, {}, session.address_of(request))
        except StoreUnavailable as error:  # it is done, and what it did has said so already where it matters
            log.error("web.change_not_audited", account=account.name, rule=rule.rule, error=str(error))
    return response


def _harden(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.path.startswith("/api/") and response.is_json:  # no browser shows what somebody put into it as a page
        response.headers.setdefault("Content-Disposition", 'attachment; filename="api.json"')
    return response if request.endpoint == "static" else session.forbid_storing(response)
