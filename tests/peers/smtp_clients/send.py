"""Sends a message as it stands in a file, with Python's own smtplib."""

import smtplib
import ssl
import sys

security, port, key, sender, recipient, path, authority = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
if security == "StartTLS":
    server = smtplib.SMTP("localhost", int(port))
    server.starttls(context=context)
else:
    server = smtplib.SMTP_SSL("localhost", int(port), context=context)
with server, open(path, "rb") as message:
    server.login("any", key)
    server.sendmail(sender, [recipient], message.read(), ["BODY=8BITMIME"])
