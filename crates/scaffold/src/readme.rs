//! `README.md`: what was written, what was assumed, and what to look at.

use std::fmt::Write as _;
use std::path::Path;

use super::profile::Profile;
use super::roles::Roles;

pub(super) fn text(profile: &Profile, roles: &Roles, folder: &Path) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    _ = write_all(&mut out, profile, roles, folder);
    out
}

fn write_all(out: &mut String, profile: &Profile, roles: &Roles, folder: &Path) -> std::fmt::Result {
    let (name, folder) = (&roles.name, folder.display());
    writeln!(out, "# {name}\n\nPredicts `{}` from {} rows.\n", roles.target, profile.rows)?;
    writeln!(
        out,
        "```\nmainstay run {folder}/pipeline.yaml\nmainstay why {name}@champion\nmainstay up\n```\n"
    )?;
    if roles.is_made_up {
        writeln!(
            out,
            "> **The time is made up.** The file names no column of instants, so the order of its rows stands in for"
        )?;
        writeln!(
            out,
            "> time: the column `{}` of `rows.csv` spreads them evenly over days from 2000-01-01. Whatever is said",
            roles.time
        )?;
        writeln!(
            out,
            "> about days (intervals, drift, judging on later days) holds only as far as the rows are in the order in"
        )?;
        writeln!(
            out,
            "> which they happened. If they are not, the figures are too good. Run `mainstay init` again with `--time`"
        )?;
        writeln!(out, "> as soon as you have a real one; delete this folder before.\n")?;
    }
    writeln!(out, "| file | look at it because |\n|---|---|")?;
    writeln!(
        out,
        "| `features.yaml` | a column that is filled in after the fact gives the answer away; take it out |"
    )?;
    writeln!(
        out,
        "| `expectations.json` | it says what the data was like, which need not be what it should be like |"
    )?;
    writeln!(
        out,
        "| `pipeline.yaml` | the days to learn from, what is good enough, when labels are final, how a version is released |"
    )?;
    writeln!(out, "| `retrain.yaml` | what an alarm starts |\n")?;
    writeln!(out, "## What was assumed\n")?;
    writeln!(out, "- The answer is yes where `{}`.", roles.label)?;
    writeln!(out, "- It is known as soon as the row is (`created` in `features.yaml` says otherwise).")?;
    writeln!(
        out,
        "- The model learns from {} to {} and is judged from there to {}.",
        roles.days.from, roles.days.split, roles.days.until
    )?;
    for note in &roles.notes {
        writeln!(out, "- {note}.")?;
    }
    Ok(())
}
