"""Passwords of softphones: global variables that users of the directory name, in force once that is read anew.

FreeSWITCH has no users but those of its directory, and reads that into memory. The users that are provisioned name a
variable for their password (`$${...}`, put in as the files are read) and refuse an empty one, so nobody signs in before
a password was given.
"""

import re

from gevent.lock import RLock

from contactcentre.pbx.errors import Refused
from contactcentre.pbx.freeswitch.connection import Connection

VARIABLE = "contactcentre_password_"
"""And the account's name; dialplans/freeswitch/directory.xml.j2 names it."""
READ = "reloadxml"
_account = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}").fullmatch
_password = re.compile(r"[A-Za-z0-9_-]{0,200}").fullmatch


class Accounts:
    def __init__(self, link: Connection) -> None:
        self._link, self._reading, self._asked, self._read = link, RLock(), 0, 0

    def set_password(self, account: str, password: str) -> None:
        """See Pbx.set_password. Files that somebody has changed meanwhile are read, too. Raises Refused, LinkDown,
        Deadline."""
        if not _account(account) or not _password(password):
            raise Refused(f"account {account[:60]!r}: it and its password must be letters, digits, _ . and -")
        self._link.request(f"global_setvar {VARIABLE}{account}={password}")
        if self._is(account, password):
            return
        self._read_anew()
        if not self._is(account, password):
            raise Refused(f"the directory has no user {account} whose password is given: apply the site")

    def _is(self, account: str, password: str) -> bool:
        """Whether the user's password is this one, as FreeSWITCH has it in memory."""
        domain = self._link.request("global_getvar domain").strip()
        try:
            known = self._link.request(f"user_data {account}@{domain} param password")
        except Refused:  # no such user, or none: that is answered with nothing, which is an error in ESL
            known = ""
        return known.strip() == password

    def _read_anew(self) -> None:
        """One reading, which takes some tenths of a second, serves all who ask while another one goes on."""
        self._asked += 1
        mine = self._asked
        with self._reading:
            if self._read < mine:
                asked = self._asked
                said = self._link.job(READ)
                if "Success" not in said:
                    raise Refused(f"FreeSWITCH cannot read its configuration: {said.strip()[:200]}")
                self._read = asked
