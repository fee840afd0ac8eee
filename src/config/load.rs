//! Loads the settings from the file and the environment. The environment wins.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::value::{Input, Rule, Value};
use super::{Config, Invalid, Problem, Setting, all, nearest};

/// Read from the working directory where no other file is named, if it is there.
pub const DEFAULT_FILE: &str = "transports.toml";

const PREFIX: &str = "TRANSPORTS_";

impl Config {
    /// Loads the file and this process's environment.
    ///
    /// # Errors
    /// Everything that is wrong in either, and a named file that cannot be read.
    pub fn load(file: Option<&Path>) -> Result<Self, Invalid> {
        Loaded::load(file)?.check(|_| Vec::new())
    }

    /// Loads the text of a file, given with its name, and an environment.
    ///
    /// # Errors
    /// Everything that is wrong in either.
    pub fn from_sources<N: Into<OsString>, V: Into<OsString>>(
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Invalid> {
        Loaded::from_sources(file, environment)?.check(|_| Vec::new())
    }
}

/// Settings in which a faulty value is replaced by its default, so that all else can be checked too.
pub struct Loaded {
    config: Config,
    /// There is neither a file nor a variable with a setting.
    is_bare: bool,
    problems: Vec<Problem>,
    /// The settings with a faulty value.
    faulty: Vec<String>,
}

impl Loaded {
    /// Loads the file and this process's environment.
    ///
    /// # Errors
    /// The file cannot be read, or is not TOML.
    pub fn load(file: Option<&Path>) -> Result<Self, Invalid> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let name = path.display().to_string();
        if file.is_none() {
            check_owner(path)?;
        }
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                let problem = Problem::new(format!("{name}: cannot be read: {error}")).with_hint(
                    "name a TOML file that exists, or leave --config out; `transports init` writes one",
                );
                return Err(problem.into());
            }
        };
        let file = text.as_deref().map(|text| (name.as_str(), text));
        Self::from_sources(file, std::env::vars_os())
    }

    /// Loads the text of a file, given with its name, and an environment.
    ///
    /// # Errors
    /// The text is not TOML.
    pub fn from_sources<N: Into<OsString>, V: Into<OsString>>(
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Invalid> {
        let mut sources = Sources::default();
        let known = all();
        if let Some((name, text)) = file {
            sources.add_file(&known, name, text)?;
        }
        for (name, value) in environment {
            sources.add_variable(&known, &name.into(), value.into());
        }
        match Config::read(&mut sources) {
            Some(config) => Ok(Self {
                is_bare: file.is_none() && sources.environment.is_empty() && sources.problems.is_empty(),
                config,
                problems: sources.problems,
                faulty: sources.faulty,
            }),
            None => Err(Invalid { problems: sources.problems }),
        }
    }

    /// Whether nobody has set anything.
    pub fn is_bare(&self) -> bool {
        self.is_bare
    }

    /// The settings, where neither the sources nor `find` has a fault.
    ///
    /// # Errors
    /// All faults. What follows from a faulty value is left out.
    pub fn check(self, find: impl FnOnce(&Config) -> Vec<Problem>) -> Result<Config, Invalid> {
        let Self { config, mut problems, faulty, is_bare: _ } = self;
        let found = find(&config).into_iter();
        problems.extend(found.filter(|problem| !faulty.iter().any(|key| problem.names(key))));
        Invalid::unless_empty(problems)?;
        Ok(config)
    }
}

/// A file that was not named must belong to the user: who runs a command in a stranger's folder does not mean their
/// settings.
#[cfg(unix)]
fn check_owner(path: &Path) -> Result<(), Invalid> {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) };
    let (owner, process) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner == process || owner == 0 {
        return Ok(());
    }
    let problem = Problem::new(format!("{}: belongs to another user (uid {owner})", path.display()));
    Err(problem.with_hint("name it with --config if its settings are meant").into())
}

#[cfg(not(unix))]
fn check_owner(_path: &Path) -> Result<(), Invalid> {
    Ok(())
}

impl Default for Config {
    /// Every setting at its default.
    fn default() -> Self {
        let nothing: [(OsString, OsString); 0] = [];
        Self::from_sources(None, nothing).expect("the defaults in the table satisfy its own rules")
    }
}

/// What was found, and what is wrong with it.
#[derive(Default)]
pub(super) struct Sources {
    file_name: String,
    /// Where relative paths of the file begin.
    folder: PathBuf,
    file: toml::Table,
    /// By section and key.
    environment: BTreeMap<(&'static str, &'static str), (String, String)>,
    problems: Vec<Problem>,
    /// The settings with a faulty value.
    faulty: Vec<String>,
}

impl Sources {
    fn add_file(&mut self, known: &[Setting], name: &str, text: &str) -> Result<(), Invalid> {
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                // The error's own text quotes the line, and the line may hold a secret.
                let line = error.span().map_or(1, |span| line_of(text, span.start));
                return Err(Problem::new(format!(
                    "{name}: line {line} is not valid TOML: {}",
                    error.message()
                ))
                .with_hint("write texts in quotes, lists in brackets, and each setting in its [section]")
                .into());
            }
        };
        for (section, value) in &table {
            let Some(keys) = value.as_table() else {
                let near = nearest::setting(known, "", section);
                self.problems.push(unknown(&format!("{name}: {section}: stands outside a section"), near));
                continue;
            };
            if !known.iter().any(|setting| setting.section == section) {
                let mut problem = Problem::new(format!("{name}: [{section}]: unknown section"));
                if let Some(near) = nearest::section(known, section) {
                    problem = problem.with_hint(format!("the nearest known section is [{near}]"));
                }
                self.problems.push(problem);
                continue;
            }
            for key in keys.keys() {
                if !known.iter().any(|setting| setting.section == section && setting.key == key) {
                    let near = nearest::setting(known, section, key);
                    self.problems.push(unknown(&format!("{name}: {section}.{key}: unknown setting"), near));
                }
            }
        }
        name.clone_into(&mut self.file_name);
        self.folder = Path::new(name).parent().map(Path::to_owned).unwrap_or_default();
        self.file = table;
        Ok(())
    }

    /// Only names with `__` are settings: what an orchestrator injects for a service of our name
    /// (`TRANSPORTS_PORT`, `TRANSPORTS_SERVICE_HOST`) has none.
    fn add_variable(&mut self, known: &[Setting], name: &OsString, value: OsString) {
        let Some(name) = name.to_str() else { return };
        let Some((section, key)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__")) else {
            return;
        };
        let found = known.iter().find(|setting| setting.variable() == name);
        match (found, value.into_string()) {
            (Some(setting), Ok(value)) => {
                self.environment.insert((setting.section, setting.key), (name.to_owned(), value));
            }
            (Some(_), Err(_)) => self.problems.push(Problem::new(format!("{name}: is not valid UTF-8"))),
            (None, _) => {
                let near = nearest::setting(known, &section.to_ascii_lowercase(), &key.to_ascii_lowercase());
                let mut problem = Problem::new(format!("{name}: unknown setting"));
                if let Some(near) = near {
                    problem = problem.with_hint(format!("the nearest known one is {}", near.variable()));
                }
                self.problems.push(problem);
            }
        }
    }

    /// The effective value of one setting; its default where it is faulty, which is noted.
    pub(super) fn read<T: Value>(
        &mut self,
        section: &'static str,
        key: &'static str,
        default: &'static str,
        rule: Rule,
    ) -> Option<T> {
        let in_file = self.file.get(section).and_then(|table| table.get(key));
        let (input, source) = match (self.environment.get(&(section, key)), in_file) {
            (Some((variable, text)), _) => (Input::Text(text), variable.clone()),
            (None, Some(value)) => (Input::Toml(value), format!("{}: {section}.{key}", self.file_name)),
            (None, None) => return read_default(default, rule),
        };
        if let Some(value) = T::read(input, rule) {
            let is_in_file = matches!(input, Input::Toml(_));
            return Some(if is_in_file { value.relative_to(&self.folder) } else { value });
        }
        let mut text = format!("{source}: expected {}", T::expected(rule));
        if !T::IS_SECRET {
            text.push_str(", got ");
            text.push_str(&input.show());
        }
        self.problems.push(Problem::new(text));
        self.faulty.push(format!("{section}.{key}"));
        read_default(default, rule)
    }
}

/// The default goes through the reader too, so that the table cannot hold one that breaks its own rule.
fn read_default<T: Value>(text: &str, rule: Rule) -> Option<T> {
    if text == "unset" {
        return T::unset();
    }
    let table: toml::Table = format!("default = {text}").parse().ok()?;
    T::read(Input::Toml(table.get("default")?), rule)
}

fn unknown(text: &str, near: Option<&Setting>) -> Problem {
    let problem = Problem::new(text);
    match near {
        Some(near) => {
            problem.with_hint(format!("the nearest known setting is {}.{}", near.section, near.key))
        }
        None => problem,
    }
}

/// Counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

impl Setting {
    /// The name in the environment.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}__{}", self.section.to_ascii_uppercase(), self.key.to_ascii_uppercase())
    }
}
