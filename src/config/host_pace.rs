//! How fast accounts at a host may send: one entry of `delivery.pace`.

use std::fmt;
use std::str::FromStr;

/// The host, and what stands in the place of its preset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostPace {
    /// In lower case; one `*` stands for anything. `microsoft365` means the accounts of that provider.
    pub host: String,
    pub connections: Option<usize>,
    /// 0 is no bound.
    pub per_minute: Option<u32>,
    pub burst: Option<u32>,
    /// Recipients in 24 hours; 0 is no bound.
    pub per_day: Option<u32>,
}

const MAX_CONNECTIONS: usize = 64;
const MAX_MAILS: u32 = 10_000_000;

impl FromStr for HostPace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split_whitespace();
        let host = words.next().filter(|word| !word.contains('=')).ok_or(())?.to_ascii_lowercase();
        if host.matches('*').count() > 1 {
            return Err(());
        }
        let mut pace = Self { host, connections: None, per_minute: None, burst: None, per_day: None };
        let mut given = 0;
        for word in words {
            let (key, value) = word.split_once('=').ok_or(())?;
            let number: u32 = value.parse().map_err(|_| ())?;
            let within = |least: u32| Some(number).filter(|number| (least..=MAX_MAILS).contains(number));
            let is_new = match key {
                "connections" => {
                    let connections = usize::try_from(number).map_err(|_| ())?;
                    if !(1..=MAX_CONNECTIONS).contains(&connections) {
                        return Err(());
                    }
                    pace.connections.replace(connections).is_none()
                }
                "per_minute" => pace.per_minute.replace(within(0).ok_or(())?).is_none(),
                "burst" => pace.burst.replace(within(1).ok_or(())?).is_none(),
                "per_day" => pace.per_day.replace(within(0).ok_or(())?).is_none(),
                _ => return Err(()),
            };
            if !is_new {
                return Err(());
            }
            given += 1;
        }
        if given == 0 { Err(()) } else { Ok(pace) }
    }
}

impl fmt::Display for HostPace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.host)?;
        let connections = self.connections.map(|connections| connections.to_string());
        let numbers = [("per_minute", self.per_minute), ("burst", self.burst), ("per_day", self.per_day)];
        let numbers = numbers.map(|(key, number)| (key, number.map(|number| number.to_string())));
        for (key, value) in [("connections", connections)].into_iter().chain(numbers) {
            if let Some(value) = value {
                write!(formatter, " {key}={value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_a_host_and_at_least_one_number() {
        let pace: HostPace = "SMTP.example.com per_day=5000 connections=4 per_minute=0".parse().unwrap();
        let expected = HostPace {
            host: "smtp.example.com".to_owned(),
            connections: Some(4),
            per_minute: Some(0),
            burst: None,
            per_day: Some(5_000),
        };
        assert_eq!(pace, expected);
        assert_eq!(pace.to_string(), "smtp.example.com connections=4 per_minute=0 per_day=5000");
        assert_eq!(pace.to_string().parse(), Ok(pace));
        for wrong in [
            "",
            "smtp.example.com",
            "per_minute=5",
            "*.*.com per_minute=5",
            "smtp.example.com per_minute",
            "smtp.example.com per_minute=-1",
            "smtp.example.com per_minute=5 per_minute=6",
            "smtp.example.com connections=0",
            "smtp.example.com connections=65",
            "smtp.example.com burst=0",
            "smtp.example.com per_hour=5",
        ] {
            assert_eq!(wrong.parse::<HostPace>(), Err(()), "{wrong}");
        }
    }
}
