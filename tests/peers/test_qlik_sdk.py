"""The official PyPI client, unmodified, through every function that it has for transports.

tests/peers/official_clients.rs starts the service and names it in TRANSPORTS_HOST; the tests run in the order of
their names, each on what the one before left.
"""

import os
import unittest

import requests
from qlik_sdk import AuthType, Config
from qlik_sdk.apis.Transports import Email, EmailConfigPatch, Transports
from qlik_sdk.rest import AuthenticationException

CONFIG = "/transports/email-config"
ACCOUNT = {
    "serverAddress": "localhost",
    "serverPort": 2587,
    "securityType": "StartTLS",
    "username": "alice",
    "emailPassword": "secret",
    "emailAddress": "alice@example.com",
}


def client(token):
    return Transports(Config(host=os.environ["TRANSPORTS_HOST"], auth_type=AuthType.APIKey, api_key=token))


def replace(fields):
    return [{"op": "replace", "path": f"/{field}", "value": value} for field, value in fields.items()]


class OfficialClient(unittest.TestCase):
    admin = client(os.environ["TRANSPORTS_ADMIN"])
    member = client(os.environ["TRANSPORTS_MEMBER"])
    hasty = client(os.environ["TRANSPORTS_HASTY"])

    def refused(self, status, code, call, *arguments, **options):
        """The answer to a call that the service has to refuse."""
        with self.assertRaises(requests.HTTPError) as raised:
            call(*arguments, **options)
        response = raised.exception.response
        self.assertEqual(response.status_code, status, response.text)
        self.assertEqual(response.json()["errors"][0]["code"], code)
        return response

    def test_1_every_function_that_the_client_has_is_tested_here(self):
        functions = {name for name in vars(Transports) if not name.startswith("_")}
        tested = {
            "get_email_config", "patch_email_config", "delete_email_config", "validate_email_config",
            "verify_connection_email_config", "send_test_email_email_config",
        }  # fmt: skip
        self.assertEqual(functions, tested)

    def test_2_without_a_configuration_each_operation_says_so(self):
        config = self.admin.get_email_config()
        self.assertEqual((config.isValid, config.passwordExists, config.tenantId), (False, False, None))
        self.assertIs(self.admin.validate_email_config().isValid, False)
        self.refused(404, "DELETE-1", self.admin.delete_email_config)
        self.refused(404, "VERIFYCONNECTION-1", self.admin.verify_connection_email_config)
        email = Email(recipient="pypi@example.com", subject="x", body="y")
        self.refused(404, "SENDTESTEMAIL-1", self.admin.send_test_email_email_config, email)

    def test_3_its_own_patch_type_sends_an_empty_body_and_gets_400(self):
        response = self.refused(400, "INPUTCHECK-1", self.admin.patch_email_config, EmailConfigPatch([]))
        self.assertEqual(response.headers["deprecation"], "@1765843200")
        # Its type keeps what is appended, and asdict() makes nothing of it.
        patch = EmailConfigPatch(replace(ACCOUNT))
        self.refused(400, "INPUTCHECK-1", self.admin.patch_email_config, patch)
        self.assertIs(self.admin.get_email_config().passwordExists, False)

    def test_4_a_plain_list_patches(self):
        self.admin.patch_email_config(replace(ACCOUNT))
        config = self.admin.get_email_config()
        for field in ("serverAddress", "serverPort", "securityType", "username", "emailAddress"):
            self.assertEqual(getattr(config, field), ACCOUNT[field])
        self.assertEqual((config.tenantId, config.authFailures), ("acme", 0))
        self.assertEqual((config.isValid, config.passwordExists), (True, True))
        self.assertEqual((config.status.statusCode, config.status.statusReason), (0, "OK"))
        self.assertRegex(config.modificationTime, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.refused(400, "INPUTCHECK-1", self.admin.patch_email_config, replace({"serverPort": "none"}))

    def test_5_validate_verify_and_send(self):
        self.assertIs(self.admin.validate_email_config().isValid, True)
        verified = self.admin.verify_connection_email_config()
        self.assertEqual((verified.success, verified.connectionFailed), (True, False), verified.message)
        self.assertEqual(verified.smtpResponseCode, 250)
        sent = self.admin.send_test_email_email_config(
            Email(recipient="pypi@example.com", subject="Grüße", body="aus Zürich\n")
        )
        self.assertEqual((sent.success, sent.smtpResponseCode), (True, 250), sent.message)
        refused = self.admin.send_test_email_email_config(
            Email(recipient="nobody@example.com", subject="x", body="y")
        )
        self.assertEqual((refused.success, refused.connectionFailed), (False, False))
        self.assertEqual(refused.smtpResponseCode, 550)
        self.refused(400, "INPUTCHECK-1", self.admin.send_test_email_email_config, Email(subject="x"))

    def test_6_put_by_its_rest_method(self):
        account = {**ACCOUNT, "serverPort": 2465, "securityType": "SSL/TLS", "senderName": "Zoë"}
        document = {"serviceProvider": "BasicAuth", "providerConfig": account}
        response = self.admin.auth.rest(path=CONFIG, method="PUT", data=document)
        self.assertEqual((response.status_code, response.content), (204, b""))
        self.assertEqual(self.admin.get_email_config().serverPort, 2465)
        account["emailPassword"] = "hunter2"
        answer = self.refused(400, "CONNECTIONCHECK-1", self.admin.auth.rest, path=CONFIG, method="PUT", data=document)
        self.assertEqual(answer.json()["errors"][0]["meta"]["diagnosis"]["code"], "AUTH_REJECTED")
        self.assertEqual(self.admin.verify_connection_email_config().success, True)

    def test_7_rights(self):
        self.assertIs(self.member.validate_email_config().isValid, True)
        self.assertIs(self.member.verify_connection_email_config().success, True)
        for call, arguments in (
            (self.member.get_email_config, ()),
            (self.member.patch_email_config, (replace({"username": "bob"}),)),
            (self.member.delete_email_config, ()),
            (self.member.send_test_email_email_config, (Email(recipient="pypi@example.com"),)),
        ):
            self.refused(403, "ROLECHECK-1", call, *arguments)
        with self.assertRaisesRegex(AuthenticationException, "^Unauthorized$"):
            client("no-token").get_email_config()

    def test_8_the_rate_limit(self):
        for _ in range(100):
            self.hasty.validate_email_config()
        response = self.refused(429, "HTTP-429", self.hasty.validate_email_config)
        self.assertIn(int(response.headers["retry-after"]), range(1, 61))

    def test_9_delete(self):
        self.assertIsNone(self.admin.delete_email_config())
        self.assertIs(self.admin.get_email_config().isValid, False)
        self.refused(404, "DELETE-1", self.admin.delete_email_config)


if __name__ == "__main__":
    unittest.main()
