"""Passwords of softphones: objects that are pushed into Asterisk's configuration through ARI, and are in no file.

Asterisk's documentation calls this "ARI Push Configuration". The endpoint names the object, which is not there while
nobody has been given a password; then Asterisk turns everybody away.
"""

from contactcentre.pbx.asterisk.protocol import resource


def push(account: str, password: str) -> tuple[str, list[dict[str, str]]]:
    """(the object's path, its fields)"""
    fields = {"auth_type": "userpass", "username": account, "password": password}
    path = resource("asterisk", "config", "dynamic", "res_pjsip", "auth", account)
    return path, [{"attribute": name, "value": value} for name, value in fields.items()]
