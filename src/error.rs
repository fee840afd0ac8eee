//! What is wrong with a request's input: where it stands, why it is refused, and the sentence that says so.

use std::fmt::{self, Display, Write as _};

use serde::Serialize;
use utoipa::ToSchema;

/// A refused part of a request. Displayed, it is one English sentence without its full stop, which begins with the
/// field's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InputFault {
    pub source: Source,
    pub reason: Reason,
    /// The values that would be taken, where they are few.
    pub allowed: Vec<String>,
    /// What the sentence is about.
    subject: String,
    /// What it says about that.
    statement: String,
}

/// Where a fault stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A JSON Pointer (RFC 6901) into the body; the empty one means the whole of it.
    Pointer(String),
    /// A parameter of the query, by its name.
    Parameter(String),
    /// A header, by its name.
    Header(&'static str),
    /// The request itself.
    Request,
}

/// Why a single value is refused. Displayed, it continues a sentence that begins with the field's name.
pub trait ValueError: Display {
    fn reason(&self) -> Reason;
}

/// The longest name of the client's that a sentence repeats, in characters.
const MAX_SHOWN_NAME: usize = 64;

impl InputFault {
    /// What is said about the value, without its name.
    pub fn statement(&self) -> &str {
        &self.statement
    }

    /// About a member of the body.
    pub fn new(field: &str, reason: Reason, statement: impl Display) -> Self {
        Self {
            source: Source::Pointer(format!("/{field}")),
            reason,
            allowed: Vec::new(),
            subject: field.to_owned(),
            statement: statement.to_string(),
        }
    }

    /// About a member of the body, in the words of the value's own error.
    pub fn value(field: &str, error: &impl ValueError) -> Self {
        Self::new(field, error.reason(), error)
    }

    pub fn required(field: &str) -> Self {
        Self::new(field, Reason::Required, "is required")
    }

    /// About the body as a whole.
    pub fn body(reason: Reason, statement: impl Display) -> Self {
        Self { source: Source::Pointer(String::new()), ..Self::new("The body", reason, statement) }
    }

    /// About a parameter of the query.
    pub fn parameter(name: &str, reason: Reason, statement: impl Display) -> Self {
        let name = shown(name);
        Self { source: Source::Parameter(name.clone()), ..Self::new(&name, reason, statement) }
    }

    /// About a header.
    pub fn header(name: &'static str, reason: Reason, statement: impl Display) -> Self {
        Self { source: Source::Header(name), ..Self::new(name, reason, statement) }
    }

    /// About the request itself.
    pub fn request(subject: &str, reason: Reason, statement: impl Display) -> Self {
        Self { source: Source::Request, ..Self::new(subject, reason, statement) }
    }

    /// About a member that this API does not know, within `parent`, which is a name in front of it or empty.
    pub fn unknown_field(parent: &str, name: &str) -> Self {
        Self::member(parent, name, Reason::UnknownField, "is not a known field")
    }

    /// About a member whose name is the client's, within `parent`, which is a name in front of it or empty.
    pub fn member(parent: &str, name: &str, reason: Reason, statement: impl Display) -> Self {
        let (parent_pointer, subject) = match parent {
            "" => (String::new(), shown(name)),
            parent => (format!("/{parent}"), shown(&format!("{parent}.{name}"))),
        };
        // A name that is not shown whole could not be found by its part; then the pointer leads to the object.
        let pointer = if subject.ends_with(name) {
            format!("{parent_pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
        } else {
            parent_pointer
        };
        Self::new(&subject, reason, statement).at(pointer)
    }

    /// The same fault, at another place in the body.
    pub fn at(self, pointer: String) -> Self {
        Self { source: Source::Pointer(pointer), ..self }
    }

    /// The same fault of a member of the object `parent`.
    pub fn within(self, parent: &str) -> Self {
        match self.source {
            Source::Pointer(pointer) => {
                Self { source: Source::Pointer(format!("/{parent}{pointer}")), ..self }
            }
            _ => self,
        }
    }

    /// The same fault of an item of the body, which is an array; the sentence names the item too.
    pub fn in_item(self, items: &str, index: usize) -> Self {
        let subject = match &self.source {
            Source::Pointer(pointer) if !pointer.is_empty() => format!("{items}[{index}].{}", self.subject),
            _ => format!("{items}[{index}]"),
        };
        Self { subject, ..self }.within(&index.to_string())
    }

    /// The same fault of a query's parameter that has the field's name.
    pub fn in_query(self) -> Self {
        Self { source: Source::Parameter(self.subject.clone()), ..self }
    }

    /// The same fault, with what would be taken.
    pub fn with_allowed(self, allowed: impl IntoIterator<Item = impl Display>) -> Self {
        Self { allowed: allowed.into_iter().map(|value| value.to_string()).collect(), ..self }
    }

    /// The same fault, with more words at the end of its sentence.
    pub fn with_words(mut self, words: impl Display) -> Self {
        // Writing to a String cannot fail.
        let _ = write!(self.statement, "{words}");
        self
    }
}

impl Display for InputFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.subject, self.statement)
    }
}

/// A client's text: shown short, and without what could garble a log or a terminal.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(MAX_SHOWN_NAME).collect()
}

/// Declares [`Reason`], whose words on the wire are the names of its variants in snake case.
macro_rules! reasons {
    ($($variant:ident $meaning:literal)*) => {
        /// Why input is refused: the closed set of `meta.reason`.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = Reason)]
        pub enum Reason {
            $(#[doc = $meaning] $variant,)*
        }

        impl Reason {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// What the reason stands for, as the documentation says it.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }
    };
}

reasons! {
    Required "A required value is missing."
    Empty "The value is empty."
    Null "The value is null. Clear a field with `remove`, or leave it out of a PUT."
    NotAString "The value is not a string."
    NotAnObject "The value is not an object."
    NotAnArray "The value is not an array."
    NotOneOf "The value is not one of `meta.allowed`."
    OutOfRange "The value is not a number of the range, or not a time within it."
    TooLong "The value is too long."
    ControlCharacter "The value contains a line break or another control character."
    UnknownField "The API does not know this member."
    UnknownParameter "The API does not know this parameter of the query."
    Duplicate "A member of the body, or a parameter of the query, stands more than once."
    NotJson "The body is not valid JSON."
    IncompleteBody "The body did not arrive whole."
    MalformedQuery "The query is not of the form `name=value&name=value`."
    AmbiguousRequest "The request can be understood in two ways, or does not name a path on this server."
    InvalidCursor "The cursor is not one that this service gave out."
    HostIsUrl "A URL stands where the name of a server belongs."
    HostIsEmailAddress "An email address stands where the name of a server belongs."
    HostHasPort "The name of the server has its port beside it."
    HostHasBrackets "The IPv6 address stands in brackets."
    NotAnIpAddress "The value has the form of an IPv6 address, but is none that can be used."
    NotADomainName "The value is not a valid domain name."
    EndsInNumber "The name ends in a number, so that some programs would take it for an IP address."
    ContainsBlank "The value contains a space or another invisible character."
    InvalidCharacter "The value contains a character that cannot stand there."
    InvisibleCharacter "The value contains an invisible character that changes the direction of the text."
    NotAnEmailAddress "The value is not a valid email address."
    SeveralAddresses "There is more than one email address."
    DisplayName "A name stands beside the email address."
    IncompleteDomain "The domain of the email address has only one part."
    AddressNotAllowed "This installation does not connect to that IP address."
    NameNotAllowed "This installation does not connect to that name."
    OwnGateway "The server is the SMTP gateway of this service itself."
    PortNotAllowed "This installation does not connect to that port; `meta.allowed` has those that it connects to."
    Mask "The secret is made of mask characters only."
    SecretNotKept "The secret must be entered again: the stored one belongs to another destination."
    SecretId "The client secret is its Secret ID in place of its Value."
    NotAClientId "The value is neither a GUID nor an Application ID URI."
    NotADirectory "The value is neither a Directory (tenant) ID nor a domain name."
    Conflict "The value does not go together with another one of the request."
    NotSupported "Other services know this member; this one has no use for it."
    TooMany "There are more values than are taken."
    SenderNotAllowed "The account may not send from this address: it is neither its own nor one of `allowed_senders`."
    NotBase64 "The value is not Base64."
    NotATimestamp "The value is not a time in the form of RFC 3339."
    NotAMessage "The value is not a message in the form of RFC 5322, or could be read in two ways."
    NotAContentType "The value is not a media type that can be attached."
    HeaderNotAllowed "A header of this name cannot be set."
    IncompleteSwitch "A patch switches from `Microsoft365` to `BasicAuth` only with a complete configuration."
}

/// The table of `docs/input-faults.md`. A test holds the file to it.
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "# Reasons of refused input\n\n\
         Generated from `src/error.rs`; a test compares it. A refusal with the code `INPUTCHECK-1` (400), or `SEND-1` of the \
         send API (422), names where the fault stands and why it is refused:\n\n\
         - `source.pointer` is a JSON Pointer (RFC 6901) into the body; the empty one means the whole of it. A fault \
         in the query has `source.parameter` instead, one in a header `source.header`.\n\
         - `meta.reason` is one of the words below. More words may be added.\n\
         - `meta.allowed` lists the values that would be taken, where they are few.\n\n\
         `title` says the same as one English sentence, which begins with the field's name.\n\n\
         | `meta.reason` | Meaning |\n|---|---|\n",
    );
    for reason in Reason::ALL {
        let word = serde_json::to_value(reason).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{}` | {} |", word.as_str().unwrap_or_default(), reason.meaning());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_the_one_that_the_code_writes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/input-faults.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, reference_markdown()).expect("docs can be written");
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == reference_markdown(), "{path} is stale: run `UPDATE_DOCS=1 cargo test --lib`");
    }

    #[test]
    fn an_unknown_member_is_found_by_its_pointer() {
        let pointer = |parent: &str, name: &str| InputFault::unknown_field(parent, name).source;
        let expected = |pointer: &str| Source::Pointer(pointer.to_owned());
        assert_eq!(pointer("", "port"), expected("/port"));
        assert_eq!(pointer("providerConfig", "a/b~c"), expected("/providerConfig/a~1b~0c"));
        assert_eq!(pointer("", "a\nb"), expected(""), "the name is not shown whole");
        assert_eq!(pointer("providerConfig", &"x".repeat(70)), expected("/providerConfig"));
        let fault = InputFault::unknown_field("providerConfig", "port");
        assert_eq!(fault.to_string(), "providerConfig.port is not a known field");
    }
}
