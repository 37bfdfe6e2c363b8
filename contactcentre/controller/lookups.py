"""Asks a web service what a flow wants to know."""

import json

import gevent
import requests
import urllib3

from contactcentre.domain.flows import actions as act


def look_up(action: act.Lookup) -> act.Looked | act.LookupFailed:
    """One HTTP request as the flow wants it, `action.timeout` seconds in all; anything but a JSON object of at most
    `action.max_bytes` is a LookupFailed."""
    session = requests.Session()
    session.trust_env = False  # the environment's proxies and .netrc are not the flow's business
    whole = gevent.Timeout(action.timeout)  # no OSError, which the library would take for one of the connection
    try:
        with (
            whole,
            session,
            session.request(
                action.method,
                action.url,
                json=dict(action.body) if action.body is not None else None,
                timeout=action.timeout,
                allow_redirects=False,
                stream=True,
            ) as answer,
        ):
            if not 200 <= answer.status_code < 300:
                return act.LookupFailed(f"status {answer.status_code}")
            body = answer.raw.read(action.max_bytes + 1, decode_content=True)
    except gevent.Timeout as passed:
        if passed is not whole:
            raise
        return act.LookupFailed("timeout")
    except requests.Timeout:
        return act.LookupFailed("timeout")
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        return act.LookupFailed(type(error).__name__)
    if len(body) > action.max_bytes:
        return act.LookupFailed("too large")
    try:
        values = json.loads(body)
    except ValueError:
        return act.LookupFailed("not JSON")
    if not isinstance(values, dict):
        return act.LookupFailed("not a JSON object")
    return act.Looked(answer.status_code, values)
