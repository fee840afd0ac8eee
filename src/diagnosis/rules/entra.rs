//! Entra, which issues Microsoft 365's access tokens. Its numbers (`AADSTS…`) decide; its texts change.

use crate::diagnosis::rule::{ANY, Case, Condition, Kind, RULE, Rule, When};
use crate::diagnosis::{Effect, Owner};

const ERRORS: &str = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes";
const SECRETS: &str =
    "https://learn.microsoft.com/entra/identity-platform/how-to-add-credentials?tabs=client-secret";
const CONSENT: &str = "https://learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent";
const PORTAL: &str = "Open the app in the Microsoft Entra admin center, under App registrations.";

/// A refusal by the token endpoint, for `..REFUSAL`.
const REFUSAL: When = When { kinds: &[Kind::TokenRefused], ..ANY };

const BASE: Rule = Rule { owner: Owner::Microsoft365Admin, ..RULE };

/// What says that the app's own credentials are wrong.
const CREDENTIALS: Rule = Rule { effect: Effect::CredentialsRefused, ..BASE };

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "ENTRA_SECRET_INVALID",
        when: &[
            When { numbers: &[7_000_215], ..REFUSAL },
            When { numbers: &[50_012], texts: &["client secret"], ..REFUSAL },
        ],
        title: "Microsoft did not accept the client secret",
        meaning: "The secret does not belong to the app {client_id}. Most often the Secret ID was copied instead of \
                  the Value: Microsoft shows the Value only once, right after it was created.",
        steps: &[
            PORTAL,
            "Under Certificates & secrets create a new client secret, and copy its Value, not its Secret ID.",
            "Enter the Value here as the client secret.",
        ],
        links: &[SECRETS],
        ..CREDENTIALS
    },
    Rule {
        code: "ENTRA_SECRET_EXPIRED",
        when: &[When { numbers: &[7_000_222], ..REFUSAL }],
        title: "The client secret has expired",
        meaning: "Client secrets of Microsoft apps end on a date that was chosen when they were created. This one has \
                  expired; a new one is all that is needed.",
        steps: &[
            PORTAL,
            "Under Certificates & secrets create a new client secret, and copy its Value.",
            "Enter the Value here, and note the day on which it ends.",
        ],
        links: &[SECRETS],
        ..CREDENTIALS
    },
    Rule {
        code: "ENTRA_APP_NOT_FOUND",
        when: &[When { numbers: &[700_016, 70_001], ..REFUSAL }],
        title: "Microsoft finds no app {client_id} in the directory {provider_tenant}",
        meaning: "The client ID is mistyped, belongs to another directory (Microsoft 365 tenant), or an administrator \
                  of this directory has not approved the app yet.",
        steps: &[
            "Compare the client ID with the Application (client) ID on the app's overview page in the Microsoft Entra \
             admin center.",
            "Compare the directory with the Directory (tenant) ID on the same page.",
            "If the app belongs to another organisation, let an administrator of yours approve it with the \
             admin-consent link of the setup help.",
        ],
        links: &[CONSENT],
        ..CREDENTIALS
    },
    Rule {
        code: "ENTRA_TENANT_NOT_FOUND",
        when: &[When { numbers: &[90_002, 90_019, 900_023], ..REFUSAL }],
        title: "Microsoft knows no directory {provider_tenant}",
        meaning: "The directory (Microsoft 365 tenant) does not exist, or it is in another of Microsoft's clouds: those \
                  for governments and for China are apart.",
        cases: &[Case {
            conditions: &[Condition::IdsInterchangeable],
            meaning: "The two IDs may have been swapped.",
            step: "Check that the Application (client) ID and the Directory (tenant) ID are not swapped.",
        }],
        steps: &[
            "Enter the Directory (tenant) ID from the app's overview page in the Microsoft Entra admin center, or a \
             domain that your organisation has verified at Microsoft.",
            "If your organisation is in a government's or China's cloud, ask the operator of this service to set that \
             cloud.",
        ],
        links: &[ERRORS],
        ..CREDENTIALS
    },
    Rule {
        code: "ENTRA_SCOPE",
        when: &[When { numbers: &[1_002_012, 70_011, 70_002, 7_000_216, 7_000_218], ..REFUSAL }],
        owner: Owner::Operator,
        title: "Microsoft did not accept what the token was asked for",
        meaning: "This service asked for a token in a way that Microsoft does not accept. Your settings are not the \
                  cause.",
        steps: &["Ask the operator of this service to check the addresses that are set for Microsoft 365."],
        links: &[ERRORS],
        ..BASE
    },
    Rule {
        code: "ENTRA_PUBLIC_CLIENT",
        when: &[When { numbers: &[700_025], ..REFUSAL }],
        title: "The app {client_id} is registered as one that can keep no secret",
        meaning: "Microsoft calls such an app a public client, and accepts no client secret from it. The secret was \
                  not checked.",
        steps: &[
            PORTAL,
            "Under Authentication set \"Allow public client flows\" to No, and remove the platform \"Mobile and desktop \
             applications\" if it is there.",
            "Then run the check again. If Microsoft still refuses, register a new app, and enter its client ID and secret \
             here.",
        ],
        links: &[ERRORS],
        ..BASE
    },
    Rule {
        code: "ENTRA_APP_DISABLED",
        when: &[When { numbers: &[7_000_112], ..REFUSAL }],
        title: "The app {client_id} is switched off in your Microsoft 365 organisation",
        meaning: "Microsoft knows the app, and its entry in the directory {provider_tenant} is switched off: by an \
                  administrator, or by Microsoft itself. The client secret was not checked.",
        steps: &[
            "In the Microsoft Entra admin center open Enterprise applications, the app, Properties, and set \"Enabled for \
             users to sign-in?\" to Yes.",
            "If Microsoft has disabled it, register a new app and enter its client ID and secret here.",
        ],
        links: &[ERRORS],
        ..BASE
    },
    Rule {
        code: "ENTRA_THROTTLED",
        when: &[When { kinds: &[Kind::TokenRefused, Kind::TokenBusy], numbers: &[50_196, 90_055], ..ANY }],
        owner: Owner::Operator,
        retryable: true,
        title: "Microsoft asks for fewer sign-ins of the app {client_id}",
        meaning: "Too many tokens were asked for this app in a short time, here or in another program that uses it. Nothing \
                  is wrong with your settings.",
        steps: &[
            "Wait a few minutes, then run the check again.",
            "If this continues, ask the operator of this service whether something asks for tokens again and again.",
        ],
        links: &[ERRORS],
        ..BASE
    },
    Rule {
        code: "ENTRA_CONSENT_MISSING",
        when: &[When { numbers: &[65_001, 650_056, 500_011], ..REFUSAL }],
        title: "An administrator of your Microsoft 365 organisation has not approved the app",
        meaning: "The app {client_id} is known, but nobody with the right to do so has agreed that it may act in the \
                  directory {provider_tenant}.",
        steps: &[
            "Let your Microsoft 365 administrator open the admin-consent link of the setup help, and accept.",
            "Wait a few minutes, then run the check again.",
        ],
        links: &[CONSENT],
        ..BASE
    },
    Rule {
        code: "ENTRA_NO_SERVICE_PRINCIPAL",
        when: &[When { numbers: &[7_000_229], ..REFUSAL }],
        title: "The app is not installed in your Microsoft 365 organisation",
        meaning: "The app {client_id} exists, but the directory {provider_tenant} has no entry for it among its \
                  enterprise applications.",
        steps: &[
            "Let your Microsoft 365 administrator open the admin-consent link of the setup help: that installs it.",
            "Wait a few minutes, then run the check again.",
        ],
        links: &[CONSENT],
        ..BASE
    },
    Rule {
        code: "ENTRA_CONDITIONAL_ACCESS",
        when: &[When {
            numbers: &[53_000, 53_001, 53_002, 53_003, 53_004, 53_005, 530_032, 530_034, 530_084],
            ..REFUSAL
        }],
        title: "A sign-in policy of your Microsoft 365 organisation blocked the app",
        meaning: "Conditional Access checks where a sign-in comes from and by what. A policy of your organisation does \
                  not let this app sign in from our network.",
        steps: &[
            "Ask your Microsoft 365 administrator to look up this sign-in in the Entra sign-in log, under service \
             principal sign-ins: it names the policy.",
            "Exclude the app from the policy, or allow the network address of this service; its operator can name it.",
        ],
        links: &["https://learn.microsoft.com/entra/identity/conditional-access/workload-identity"],
        ..BASE
    },
    Rule {
        code: "ENTRA_CERT_ASSERTION",
        when: &[When { numbers: &[700_027, 700_024, 1_000_502], ..REFUSAL }],
        title: "Microsoft did not accept the certificate that the app signs in with",
        meaning: "The certificate is not registered with the app, or the clocks of the two sides differ too much.",
        steps: &[
            "Upload the certificate under Certificates & secrets of the app.",
            "Ask the operator of this service to check the clock of its machines.",
        ],
        links: &[ERRORS],
        ..CREDENTIALS
    },
    Rule {
        code: "ENTRA_USER",
        when: &[When { numbers: &[50_076, 50_079, 50_126, 50_034, 50_053, 50_056], ..REFUSAL }],
        owner: Owner::TenantAdmin,
        title: "Microsoft did not accept the sign-in of the user {user}",
        meaning: "Microsoft requires more from this user than was given, or refuses it.",
        cases: &[
            Case {
                conditions: &[Condition::Number(50_076)],
                meaning: "A second factor is needed, which only the user can give.",
                step: "",
            },
            Case {
                conditions: &[Condition::Number(50_079)],
                meaning: "The user has to set up a second factor first.",
                step: "",
            },
            Case {
                conditions: &[Condition::Number(50_126)],
                meaning: "User name or password are wrong.",
                step: "",
            },
            Case {
                conditions: &[Condition::Number(50_034)],
                meaning: "There is no such user in this directory.",
                step: "",
            },
            Case {
                conditions: &[Condition::Number(50_053)],
                meaning: "The user is locked after too many attempts, or our network address is blocked.",
                step: "Wait before the next attempt: each one prolongs the lock.",
            },
        ],
        steps: &["Connect the account again, and sign in as {user} where Microsoft asks for it."],
        links: &[ERRORS],
        ..CREDENTIALS
    },
    Rule {
        code: "OAUTH_REAUTH_REQUIRED",
        when: &[
            When { numbers: &[700_082, 70_043, 70_000, 50_173], ..REFUSAL },
            // Where an app signs in for itself, nobody has given a consent that could end.
            When { errors: &["invalid_grant"], app_only: Some(false), ..REFUSAL },
        ],
        owner: Owner::TenantAdmin,
        title: "The consent to send mail has ended",
        meaning: "The permission that was given once is no longer valid: it was not used for a long time, the password \
                  was changed, or a policy ended it.",
        steps: &["Connect the account again, and give the consent where Microsoft asks for it."],
        links: &[ERRORS],
        ..CREDENTIALS
    },
    Rule {
        code: "TOKEN_ENDPOINT_TEMPORARY",
        when: &[When { kinds: &[Kind::TokenBusy, Kind::TokenTimeout], ..ANY }],
        owner: Owner::Nobody,
        retryable: true,
        title: "Microsoft's sign-in service is busy",
        meaning: "The service that issues access tokens did not answer in time, or asked to come back later. It says \
                  nothing about your settings.",
        steps: &["Try again in a few minutes; nothing needs to be changed."],
        links: &["https://status.cloud.microsoft/"],
        ..BASE
    },
    Rule {
        code: "TOKEN_ENDPOINT_UNREACHABLE",
        when: &[When {
            kinds: &[
                Kind::TokenUnreachable,
                Kind::TokenMalformed,
                Kind::GraphUnreachable,
                Kind::GraphTimeout,
            ],
            ..ANY
        }],
        owner: Owner::Operator,
        connection_failed: true,
        retryable: true,
        title: "This service cannot reach Microsoft's servers",
        meaning: "No connection to Microsoft could be established, or something else answered in its place, for \
                  example a proxy or a firewall. Nothing was sent, and your settings were not checked.",
        cases: &[Case {
            conditions: &[Condition::ProblemKnown],
            meaning: "What was seen: {problem}.",
            step: "",
        }],
        steps: &[
            "Try again in a few minutes.",
            "If this continues, ask the operator of this service whether its firewall or proxy lets it reach \
             Microsoft's sign-in service and Microsoft Graph.",
        ],
        links: &["https://learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges"],
        ..BASE
    },
];
