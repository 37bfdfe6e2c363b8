"""Which account somebody has whom the provider vouches for (`oidc`): by the subject, which a provider never gives to
anybody else; the first time by its name, where the settings trust the provider's names; or a new one, where they say
so. Groups there may decide the role here; without a group that does, nobody becomes anything.
"""

import time
from collections.abc import Mapping
from typing import Any

from contactcentre.domain.sentences import phrase
from contactcentre.settings import Settings
from contactcentre.store import IdentityTaken, NameTaken, Store, User
from contactcentre.web.accounts import NAME
from contactcentre.web.session import Sessions

BY = "provider"
"""The actor in the audit log of what is done because the provider says so."""


class NotAdmitted(Exception):
    """The person is who the provider says, and has no account here to sign in with; the text is for the person."""


def user_for(store: Store, sessions: Sessions, settings: Settings, claims: Mapping[str, Any], address: str) -> User:
    """Makes, links and changes the account as the settings say; audited. Raises NotAdmitted."""
    subject, role = str(claims["sub"]), _role(settings, claims)
    user = store.user_of_identity(settings.oidc_issuer, subject)
    if user is None:
        user = _first_time(store, settings, claims, subject, role, address)
    if user.disabled:
        raise NotAdmitted(phrase("Your account here is disabled."))
    if role and role != user.role:
        before, user = user.role, store.change_user(user.name, role=role)
        store.audit(BY, "user.change", user.name, {"role": role, "before": before}, address)
        sessions.close_all(user.name)
    return user


def _first_time(
    store: Store, settings: Settings, claims: Mapping[str, Any], subject: str, role: str, address: str
) -> User:
    name = _name(settings, claims)
    user = store.user_named(name)
    if user is None:
        if not settings.oidc_provision:
            raise NotAdmitted(phrase("There is no account here for %(name)s. Ask an administrator.", name=name))
        try:
            user = store.add_user(name, "", role)
        except NameTaken:  # at the same moment, in another window
            raise NotAdmitted(phrase("Please sign in once more.")) from None
        store.audit(BY, "user.provision", name, {"role": role, "subject": subject}, address)
    elif not settings.oidc_trust_names:
        raise NotAdmitted(phrase("The account %(name)s is not yet tied to you. Ask an administrator.", name=name))
    elif store.identities(name):
        raise NotAdmitted(phrase("The account %(name)s is somebody else's.", name=name))
    try:
        store.add_identity(name, settings.oidc_issuer, subject, time.time())
    except IdentityTaken:
        raise NotAdmitted(phrase("Please sign in once more.")) from None
    store.audit(BY, "user.identity", name, {"subject": subject, "issuer": settings.oidc_issuer}, address)
    return user


def _name(settings: Settings, claims: Mapping[str, Any]) -> str:
    said = claims.get(settings.oidc_name_claim)
    name = said.strip().lower() if isinstance(said, str) else ""
    if settings.oidc_name_domain:
        name = name.removesuffix(f"@{settings.oidc_name_domain.lower()}")
    if not NAME.fullmatch(name):
        raise NotAdmitted(
            phrase(
                "Your provider names you by %(claim)s, and no account here can be so named.",
                claim=settings.oidc_name_claim,
            )
        )
    return name


def _role(settings: Settings, claims: Mapping[str, Any]) -> str:
    """ "" where the settings leave roles to us. The first of the settings' groups that one is in decides."""
    roles = settings.oidc_role_map
    if not roles:
        return ""
    said = claims.get(settings.oidc_role_claim)
    groups = {one for one in (said if isinstance(said, list) else [said]) if isinstance(one, str)}
    for group, role in roles.items():
        if group in groups:
            return role
    raise NotAdmitted(phrase("You are in none of the groups that may sign in here."))
