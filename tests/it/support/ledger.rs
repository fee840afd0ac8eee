//! What a tenant was told about its configuration, and so what may be stored: the oracle of the crash tests.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::client::{Answer, CONFIG, Client, replace};
use super::random::Random;

/// The fields of a configuration by their names in the API, `emailPassword` among them.
pub type Fields = BTreeMap<&'static str, String>;

/// What may be stored for a tenant.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct State {
    pub config: Option<Fields>,
    /// How many changes the audit has to hold.
    pub changes: usize,
}

#[derive(Clone, Debug)]
pub enum Op {
    Patch(Fields),
    Put(Fields),
    Delete,
}

/// How an operation ended for the one who asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    Done,
    /// 404 of DELETE: there is no configuration.
    NothingThere,
    /// 503: it may have happened or not.
    Unavailable,
    /// No answer came: it may have happened or not.
    Nothing,
}

impl Op {
    /// An operation that leaves no doubt whether it happened: each writes a value that was never there before.
    pub fn random(random: &mut Random, tenant: &str, number: usize, smtp_port: u16) -> Self {
        let password = ("emailPassword", format!("pw-{tenant}-{number}"));
        let names = [
            ("emailAddress", format!("a{number}@{tenant}.example")),
            ("senderName", format!("Sender {number}")),
        ];
        let server = [
            ("serverAddress", "127.0.0.1".to_owned()),
            ("serverPort", smtp_port.to_string()),
            ("securityType", "none".to_owned()),
        ];
        let account = [("username", format!("u{number}@{tenant}.example")), password.clone()];
        match random.below(10) {
            0..=2 => Self::Patch(names.into_iter().collect()),
            3 => Self::Patch([password].into_iter().collect()),
            4..=5 => Self::Patch(server.into_iter().chain(names).chain(account).collect()),
            6 => Self::Put(server.into_iter().chain(names).collect()),
            7..=8 => Self::Put(server.into_iter().chain(names).chain(account).collect()),
            _ => Self::Delete,
        }
    }

    fn apply(&self, state: &State) -> State {
        let config = match (self, &state.config) {
            (Self::Patch(fields), stored) => {
                let mut all = stored.clone().unwrap_or_default();
                all.extend(fields.clone());
                Some(all)
            }
            (Self::Put(fields), _) => Some(fields.clone()),
            (Self::Delete, None) => return state.clone(),
            (Self::Delete, Some(_)) => None,
        };
        State { config, changes: state.changes + 1 }
    }

    /// What the client of a tenant is told; none where the connection broke.
    pub async fn send(&self, client: &Client) -> Told {
        let answer = match self {
            Self::Patch(fields) => client.try_json("PATCH", CONFIG, &replace(&json!(fields))).await,
            Self::Put(fields) => {
                let body = json!({"serviceProvider": "BasicAuth", "providerConfig": fields});
                client.try_json("PUT", CONFIG, &body).await
            }
            Self::Delete => client.try_send("DELETE", CONFIG, &[], Vec::new()).await,
        };
        match answer.as_ref().map(|answer| answer.status) {
            Ok(204) => Told::Done,
            Ok(404) if matches!(self, Self::Delete) => Told::NothingThere,
            Ok(503) => Told::Unavailable,
            Err(_) => Told::Nothing,
            Ok(_) => panic!("{self:?}: {:?}", answer.map(|answer| (answer.status, answer.body))),
        }
    }
}

/// What one tenant may find stored.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub tenant: String,
    possible: BTreeSet<State>,
}

impl Ledger {
    /// Of a tenant without a configuration.
    pub fn new(tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), possible: BTreeSet::from([State::default()]) }
    }

    /// An operation was sent, and nothing was heard of it yet.
    pub fn begin(&mut self, op: &Op) {
        let after: Vec<_> = self.possible.iter().map(|state| op.apply(state)).collect();
        self.possible.extend(after);
    }

    /// An operation came behind all others, while it is not known how many of them are there.
    pub fn follow(&mut self, op: &Op) {
        let last = self.possible.iter().max_by_key(|state| state.changes).expect("some state");
        let next = op.apply(last);
        self.possible.insert(next);
    }

    /// An operation that was not begun before was answered.
    pub fn answered(&mut self, op: &Op, told: Told) {
        match (told, op) {
            (Told::Nothing | Told::Unavailable, _) => self.begin(op),
            (Told::NothingThere, _) => self.possible.retain(|state| state.config.is_none()),
            (Told::Done, op) => {
                let deletes = matches!(op, Op::Delete);
                let before = self.possible.iter().filter(|state| !deletes || state.config.is_some());
                self.possible = before.map(|state| op.apply(state)).collect();
            }
        }
        assert!(!self.possible.is_empty(), "{}: {op:?} cannot have been answered {told:?}", self.tenant);
    }

    /// Holds what is stored against what was said, and goes on from it. `changes` are the rows of the audit.
    pub fn found(&mut self, answer: &Answer, changes: usize) -> Result<(), String> {
        let shown = shown(&answer.json());
        let fits =
            |state: &&State| state.changes == changes && is_shown(state.config.as_ref(), shown.as_ref());
        let fitting: BTreeSet<State> = self.possible.iter().filter(fits).cloned().collect();
        if fitting.is_empty() {
            return Err(format!(
                "{}: {shown:?} with {changes} changes is stored, and it has to be one of {:#?}",
                self.tenant, self.possible
            ));
        }
        self.possible = fitting;
        Ok(())
    }

    /// A user name and a password that may be stored, of a configuration that can be signed in with.
    pub fn accounts(&self) -> Vec<(String, String)> {
        let configs = self.possible.iter().filter_map(|state| state.config.as_ref());
        configs.filter_map(account).collect()
    }

    /// What is stored was signed in with: GET does not tell states apart that differ in the password alone.
    pub fn signed_in_with(&mut self, used: &(String, String)) {
        self.possible.retain(|state| state.config.as_ref().and_then(account).as_ref() == Some(used));
    }
}

fn account(config: &Fields) -> Option<(String, String)> {
    config.get("serverPort")?;
    Some((config.get("username")?.clone(), config.get("emailPassword")?.clone()))
}

/// The fields that GET shows; a password only by its name.
fn shown(body: &Value) -> Option<Fields> {
    body.get("serviceProvider")?;
    let names = ["serverAddress", "serverPort", "securityType", "username", "emailAddress", "senderName"];
    let field = |name: &'static str| {
        let value = &body["providerConfig"][name];
        (!value.is_null()).then(|| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
    };
    let mut fields: Fields = names.into_iter().filter_map(field).collect();
    if body["passwordExists"] == true {
        fields.insert("emailPassword", String::new());
    }
    Some(fields)
}

fn is_shown(config: Option<&Fields>, shown: Option<&Fields>) -> bool {
    let hidden = config.map(|fields| {
        let mut fields = fields.clone();
        fields.entry("emailPassword").and_modify(String::clear);
        fields
    });
    hidden.as_ref() == shown
}
