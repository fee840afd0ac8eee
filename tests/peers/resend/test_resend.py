"""Resend's official PyPI client, unmodified, through every flow of emails.

tests/peers/resend.rs starts the service and names it in RESEND_API_URL; the tests run in the order of their names, each
on what the one before left.
"""

import os
import time
import unittest
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import resend
from resend.exceptions import MissingRequiredFieldsError, ResendError, ValidationError

FROM = "Acme <platform@example.com>"
NOBODY = "0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a"


def email(**change):
    return {"from": FROM, "to": ["ada@example.org"], "subject": "Invoice 8841", "text": "Thank you.", **change}


def hours_ahead(hours):
    return (datetime.now(timezone.utc) + timedelta(hours=hours)).isoformat()


def until(id, event):
    """The email once its last event is the one that is waited for."""
    for _ in range(200):
        found = resend.Emails.get(id)
        if found["last_event"] == event:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{id} never came to {event}: {found}")


class OfficialClient(unittest.TestCase):
    @contextmanager
    def refused(self, code, name, kind=ResendError):
        with self.assertRaises(kind) as raised:
            yield raised
        self.assertEqual((raised.exception.code, raised.exception.error_type), (code, name))

    def test_1_an_email_with_everything_is_taken_sent_and_found_again(self):
        sent = resend.Emails.send(email(
            to=["Ada <ada@example.org>", "bob@example.org"], cc="carol@example.org", bcc=["dan@example.org"],
            reply_to="support@example.com", html="<p>Grüße 😀</p>", headers={"X-Entity-Ref-ID": "8841"},
            attachments=[{"filename": "8841.txt", "content": list(b"one line\n"), "content_type": "text/plain"}],
            tags=[{"name": "kind", "value": "invoice"}],
        ))  # fmt: skip
        found = until(sent["id"], "sent")
        self.assertEqual((found["object"], found["from"]), ("email", FROM))
        self.assertEqual(found["to"], ["Ada <ada@example.org>", "bob@example.org"])
        self.assertEqual(found["tags"], [{"name": "kind", "value": "invoice"}])

    def test_2_a_recipient_whom_the_server_refuses_has_bounced(self):
        sent = resend.Emails.send(email(to="nouser@example.org"))
        self.assertEqual(until(sent["id"], "bounced")["recipients"][0]["last"]["smtp_code"], 550)

    def test_3_a_scheduled_email_is_moved_and_canceled(self):
        id = resend.Emails.send(email(scheduled_at=hours_ahead(1)))["id"]
        self.assertEqual(resend.Emails.get(id)["last_event"], "scheduled")
        self.assertEqual(resend.Emails.update({"id": id, "scheduled_at": hours_ahead(2)})["id"], id)
        self.assertEqual(resend.Emails.cancel(id)["id"], id)
        self.assertEqual(resend.Emails.get(id)["last_event"], "canceled")

    def test_4_a_key_stands_for_one_request(self):
        options = {"idempotency_key": "invoice/8841"}
        first = resend.Emails.send(email(), options)
        self.assertEqual(resend.Emails.send(email(), options)["id"], first["id"])
        with self.refused(409, "invalid_idempotent_request"):
            resend.Emails.send(email(subject="Another"), options)

    def test_5_a_batch_is_taken_as_a_whole_or_without_the_emails_that_have_a_fault(self):
        emails = [email(), email(to="no address"), email()]
        self.assertEqual(len(resend.Batch.send([email(), email()])["data"]), 2)
        with self.refused(422, "validation_error", ValidationError):
            resend.Batch.send(emails)
        permissive = resend.Batch.send(emails, {"batch_validation": "permissive"})
        self.assertEqual(len(permissive["data"]), 2)
        self.assertEqual([error["index"] for error in permissive["errors"]], [1])

    def test_6_the_list_goes_by_pages(self):
        ids = [found["id"] for found in resend.Emails.list({"limit": 100})["data"]]
        first = resend.Emails.list({"limit": 2})
        self.assertIs(first["has_more"], True)
        second = resend.Emails.list({"limit": 2, "after": ids[1]})
        self.assertEqual([found["id"] for found in first["data"] + second["data"]], ids[:4])
        back = resend.Emails.list({"limit": 2, "before": ids[2]})
        self.assertEqual([found["id"] for found in back["data"]], ids[:2])

    def test_7_errors_are_of_the_types_of_the_client(self):
        with self.refused(422, "validation_error", ValidationError):
            resend.Emails.send(email(to="no address"))
        with self.refused(422, "missing_required_field", MissingRequiredFieldsError):
            resend.Emails.send({"from": FROM, "to": "ada@example.org", "text": "x"})
        with self.refused(422, "invalid_from_address"):
            resend.Emails.send(email(**{"from": "someone@elsewhere.example"}))
        with self.refused(404, "not_found"):
            resend.Emails.get(NOBODY)
        with self.refused(404, "not_found"):
            resend.Emails.update({"id": NOBODY, "scheduled_at": hours_ahead(1)})

    def test_8_a_key_that_is_none_or_may_not_send_is_refused(self):
        own = resend.api_key
        try:
            resend.api_key = "re_123"
            with self.refused(401, "invalid_api_key") as refusal:
                resend.Emails.send(email())
            # The client has a sentence of its own for a missing key, and hides the service's.
            self.assertIn("which begins with tsk_", str(refusal.exception))
            resend.api_key = os.environ["OTHER_API_KEY"]
            with self.refused(403, "restricted_api_key"):
                resend.Emails.send(email())
        finally:
            resend.api_key = own

    def test_9_a_key_is_made_listed_used_and_removed(self):
        own = resend.api_key
        if "/tenants/" in os.environ["RESEND_API_URL"]:
            with self.refused(403, "restricted_api_key"):
                resend.ApiKeys.create({"name": "Billing"})
            return
        made = resend.ApiKeys.create({"name": "Billing", "permission": "sending_access"})
        self.assertTrue(made["token"].startswith("tsk_"))
        listed = resend.ApiKeys.list()["data"]
        self.assertEqual([(key["id"], key["name"]) for key in listed], [(made["id"], "Billing")])
        try:
            resend.api_key = made["token"]
            sent = resend.Emails.send(email())
            self.assertEqual(resend.Emails.get(sent["id"])["id"], sent["id"])
            with self.refused(403, "restricted_api_key"):
                resend.Emails.cancel(sent["id"])
            resend.api_key = own
            resend.ApiKeys.remove(made["id"])
            resend.api_key = made["token"]
            with self.refused(401, "invalid_api_key"):
                resend.Emails.send(email())
        finally:
            resend.api_key = own
        self.assertEqual(resend.ApiKeys.list()["data"], [])


if __name__ == "__main__":
    unittest.main()
