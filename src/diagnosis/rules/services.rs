//! Services that send for others: Amazon SES, `SendGrid`, Brevo.

use crate::diagnosis::rule::{ANY, Case, Condition, Kind, REPLY, RULE, Rule, When};
use crate::diagnosis::{Effect, Owner};
use crate::mail::transcript::Stage;
use crate::mail_services::Service;

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "SES_BAD_SMTP_CREDENTIALS",
        when: &[When {
            stages: &[Stage::Auth],
            services: &[Service::AmazonSes],
            codes: &["535"],
            kinds: &[Kind::Refused],
            ..ANY
        }],
        effect: Effect::CredentialsRefused,
        title: "Amazon SES refused the SMTP credentials",
        meaning: "Amazon SES has its own user names and passwords for SMTP. They are not the access keys of AWS, and \
                  they hold in one region only; this server is in the region {region}.",
        steps: &[
            "In the AWS console open Amazon SES in the region {region}, SMTP settings, and create SMTP credentials.",
            "Enter the SMTP user name and the SMTP password that are shown there.",
        ],
        links: &["https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html"],
        ..RULE
    },
    Rule {
        code: "SES_IDENTITY_NOT_VERIFIED",
        when: &[When {
            codes: &["5*"],
            texts: &["identities failed the check", "email address is not verified*region"],
            ..REPLY
        }],
        concerns_configuration: true,
        title: "Amazon SES has not verified an address of this message",
        meaning: "Amazon SES sends only from addresses and domains that you have proved to be yours, in each region \
                  separately. The sign-in worked.",
        cases: &[
            Case {
                conditions: &[Condition::ReplyNamesSender],
                meaning: "The sender {from} is not verified.",
                step: "In the AWS console verify {from}, or its domain, in the region of this server.",
            },
            Case {
                conditions: &[Condition::ReplyNamesRecipient],
                meaning: "The recipient {recipient} is not verified: the SES account is still in the sandbox, where \
                          recipients must be verified too.",
                step: "In the AWS console ask for production access to Amazon SES.",
            },
        ],
        steps: &[
            "Compare the addresses in the server's reply with the verified identities in the AWS console.",
        ],
        links: &[
            "https://docs.aws.amazon.com/ses/latest/dg/creating-identities.html",
            "https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html",
        ],
        ..RULE
    },
    Rule {
        code: "SES_THROTTLED",
        when: &[When {
            codes: &["4*"],
            texts: &["throttling failure", "maximum sending rate exceeded", "daily message quota exceeded"],
            ..REPLY
        }],
        retryable: true,
        title: "The Amazon SES account has reached its sending limit",
        meaning: "Amazon SES limits how fast and how much an account may send. User name and password are fine.",
        steps: &[
            "Try again later: the limit for a second opens at once, the one for a day within 24 hours.",
            "If it happens often, ask for higher limits in the AWS console.",
        ],
        links: &["https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas.html"],
        ..RULE
    },
    Rule {
        code: "SENDGRID_APIKEY",
        when: &[When {
            stages: &[Stage::Auth],
            services: &[Service::SendGrid],
            codes: &["535"],
            texts: &[
                "bad username / password",
                "username",
                "password",
                "authentication failed",
                "authorization",
            ],
            unless: &["disabled", "suspended", "blocked", "too many", "exceed", "not allowed", "credits"],
            kinds: &[Kind::Refused],
            ..ANY
        }],
        effect: Effect::CredentialsRefused,
        title: "SendGrid refused the sign-in",
        meaning: "At SendGrid the user name is always the word apikey, and the password is an API key.",
        cases: &[Case {
            conditions: &[Condition::UserNameDoesNotFit],
            meaning: "The configured user name is {user}.",
            step: "Enter apikey as the user name.",
        }],
        steps: &[
            "Create an API key with the permission Mail Send in SendGrid, and enter it as the password.",
            "Enter the key whole; it begins with SG and a dot.",
        ],
        links: &[
            "https://www.twilio.com/docs/sendgrid/for-developers/sending-email/integrating-with-the-smtp-api",
        ],
        ..RULE
    },
    Rule {
        code: "SENDGRID_SENDER",
        when: &[When { codes: &["5*"], texts: &["does not match a verified sender identity"], ..REPLY }],
        concerns_configuration: true,
        title: "SendGrid does not know {from} as a sender of yours",
        meaning: "SendGrid sends only from addresses and domains that you have proved to be yours. The sign-in worked.",
        steps: &[
            "In SendGrid open Sender Authentication, and authenticate the domain of {from}, or verify this one \
                  address.",
        ],
        links: &["https://www.twilio.com/docs/sendgrid/ui/sending-email/sender-verification"],
        ..RULE
    },
    Rule {
        code: "PROVIDER_NOT_ACTIVATED",
        when: &[When { codes: &["5*"], texts: &["account is not yet activated"], ..REPLY }],
        owner: Owner::MailHost,
        title: "The account at {host} is not activated for sending yet",
        meaning: "The mail provider has not opened sending for this account. The reply finds no fault with the \
                  password.",
        steps: &["Ask the support of the mail provider to activate sending by SMTP for this account."],
        links: &["https://help.brevo.com"],
        ..RULE
    },
    Rule {
        code: "PROVIDER_IP_NOT_ALLOWED",
        when: &[
            When { codes: &["5*"], texts: &["unauthorized ip address"], ..REPLY },
            When { services: &[Service::Brevo], codes: &["525"], ..REPLY },
        ],
        title: "{host} does not allow our network address",
        meaning: "The mail provider accepts this account only from network addresses on a list, and ours is not on \
                  it. The reply finds no fault with the password.",
        steps: &[
            "Ask the operator of this service which network address it sends from.",
            "Add it to the authorised IP addresses in the security settings of the mail provider.",
        ],
        links: &["https://help.brevo.com"],
        ..RULE
    },
];
