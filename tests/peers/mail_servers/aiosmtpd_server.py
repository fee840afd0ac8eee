"""A mail server on aiosmtpd: STARTTLS on one port, TLS from the first byte on another.

    python aiosmtpd_server.py FOLDER

FOLDER holds certificate.pem and key.pem; each mail becomes a file in FOLDER/mails. Prints both ports.
"""

import asyncio
import ssl
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult

FOLDER = Path(sys.argv[1])


def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"alice", b"secret")
    return AuthResult(success=good, handled=False, auth_data="alice" if good else None)


class Handler:
    mails = 0

    async def handle_MAIL(self, server, session, envelope, address, options):
        if address != f"{session.auth_data}@example.com":
            return f"550 5.7.1 <{address}>: Sender address rejected: not owned by user {session.auth_data}"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address != "bob@example.com":
            return f"550 5.1.1 <{address}>: User unknown"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        Handler.mails += 1
        (FOLDER / "mails" / str(Handler.mails)).write_bytes(envelope.original_content)
        return "250 2.0.0 OK"


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(FOLDER / "certificate.pem", FOLDER / "key.pem")
    loop = asyncio.get_running_loop()
    common = {"authenticator": authenticate, "auth_required": True, "enable_SMTPUTF8": True}

    def starttls():
        return SMTP(Handler(), tls_context=context, require_starttls=True, **common)

    def implicit():
        # It knows nothing of the TLS below it.
        return SMTP(Handler(), auth_require_tls=False, **common)

    servers = [
        await loop.create_server(starttls, "127.0.0.1", 0),
        await loop.create_server(implicit, "127.0.0.1", 0, ssl=context),
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
