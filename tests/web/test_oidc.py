"""Signing in by an OpenID Connect provider: one that does it right, and all that one may do wrong."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from apiflask import APIFlask
from click.testing import CliRunner
from flask.testing import FlaskClient

from contactcentre.cli.user import command
from contactcentre.embedded import Services
from contactcentre.settings import Settings, SettingsError
from contactcentre.store import IdentityTaken, Store
from contactcentre.web import accounts, oidc
from contactcentre.web.app import WebServices, create_app
from tests.web.conftest import PASSWORD, post
from tests.web.openid import (
    CLIENT,
    SECRET,
    OpenId,
    new_key,
    openid,
    signed,
    signed_with_what_everybody_knows,
    unsigned,
)
from tests.web.sample import site

SUE = {"sub": "248289761001", "preferred_username": "Sue", "groups": ["Staff", "CC Supervisors"]}
ROLES = {"oidc_roles": "CC Admins=admin; CC Supervisors=supervisor; Staff=agent", "oidc_provision": True}

Make = Callable[..., APIFlask]


@pytest.fixture
def idp() -> Iterator[OpenId]:
    with openid() as provider:
        yield provider


@pytest.fixture
def make(idp: OpenId, settings: Settings, services: Services, store: Store, database_url: str) -> Iterator[Make]:
    """The application with settings of its own."""
    store.save_site(site(), "test")
    opened: list[WebServices] = []

    def made(**more: Any) -> APIFlask:
        wanted = {"oidc_issuer": idp.issuer, "oidc_client": CLIENT, "oidc_secret": SECRET, **ROLES, **more}
        opened.append(
            WebServices.connect(Settings(state_dir=settings.state_dir, **wanted), database_url, services.redis_url)
        )
        return create_app(opened[-1], TESTING=True)

    yield made
    for each in opened:
        each.close()


def begin(app: APIFlask, query: str = "") -> tuple[FlaskClient, str]:
    """A browser, and where it was sent."""
    browser = app.test_client()
    answer = browser.get(f"/login/oidc{query}")
    assert answer.status_code == 303, answer.text
    return browser, answer.location


def come(app: APIFlask, idp: OpenId, query: str = "", **person: Any) -> tuple[FlaskClient, Any]:
    """Signs in; returns the browser and the answer."""
    browser, address = begin(app, query)
    return browser, browser.get(idp.sign_in(address, **(SUE | person)))


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/me").status_code == 200


def test_who_signs_in_there_is_signed_in_here_by_a_new_account_with_the_groups_role(
    make: Make, idp: OpenId, store: Store
) -> None:
    browser, answer = come(make(), idp, "?next=/contacts")
    assert (answer.status_code, answer.location) == (303, "/contacts")
    assert is_in(browser)
    sue = store.user_named("sue")
    assert sue is not None
    assert (sue.role, sue.password_hash) == ("supervisor", "")
    assert [one.subject for one in store.identities("sue")] == [SUE["sub"]]
    assert store.audit_entries(action="user.provision")[0].subject == "sue"
    assert store.audit_entries(actor="sue", action="session.open")[0].detail == {"by": "provider"}


def test_the_subject_and_not_the_name_says_who_it_is(make: Make, idp: OpenId, store: Store) -> None:
    app = make()
    come(app, idp)
    browser, _ = come(app, idp, preferred_username="sue.miller")
    assert "sue" in browser.get("/me").text
    assert store.user_named("sue.miller") is None
    other, answer = come(app, idp, sub="another")
    assert (answer.status_code, is_in(other)) == (403, False)


def test_a_name_alone_takes_over_no_account_unless_the_settings_trust_it(make: Make, idp: OpenId, store: Store) -> None:
    store.add_user("sue", accounts.hash_password(PASSWORD), "supervisor")
    browser, answer = come(make(), idp)
    assert "not yet tied to you" in answer.text
    assert not is_in(browser)
    browser, _ = come(make(oidc_trust_names=True), idp)
    assert is_in(browser)
    _, answer = come(make(oidc_trust_names=True), idp, sub="another")
    assert "somebody else" in answer.text


def test_groups_decide_the_role_at_each_sign_in_and_end_sessions_of_before(
    make: Make, idp: OpenId, store: Store
) -> None:
    app = make()
    before, _ = come(app, idp)
    after, _ = come(app, idp, groups=["Staff"])
    sue = store.user_named("sue")
    assert sue is not None
    assert sue.role == "agent"
    assert (is_in(before), is_in(after)) == (False, True)
    assert store.audit_entries(action="user.change")[0].detail == {"role": "agent", "before": "supervisor"}
    gone, answer = come(app, idp, groups=["Visitors"])
    assert (answer.status_code, is_in(gone)) == (403, False)


@pytest.mark.parametrize("groups", [None, [], "Visitors", {"CC Admins": True}, [["CC Admins"]], "CC", 7])
def test_nobody_becomes_an_admin_who_is_in_no_group_of_admins(
    groups: Any, make: Make, idp: OpenId, store: Store
) -> None:
    browser, answer = come(make(), idp, groups=groups)
    assert (answer.status_code, is_in(browser)) == (403, False)
    assert not any(user.role == "admin" for user in store.users())


def test_an_admin_comes_of_the_group_that_the_settings_name(make: Make, idp: OpenId, store: Store) -> None:
    come(make(), idp, groups=["Staff", "CC Admins"])
    assert [user.role for user in store.users()] == ["admin"]


def test_without_provisioning_only_known_people_come_in_with_the_role_that_they_have(
    make: Make, idp: OpenId, store: Store
) -> None:
    app = make(oidc_provision=False, oidc_roles="")
    _, answer = come(app, idp)
    assert "There is no account here for sue" in answer.text
    store.add_user("sue", "", "auditor")
    store.add_identity("sue", idp.issuer, SUE["sub"], time.time())  # type: ignore[arg-type]
    browser, _ = come(app, idp)
    assert is_in(browser)
    sue = store.change_user("sue", disabled=True)
    assert sue.role == "auditor"
    browser, answer = come(app, idp)
    assert "disabled" in answer.text
    assert not is_in(browser)


def test_names_with_the_companys_domain_lose_it_and_those_of_others_are_refused(
    make: Make, idp: OpenId, store: Store
) -> None:
    app = make(oidc_name_domain="example.com", oidc_name_claim="email")
    come(app, idp, email="Sue@Example.com")
    assert store.user_named("sue") is not None
    _, answer = come(app, idp, sub="other", email="tom@example.com.evil.example")
    assert answer.status_code == 403
    assert [user.name for user in store.users()] == ["sue"]


def _by(another: str) -> Callable[[dict[str, Any]], str]:
    return lambda claims: signed(claims, new_key(another))


NOW = time.time()
WRONG: dict[str, dict[str, Any]] = {
    "another nonce": {"changes": {"nonce": "another"}},
    "no nonce": {"changes": {"nonce": None}},
    "another issuer": {"changes": {"iss": "https://evil.example"}},
    "another client's": {"changes": {"aud": "another"}},
    "many clients' and nobody says which": {"changes": {"aud": [CLIENT, "another"]}},
    "asked for by another client": {"changes": {"azp": "another"}},
    "over": {"changes": {"exp": int(NOW) - 61}},
    "without an end": {"changes": {"exp": None}},
    "of tomorrow": {"changes": {"iat": int(NOW) + 86400}},
    "not yet": {"changes": {"nbf": int(NOW) + 86400}},
    "of nobody": {"changes": {"sub": ""}},
    "no subject": {"changes": {"sub": None}},
    "a subject that is no text": {"changes": {"sub": 7}},
    "unsigned": {"sign": unsigned},
    "signed by somebody else with the same key id": {"sign": _by("first")},
    "signed by an unknown key": {"sign": _by("unknown")},
    "no token at all": {"sign": lambda _: "nothing"},
    "empty": {"sign": lambda _: ""},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_id_token_that_is_not_good_lets_nobody_in(wrong: str, make: Make, idp: OpenId, store: Store) -> None:
    for name, value in WRONG[wrong].items():
        setattr(idp, name, value)
    browser, answer = come(make(), idp)
    assert answer.status_code == 403
    assert "did not work" in answer.text
    assert not is_in(browser)
    assert store.users() == []
    assert store.audit_entries(action="session.refuse")[0].detail["why"].startswith("provider: ")


def test_the_providers_public_key_is_no_secret_to_sign_with(make: Make, idp: OpenId) -> None:
    idp.sign = lambda claims: signed_with_what_everybody_knows(claims, idp.keys[0])
    assert not is_in(come(make(), idp)[0])


def test_a_clock_that_is_a_little_off_is_no_harm(make: Make, idp: OpenId) -> None:
    now = int(time.time())
    idp.changes = {"iat": now + 30, "nbf": now + 30}
    assert is_in(come(make(), idp)[0])


def test_a_token_for_many_clients_that_was_asked_for_by_us_is_good(make: Make, idp: OpenId) -> None:
    idp.changes = {"aud": ["another", CLIENT], "azp": CLIENT}
    assert is_in(come(make(), idp)[0])


def test_new_keys_of_the_provider_are_fetched_when_a_token_names_one(
    make: Make, idp: OpenId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "KEYS_SECONDS", 0.0)
    app = make()
    assert is_in(come(app, idp)[0])
    assert is_in(come(app, idp, sub="2", preferred_username="tom")[0])
    assert idp.asked.count("/keys") == 1, "kept"
    idp.keys = [new_key("second")]
    assert is_in(come(app, idp)[0])
    assert idp.asked.count("/keys") == 2


def test_tokens_by_unknown_keys_do_not_make_us_ask_for_keys_again_and_again(
    make: Make, idp: OpenId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "KEYS_SECONDS", 1000.0)
    app = make()
    assert is_in(come(app, idp)[0])
    idp.sign = _by("unknown")
    for _ in range(3):
        assert not is_in(come(app, idp)[0])
    assert idp.asked.count("/keys") == 1


def test_what_comes_back_is_good_once_and_in_the_browser_that_began(make: Make, idp: OpenId, store: Store) -> None:
    app = make()
    browser, address = begin(app)
    back = idp.sign_in(address, **SUE)
    thief = app.test_client()
    assert thief.get(back).status_code == 403
    other, _ = begin(app)
    assert other.get(back).status_code == 403
    assert not is_in(thief)
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 403
    assert is_in(browser)
    assert store.audit_entries(action="session.refuse")[0].detail == {"why": "provider: state"}


def test_a_code_of_another_sign_in_is_refused_by_pkce(make: Make, idp: OpenId) -> None:
    app = make()
    _, first = begin(app)
    browser, second = begin(app)
    stolen = parse_qs(urlsplit(idp.sign_in(first, **SUE)).query)["code"][0]
    state = parse_qs(urlsplit(second).query)["state"][0]
    answer = browser.get(f"/login/oidc/back?code={stolen}&state={state}")
    assert answer.status_code == 403
    assert not is_in(browser)


def test_an_answer_of_another_issuer_is_refused_before_its_code_is_shown_to_anybody(make: Make, idp: OpenId) -> None:
    idp.described = {"authorization_response_iss_parameter_supported": True}
    app = make()
    browser, address = begin(app)
    back = idp.sign_in(address, **SUE)
    assert browser.get(f"{back}&iss=https://evil.example").status_code == 403
    browser, address = begin(app)
    assert browser.get(idp.sign_in(address, **SUE)).status_code == 403, "it says that it names itself, and did not"
    assert "/token" not in idp.asked
    browser, address = begin(app)
    assert browser.get(f"{idp.sign_in(address, **SUE)}&iss={idp.issuer}").status_code == 303


def test_an_error_of_the_providers_is_told_without_its_words_on_the_page(make: Make, idp: OpenId) -> None:
    browser, address = begin(make())
    state = parse_qs(urlsplit(address).query)["state"][0]
    answer = browser.get(f"/login/oidc/back?error=access_denied<script>&state={state}")
    assert answer.status_code == 403
    assert "access_denied" not in answer.text


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": None},
        {"token_endpoint": "ftp:x"},
        {"jwks_uri": 7},
    ],
    ids=str,
)
def test_a_description_that_cannot_be_believed_begins_nothing(
    described: dict[str, Any], make: Make, idp: OpenId
) -> None:
    idp.described = described
    answer = make().test_client().get("/login/oidc")
    assert answer.status_code == 503
    assert "does not answer" in answer.text


def test_a_provider_that_is_away_leaves_the_password(make: Make, idp: OpenId, store: Store) -> None:
    app = make(oidc_issuer="http://127.0.0.1:9")
    store.add_user("sue", accounts.hash_password(PASSWORD), "supervisor")
    assert app.test_client().get("/login/oidc").status_code == 503
    browser = app.test_client()
    assert post(browser, "/login", "/login", name="sue", password=PASSWORD).status_code == 303


def test_a_wrong_client_secret_lets_nobody_in_and_is_not_told(make: Make, idp: OpenId, store: Store) -> None:
    browser, answer = come(make(oidc_secret="wrong-secret"), idp)
    assert (answer.status_code, is_in(browser)) == (403, False)
    entry = store.audit_entries(action="session.refuse")[0]
    assert "invalid_client" in entry.detail["why"]
    assert "wrong-secret" not in str(entry) + answer.text


def test_roles_of_the_settings_do_not_sign_in_by_password(make: Make, store: Store) -> None:
    app = make(oidc_only="agent supervisor")
    for name, role in (("sue", "supervisor"), ("ada", "admin")):
        store.add_user(name, accounts.hash_password(PASSWORD), role)
    browser = app.test_client()
    refused = post(browser, "/login", "/login", name="sue", password=PASSWORD)
    assert (refused.status_code, is_in(browser)) == (403, False)
    assert "do not sign in by password" in refused.text
    assert "by password" not in post(browser, "/login", "/login", name="sue", password="wrong").text
    assert post(browser, "/login", "/login", name="ada", password=PASSWORD).status_code == 303


def test_signing_out_ends_the_session_here_and_offers_to_end_it_there(make: Make, idp: OpenId) -> None:
    browser, _ = come(make(), idp)
    answer = post(browser, "/me", "/logout")
    assert answer.location == "/login?out=1"
    assert not is_in(browser)
    shown = browser.get("/login?out=1").text
    assert "Sign in by your organisation" in shown
    assert 'href="/login/oidc/out"' in shown
    there = urlsplit(browser.get("/login/oidc/out").location)
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{idp.issuer}/logout"
    wanted = parse_qs(there.query)
    assert wanted["client_id"] == [CLIENT]
    assert wanted["post_logout_redirect_uri"] == ["http://127.0.0.1:8800/login"]


def test_where_no_provider_is_set_there_is_no_button(app: APIFlask) -> None:
    browser = app.test_client()
    assert "/login/oidc" not in browser.get("/login").text
    assert browser.get("/login/oidc").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"oidc_client": ""}, "belong together"),
        ({"oidc_issuer": "http://idp.example.com"}, "OIDC_ISSUER"),
        ({"oidc_roles": ""}, "OIDC_ROLES"),
        ({"oidc_roles": "Staff=root"}, "GROUP=ROLE"),
        ({"oidc_only": "root"}, "no role"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong: dict[str, Any], said: str, settings: Settings) -> None:
    right = {"oidc_issuer": "https://idp.example.com", "oidc_client": CLIENT, "oidc_secret": SECRET, **ROLES}
    assert SECRET not in repr(Settings(state_dir=settings.state_dir, **right))
    with pytest.raises(SettingsError, match=said):
        Settings(state_dir=settings.state_dir, **(right | wrong))


@pytest.mark.usefixtures("make")
def test_an_admin_ties_an_account_to_a_subject_by_hand(
    idp: OpenId, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_user("sue", "", "supervisor")
    store.add_user("tom", "", "agent")
    assert CliRunner().invoke(command, ["identity", "sue", "42"]).exit_code == 1, "no provider is set"
    monkeypatch.setenv("CONTACTCENTRE_OIDC_ISSUER", idp.issuer)
    monkeypatch.setenv("CONTACTCENTRE_OIDC_CLIENT", CLIENT)
    assert CliRunner().invoke(command, ["identity", "sue", "42"], catch_exceptions=False).exit_code == 0
    found = store.user_of_identity(idp.issuer, "42")
    assert found is not None
    assert found.name == "sue"
    assert store.user_of_identity("https://other.example", "42") is None
    with pytest.raises(IdentityTaken):
        store.add_identity("tom", idp.issuer, "42", 0.0)
    CliRunner().invoke(command, ["identity", "sue"], catch_exceptions=False)
    assert store.identities("sue") == []
