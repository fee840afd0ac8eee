"""What a generator cannot know: accounts that work, and names that nobody is to be asked about.

The environment names them: see tests/peers/schemathesis.rs.
"""

import json
import os
import zlib

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


def pick(field, seed):
    return PLAUSIBLE[field][zlib.crc32(field.encode(), seed) % 4]


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


@schemathesis.hook
def before_call(context, case, kwargs):
    seed = zlib.crc32(json.dumps(case.body, default=str, sort_keys=True).encode())
    positive = case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE
    # One in four stays as it was generated.
    if positive and seed % 4:
        fill(case.body, seed)
    case.body = keep_home(case.body)
    # A generated tag never fits. The ones that the links carry do.
    if positive and seed % 3:
        for header in ("If-Match", "If-None-Match"):
            if not str(case.headers.get(header, "")).startswith('"'):
                case.headers.pop(header, None)
