//! `mainstay quotas`: how much a workspace may have.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;

use crate::at::At;
use crate::client::Client;
use crate::render::{self, cell};
use crate::terminal::say;
use crate::{Failed, Session};

/// How much a workspace may have.
#[derive(Debug, Subcommand)]
pub enum Quotas {
    /// What the workspace may have, and has.
    Show(Show),
    /// Say what the workspace may have, for admins of the server. A limit that is not mentioned stays as it is.
    #[command(after_help = EXAMPLES)]
    Set(Set),
}

const EXAMPLES: &str = "\
Examples:
  mainstay quotas set --runs 100000 --artifact-bytes 500GB
  mainstay quotas set --runs none";

#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Set {
    /// So many experiments; 'none' lifts the limit.
    #[arg(long, value_name = "N|none", value_parser = number)]
    experiments: Option<Limit>,
    /// So many runs; 'none' lifts the limit.
    #[arg(long, value_name = "N|none", value_parser = number)]
    runs: Option<Limit>,
    /// So many new traces on one day; 'none' lifts the limit.
    #[arg(long, value_name = "N|none", value_parser = number)]
    traces_per_day: Option<Limit>,
    /// So many bytes of artifacts, such as 10GB or 10GiB; 'none' lifts the limit.
    #[arg(long, value_name = "SIZE|none", value_parser = size)]
    artifact_bytes: Option<Limit>,
    #[command(flatten)]
    at: At,
}

/// What is said of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Lifted,
    At(u64),
}

impl Limit {
    fn json(self) -> Value {
        match self {
            Self::Lifted => Value::Null,
            Self::At(most) => most.into(),
        }
    }
}

fn number(text: &str) -> Result<Limit, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Limit::Lifted);
    }
    let most = text.parse().map(Limit::At);
    most.map_err(|_| "write a whole number such as 100000, or none for no limit".to_owned())
}

/// Units, by what stands before the `B` that may be left out, and how many bytes each is.
const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
    ("ti", 1 << 40),
];

fn size(text: &str) -> Result<Limit, String> {
    let wrong =
        || "write bytes such as 500000000, or 500MB, 10GB, 1.5TB, 10GiB, or none for no limit".to_owned();
    let lower = text.trim().to_ascii_lowercase();
    if lower == "none" {
        return Ok(Limit::Lifted);
    }
    let end = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (amount, unit) = lower.split_at(end);
    let unit = unit.trim_start();
    let unit = unit.strip_suffix('b').unwrap_or(unit);
    let bytes = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    // Decimals by whole numbers: 0.1 of a unit is no double.
    let scale =
        u32::try_from(part.len()).ok().and_then(|digits| 10_u128.checked_pow(digits)).ok_or_else(wrong)?;
    let digits: u128 = format!("{whole}{part}").parse().map_err(|_| wrong())?;
    let total = digits.checked_mul(bytes.into()).ok_or_else(wrong)? / scale;
    u64::try_from(total).map(Limit::At).map_err(|_| wrong())
}

const PATH: &str = "/api/v1/quotas";

impl Quotas {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        let (at, wishes) = match self {
            Self::Show(Show { at }) => (at, None),
            Self::Set(Set { experiments, runs, traces_per_day, artifact_bytes, at }) => {
                let wishes = [
                    ("experiments", experiments),
                    ("runs", runs),
                    ("traces_per_day", traces_per_day),
                    ("artifact_bytes", artifact_bytes),
                ];
                if wishes.iter().all(|(_, wish)| wish.is_none()) {
                    let teach = "say what is limited, such as --runs 100000 or --artifact-bytes 500GB; \
                                 --runs none lifts that limit, and `mainstay quotas show` tells what there is";
                    return Err(Failed::Usage(teach.to_owned()));
                }
                (at, Some(wishes))
            }
        };
        let client = at.connect(session).await?;
        let quota = ask(&client, wishes).await;
        client.close().await;
        let quota = quota?;
        if session.json {
            say(quota.to_string());
        } else {
            render::rows(&["what", "has", "may have"], rows(&quota));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The quota, after what is wished was set. What is not mentioned stays as it is.
async fn ask(client: &Client, wishes: Option<[(&str, Option<Limit>); 4]>) -> Result<Value, Failed> {
    let Some(wishes) = wishes else { return client.get(PATH).await };
    let said = wishes.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), limit?.json())));
    client.send(Method::PATCH, PATH, Some(&Value::Object(said.collect()))).await
}

fn rows(quota: &Value) -> Vec<Vec<String>> {
    let (usage, limits) = (&quota["usage"], &quota["limits"]);
    let told = |value: &Value, unit: &str, missing: &str| {
        if value.is_null() { missing.to_owned() } else { format!("{}{unit}", cell(value)) }
    };
    [
        ("experiments", "experiments", "experiments", "", "not counted"),
        ("runs", "runs", "runs", "", "not counted"),
        ("new traces today", "traces_today", "traces_per_day", "", "not counted without a limit"),
        ("artifacts", "artifact_bytes", "artifact_bytes", " bytes", "not measured"),
    ]
    .into_iter()
    .map(|(what, used, limit, unit, missing)| {
        let is_measured = used != "artifact_bytes" || !usage["measured_at"].is_null();
        let has = match (is_measured, limits[limit].is_null()) {
            (true, _) => told(&usage[used], unit, missing),
            (false, true) => missing.to_owned(),
            (false, false) => format!("{missing} yet"),
        };
        vec![what.to_owned(), has, told(&limits[limit], unit, "no limit")]
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("500", 500),
            ("10GB", 10_000_000_000),
            ("10 gb", 10_000_000_000),
            ("10G", 10_000_000_000),
            ("10GiB", 10 << 30),
            ("1.5kB", 1_500),
            ("0.1TB", 100_000_000_000),
            ("7 B", 7),
        ] {
            assert_eq!(size(text), Ok(Limit::At(bytes)), "{text}");
        }
        assert_eq!((size("none"), number("None")), (Ok(Limit::Lifted), Ok(Limit::Lifted)));
        assert_eq!(number("12"), Ok(Limit::At(12)));
        for bad in ["", "GB", "ten", "-1", "1.2.3GB", "1XB", "99999999TiB"] {
            assert!(size(bad).unwrap_err().contains("10GB"), "{bad}");
        }
        assert!(number("10GB").unwrap_err().contains("whole number"));
    }

    #[test]
    fn what_was_not_measured_is_not_nothing() {
        let free = json!({ "limits": { "experiments": null, "runs": null, "traces_per_day": null, "artifact_bytes": null },
            "usage": { "experiments": 3, "runs": 800, "traces_today": null, "artifact_bytes": null, "measured_at": null } });
        assert_eq!(
            rows(&free),
            [
                ["experiments", "3", "no limit"],
                ["runs", "800", "no limit"],
                ["new traces today", "not counted without a limit", "no limit"],
                ["artifacts", "not measured", "no limit"],
            ]
        );
        let mut bound = free;
        bound["limits"]["artifact_bytes"] = 10.into();
        assert_eq!(rows(&bound)[3], ["artifacts", "not measured yet", "10 bytes"]);
        bound["usage"]["artifact_bytes"] = 5.into();
        bound["usage"]["measured_at"] = "2026-01-01T00:00:00Z".into();
        assert_eq!(rows(&bound)[3], ["artifacts", "5 bytes", "10 bytes"]);
    }
}
