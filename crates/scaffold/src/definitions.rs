//! `features.yaml`: what is known of a row when a prediction is asked for.

use std::fmt::Write as _;

use super::profile::Profile;
use super::roles::{Feature, Key, Roles, quote, yaml};

/// Over how long a key's own past is looked at.
const WINDOW: &str = "7d";

pub(super) fn text(profile: &Profile, roles: &Roles) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    _ = write_all(&mut out, profile, roles);
    out
}

fn write_all(out: &mut String, profile: &Profile, roles: &Roles) -> std::fmt::Result {
    let (dataset, time, target) = (roles.name.as_str(), &roles.time, &roles.target);
    writeln!(out, "# What a model of '{target}' may look at. Written from {} rows; edit it.", profile.rows)?;
    writeln!(
        out,
        "#\n# The rule behind it: a feature holds what was KNOWN at the instant of the row, never more. Leave out"
    )?;
    writeln!(
        out,
        "# every column that is filled in afterwards (a refund, a closing date): it would give the answer away.\n"
    )?;
    if !roles.keys.is_empty() {
        writeln!(out, "entities:")?;
        for Key { column, dtype } in &roles.keys {
            writeln!(out, "  - {{name: {column}, join_keys: ['{column}:{dtype}']}}")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "sources:")?;
    writeln!(
        out,
        "  # Each row is an example. If the answer becomes known later than the row, say when with 'created: COLUMN':"
    )?;
    writeln!(out, "  # until then nobody may learn from it.")?;
    writeln!(out, "  - name: outcomes\n    dataset: {dataset}")?;
    writeln!(out, "    timestamp: {}", yaml(&quote(time)))?;
    writeln!(out, "    filter: {}", yaml(&format!("{} IS NOT NULL", quote(target))))?;
    if !roles.keys.is_empty() {
        writeln!(
            out,
            "  # The same rows as facts of the past. They count from a second after they happened, so that no row"
        )?;
        writeln!(out, "  # sees itself.")?;
        writeln!(out, "  - name: past\n    dataset: {dataset}")?;
        let later = format!("to_timestamp_micros(CAST({} AS BIGINT) + 1000000)", quote(time));
        writeln!(out, "    timestamp: {}", yaml(&later))?;
        write_views(out, roles)?;
    }
    write_service(out, roles)
}

fn write_views(out: &mut String, roles: &Roles) -> std::fmt::Result {
    writeln!(out, "\nfeature_views:")?;
    for Key { column, .. } in &roles.keys {
        writeln!(
            out,
            "  # What happened to each {column} lately, kept up to date for requests by 'materialise'."
        )?;
        writeln!(
            out,
            "  - name: {column}_recent\n    entities: [{column}]\n    source: past\n    ttl: 30d\n    aggregates:"
        )?;
        writeln!(out, "      - {{name: rows, function: count, window: {WINDOW}}}")?;
        for (number, averaged) in (1..).zip(&roles.averaged) {
            let expression = yaml(&quote(averaged));
            writeln!(
                out,
                "      - {{name: mean_{number}, function: mean, column: {expression}, window: {WINDOW}}}"
            )?;
        }
    }
    Ok(())
}

fn write_service(out: &mut String, roles: &Roles) -> std::fmt::Result {
    writeln!(out, "\nfeature_services:\n  - name: {}", roles.identifier)?;
    writeln!(out, "    # Yes or no: an SQL expression over the columns of the outcomes.")?;
    writeln!(out, "    label: {{source: outcomes, expression: {}, dtype: bool}}", yaml(&roles.label))?;
    if !roles.keys.is_empty() {
        writeln!(out, "    features:")?;
        for Key { column, .. } in &roles.keys {
            writeln!(out, "      - {column}_recent:rows")?;
            for number in 1..=roles.averaged.len() {
                writeln!(out, "      - {column}_recent:mean_{number}")?;
            }
        }
    }
    writeln!(out, "    # What a request brings along.")?;
    writeln!(out, "    request:")?;
    for Feature { name, column, is_text, is_bool } in &roles.features {
        let column = quote(column);
        let (dtype, expression) = match (is_text, is_bool) {
            (true, _) => ("string", column),
            (_, true) => ("float64", format!("CAST(CAST({column} AS INT) AS DOUBLE)")),
            _ => ("float64", format!("CAST({column} AS DOUBLE)")),
        };
        writeln!(out, "      - {{name: {name}, dtype: {dtype}, expression: {}}}", yaml(&expression))?;
    }
    if !roles.is_made_up {
        let calendar = [("hour_of_day", "hour"), ("day_of_week", "dow")];
        let is_free = |name: &str| roles.features.iter().all(|feature| feature.name != name);
        for (name, part) in calendar.into_iter().filter(|(name, _)| is_free(name)) {
            writeln!(
                out,
                "      - {{name: {name}, dtype: float64, expression: \"date_part('{part}', event_timestamp)\"}}"
            )?;
        }
    }
    for (column, why) in &roles.left_out {
        writeln!(out, "      # left out: {} ({why})", column.replace(['\n', '\r'], " "))?;
    }
    Ok(())
}
