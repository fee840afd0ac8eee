"""What a generator cannot know: accounts that work, emails that can be sent, and names that nobody is to be asked about.

The environment names them: see tests/peers/schemathesis.rs.
"""

import json
import os
import zlib
from datetime import datetime, timedelta, timezone

import schemathesis
from schemathesis import GenerationMode

SMTP_PORT = int(os.environ["SMTP_PORT"])
PASSWORD = os.environ["SMTP_PASSWORD"]
APP = json.loads(os.environ["MICROSOFT365_APP"])

# By field, what is put in place of a generated string: some works, some fails, each in its own way. Port 1 is closed.
PLAUSIBLE = {
    "serverAddress": ["localhost", "127.0.0.1", "localhost", "::1"],
    "serverPort": [SMTP_PORT, SMTP_PORT, str(SMTP_PORT), 1],
    "securityType": ["none", "StartTLS", "StartTLS", "SSL/TLS"],
    "username": ["dev", "dev", "dev", "ada"],
    "emailPassword": [PASSWORD, PASSWORD, PASSWORD, "another"],
    "emailAddress": ["ada@example.com", "ada@example.com", APP["emailAddress"], "jörg@example.com"],
    "senderName": ["Ada", "Ada", "Größe 😀", "\"quoted\" <name>"],
    "recipient": ["bob@example.org", "bob@example.org", "nouser@example.org", "jörg@example.org"],
    "clientId": [APP["clientId"], APP["clientId"], APP["clientId"], "another"],
    "clientSecret": [APP["clientSecret"], APP["clientSecret"], APP["clientSecret"], "another"],
    "providerTenantId": [APP["providerTenantId"], APP["providerTenantId"], "contoso.example", "elsewhere.example"],
}


def hours_ahead(hours):
    return (datetime.now(timezone.utc) + timedelta(hours=hours)).isoformat()


# The same for an email, and for a change of one. What is None is left out.
EMAIL = {
    "subject": ["Invoice 8841", "Grüße 😀", "", "Invoice\r\nBcc: eve@example.org"],
    "text": ["Thank you.", "aus Zürich\n", "", "x" * 2000],
    "html": ["<p>Thank you.</p>", None, None, "<p>Grüße 😀</p>"],
    "from": ["platform@example.com", "Ada <platform@example.com>", None, "eve@example.com"],
    "to": ["bob@example.org", ["Bob <bob@example.org>", "carol@example.org"], "nouser@example.org", ["jörg@example.org"]],
    "cc": ["dan@example.org", None, [], ["dan@example.org"]],
    "bcc": ["eve@example.org", None, [], ["eve@example.org"]],
    "reply_to": ["support@example.com", None, [], ["support@example.com"]],
    "headers": [{"X-Reference": "8841"}, None, {"List-Unsubscribe": "<https://example.com/u>"}, {"Subject": "twice"}],
    "attachments": [[{"filename": "a.txt", "content": "b25lIGxpbmUK"}], None, [], [{"filename": "a.txt"}]],
    "tags": [[{"name": "kind", "value": "invoice"}], None, [], [{"name": "no letter", "value": ""}]],
    "scheduled_at": [hours_ahead(1), None, None, hours_ahead(48)],
    "expires_at": [hours_ahead(2), None, None, hours_ahead(-1)],
    "ttl_seconds": [600, None, None, 604_800],
    "lane": ["transactional", "bulk", None, "bulk"],
    "on_unknown": ["retry_once", "hold", None, "hold"],
    "metadata": [{"invoice": "8841"}, None, {}, {"größe": "😀"}],
    "raw": [None, None, None, "RnJvbTogcGxhdGZvcm1AZXhhbXBsZS5jb20NClN1YmplY3Q6IHgNCg0KeQ0K"],
    "envelope": [None, None, None, {"to": ["bob@example.org"]}],
    "recipients": [["bob@example.org"], None, [], ["nobody@example.org"]],
    "outcome": ["accepted", None, "accepted", "refused"],
}  # fmt: skip

# By parameter of a list.
QUERY = {
    "after": [None, None, "0", "no-cursor"],
    "before": [None, None, None, "no-cursor"],
    "status": ["accepted", "scheduled", None, "delivered"],
    "recipient": ["bob@example.org", None, "nobody@example.org", None],
}

# The ids of emails that were taken, and of those that wait for their time.
taken, waiting = [], []


def pick(field, seed, values=PLAUSIBLE):
    return values[field][zlib.crc32(field.encode(), seed) % 4]


def fill_by(values, members, seed):
    """Puts plausible values in place of the members that have some, or leaves them out."""
    for field in [field for field in members if field in values]:
        value = pick(field, seed, values)
        if value is None:
            del members[field]
        else:
            members[field] = value


def compose(email, seed):
    """Makes an email that can be sent of one that fits the document, in most cases."""
    for field in [field for field in email if field not in EMAIL]:
        del email[field]
    for field in ("to", "subject", "text"):
        email.setdefault(field, "")
    fill_by(EMAIL, email, seed)
    if seed % 3 == 0:
        email["scheduled_at"] = hours_ahead(1)
    if "expires_at" in email:
        email.pop("ttl_seconds", None)
    if "raw" in email:
        for field in ("from", "reply_to", "subject", "text", "html", "headers", "attachments"):
            email.pop(field, None)
    else:
        email.pop("envelope", None)


def fill(body, seed):
    """Puts plausible values into a body that fits the document."""
    if isinstance(body, list):
        for operation in body:
            if isinstance(operation, dict) and "value" in operation:
                field = str(operation.get("path")).removeprefix("/")
                if field in PLAUSIBLE:
                    operation["value"] = pick(field, seed)
    elif isinstance(body, dict):
        for members in (body, body.get("providerConfig")):
            for field in members if isinstance(members, dict) else ():
                if field in PLAUSIBLE:
                    members[field] = pick(field, seed)


def keep_home(value):
    """No made-up name is looked up, whatever the case is for."""
    if isinstance(value, list):
        return [keep_home(item) for item in value]
    if isinstance(value, dict):
        is_host = value.get("path") == "/serverAddress"
        return {
            name: home(item) if name == "serverAddress" or (is_host and name == "value") else keep_home(item)
            for name, item in value.items()
        }
    return value


def home(host):
    looks_like_a_name = isinstance(host, str) and "." in host.strip(".") and not host.replace(".", "").isdigit()
    return "localhost" if looks_like_a_name else host


def wait_less(case):
    """Nothing happens for which a request could wait long."""
    if case.query and "wait" in case.query:
        case.query["wait"] = 1
    if str(case.headers.get("Prefer", "")).startswith("wait="):
        case.headers["Prefer"] = "wait=1"


@schemathesis.hook
def after_call(context, case, response):
    if case.method == "POST" and case.path.endswith("/emails") and response.status_code == 202:
        email = response.json()
        (waiting if email["status"] == "scheduled" else taken).append(email["id"])


@schemathesis.hook
def before_call(context, case, kwargs):
    seed = zlib.crc32(json.dumps(case.body, default=str, sort_keys=True).encode())
    positive = case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE
    # One in four stays as it was generated.
    if positive and seed % 4:
        fill(case.body, seed)
        is_request = case.path.endswith(("/emails", "/emails/batch"))
        if "/emails" in case.path:
            for number, email in enumerate(case.body if isinstance(case.body, list) else [case.body]):
                if isinstance(email, dict) and is_request:
                    compose(email, seed + number)
                elif isinstance(email, dict):
                    fill_by(EMAIL, email, seed)
    if positive and case.method == "GET" and case.query:
        fill_by(QUERY, case.query, zlib.crc32(str(case.query).encode()))
        if case.method == "PATCH" and "/emails" in case.path and isinstance(case.body, dict):
            case.body["scheduled_at"] = hours_ahead(1 + seed % 5)
    ids = waiting if case.method == "PATCH" or case.path.endswith("/cancel") else taken
    if positive and ids and "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = ids[-1 - seed % min(len(ids), 5)]
    wait_less(case)
    case.body = keep_home(case.body)
    # A generated tag never fits. The ones that the links carry do.
    if positive and seed % 3:
        for header in ("If-Match", "If-None-Match"):
            if not str(case.headers.get(header, "")).startswith('"'):
                case.headers.pop(header, None)
