//! Generates structs, a loader and a list from the table of settings in `config.rs`.

/// The description of a setting.
#[derive(Clone, Debug)]
pub struct Setting {
    pub section: &'static str,
    pub key: &'static str,
    /// The doc comment, on one line.
    pub documentation: String,
    /// What a value looks like, such as `an integer from 1 to 60`.
    pub expected: String,
    /// The default as it would stand in the file; none for an optional setting that is left out.
    pub default: Option<&'static str>,
    /// Whether its value is kept out of every message.
    pub is_secret: bool,
}

/// One effective setting, for people: secrets are `***`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EffectiveSetting {
    pub section: &'static str,
    pub key: &'static str,
    /// As it would stand in the file; none where it is not set.
    pub value: Option<String>,
}

/// The lines of a doc comment as one line.
pub(super) fn one_line(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// The default's text; `unset` is none.
pub(super) fn default_text(text: &'static str) -> Option<&'static str> {
    (text != "unset").then_some(text)
}

macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $Section:ident, derive($($derive:ident),+) {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty = $default:tt $(, $rule:expr)?;
            )+
        }
    )+) => {
        /// All settings.
        #[derive(Debug)]
        pub struct Config {
            $( $(#[doc = $section_doc])+ pub $section: $Section, )+
        }

        $(
            $(#[doc = $section_doc])+
            #[derive($($derive),+)]
            pub struct $Section {
                $( $(#[doc = $doc])+ pub $key: $type, )+
            }

            impl $Section {
                /// Reads every setting before it gives up, so that all faults are found.
                fn read(sources: &mut $crate::config::load::Sources) -> Option<Self> {
                    $(
                        let $key = sources.read::<$type>(
                            stringify!($section),
                            stringify!($key),
                            stringify!($default),
                            $crate::config::settings::rule_or_any!($($rule)?),
                        );
                    )+
                    Some(Self { $( $key: $key?, )+ })
                }
            }
        )+

        impl Config {
            fn read(sources: &mut $crate::config::load::Sources) -> Option<Self> {
                $( let $section = $Section::read(sources); )+
                Some(Self { $( $section: $section?, )+ })
            }

            /// Every setting as it is in effect, in the order of the documentation, without secrets.
            pub fn shown(&self) -> Vec<$crate::config::settings::EffectiveSetting> {
                use $crate::config::value::Value as _;
                vec![$($(
                    $crate::config::settings::EffectiveSetting {
                        section: stringify!($section),
                        key: stringify!($key),
                        value: self.$section.$key.show(),
                    },
                )+)+]
            }
        }

        /// Every section with its documentation, in order.
        pub(super) fn sections() -> Vec<(&'static str, String)> {
            vec![$( (
                stringify!($section),
                $crate::config::settings::one_line(&[$($section_doc),+]),
            ), )+]
        }

        /// Every setting, in order.
        pub(super) fn all() -> Vec<$crate::config::settings::Setting> {
            use $crate::config::value::Value;
            vec![$($(
                $crate::config::settings::Setting {
                    section: stringify!($section),
                    key: stringify!($key),
                    documentation: $crate::config::settings::one_line(&[$($doc),+]),
                    expected: <$type as Value>::expected($crate::config::settings::rule_or_any!($($rule)?)),
                    default: $crate::config::settings::default_text(stringify!($default)),
                    is_secret: <$type as Value>::IS_SECRET,
                },
            )+)+]
        }
    };
}

macro_rules! rule_or_any {
    () => {
        $crate::config::value::Rule::Any
    };
    ($rule:expr) => {
        $rule
    };
}

pub(super) use {rule_or_any, settings};
