//! Settings that are one of a few words, as enums.

/// Declares an enum whose variants stand in the configuration as these words.
macro_rules! choices {
    ($(
        $(#[doc = $doc:literal])+
        $Choice:ident { $( $(#[doc = $variant_doc:literal])* $Variant:ident = $word:literal, )+ }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $Choice {
            $( $(#[doc = $variant_doc])* $Variant, )+
        }

        impl $Choice {
            pub const ALL: &[Self] = &[$(Self::$Variant),+];

            /// The word that stands for it in the configuration.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Variant => $word,)+
                }
            }
        }

        impl $crate::config::value::Value for $Choice {
            fn expected(_rule: $crate::config::value::Rule) -> String {
                $crate::config::value::list_of(&[$($word),+], "one of")
            }

            fn read(
                input: $crate::config::value::Input<'_>,
                _rule: $crate::config::value::Rule,
            ) -> Option<Self> {
                let text = input.text()?;
                Self::ALL.iter().copied().find(|choice| choice.as_str() == text)
            }

            fn show(&self) -> Option<String> {
                Some($crate::config::value::quoted(self.as_str()))
            }
        }
    )+};
}

choices! {
    /// What seals where both keys and a Vault are set: `encryption.seal_with`.
    SealWith {
        Keys = "keys",
        Vault = "vault",
    }

    /// Microsoft's cloud: `microsoft365.cloud`.
    MicrosoftCloud {
        Public = "public",
        /// GCC High.
        UsGov = "usgov",
        UsDod = "usdod",
        China = "china",
    }

    /// How mail is handed over to Microsoft: `microsoft365.transport`.
    MicrosoftTransport {
        Graph = "graph",
        /// With a token (XOAUTH2).
        Smtp = "smtp",
    }

    /// Where requests are counted: `rate_limit.store`.
    RateLimitStore {
        /// Each process counts on its own.
        Memory = "memory",
        /// All replicas count together, in PostgreSQL.
        Database = "database",
    }

    /// How the audit keeps the recipients of test mails: `audit.recipients`.
    AuditRecipients {
        Plain = "plain",
        Hash = "hash",
    }

    /// How log lines are written: `log.format`.
    LogFormat {
        /// Text on a terminal, JSON elsewhere.
        Auto = "auto",
        Text = "text",
        Json = "json",
    }
}
