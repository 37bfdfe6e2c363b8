"""Sends one plain message by the company's own mail server."""

import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

SECONDS = 10.0
"""For each step of the conversation."""
TLS_PORT = 465
"""Where a server speaks TLS from the first byte (RFC 8314); elsewhere STARTTLS is used where it is offered."""


class NotSent(Exception):
    """The server did not take it. The text has no password in it."""


@dataclass(frozen=True, slots=True)
class MailServer:
    host: str
    port: int
    sender: str
    user: str = ""
    password: str = ""

    def send(self, to: tuple[str, ...], subject: str, text: str) -> None:
        """Raises NotSent. A password is sent by TLS or not at all."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, ", ".join(to), subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="contactcentre.invalid")
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
        message.set_content(text)
        try:
            with self._opened() as server:
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(message)
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(_words(error)) from None

    def _opened(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.port == TLS_PORT:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=SECONDS)
        try:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
            elif self.user:
                raise NotSent("the server offers no TLS, and a password is not sent without")
        except BaseException:
            server.close()
            raise
        return server


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"status {error.smtp_code}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"refused: {', '.join(sorted(error.recipients))[:200]}"
    if isinstance(error, TimeoutError | socket.gaierror):
        return "timeout" if isinstance(error, TimeoutError) else "the name of the server is not known"
    return (getattr(error, "strerror", "") or type(error).__name__).lower()
