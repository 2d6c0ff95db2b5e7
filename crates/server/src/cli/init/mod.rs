//! `mainstay init`: definitions, expectations and pipelines for a CSV file of the user's own, to edit.

mod arrival;
mod definitions;
mod expectations;
mod pipelines;
mod profile;
mod readme;
mod roles;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mainstay_core::name::Name;
use mainstay_data::expectations::Suite;
use mainstay_features::definition::Definitions;
use mainstay_pipelines::definition::Source;
use serde_json::json;

use self::profile::Profile;
use self::roles::{Question, Roles};
use crate::Failed;
use crate::terminal::{note, say};

/// Reads a CSV file and writes a folder with what the whole loop needs: feature definitions, expectations,
/// a pipeline that trains, judges and serves, one that retrains, and a README that says what to look at.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The data: one row for each thing that happened, with a line of column names.
    #[arg(long)]
    csv: PathBuf,
    /// The column to predict: true or false, or one value or threshold of it.
    #[arg(long)]
    target: String,
    /// The value of the target that counts as yes; needed where it has more than two.
    #[arg(long, value_name = "VALUE", conflicts_with = "above")]
    positive: Option<String>,
    /// The target counts as yes above this number.
    #[arg(long, value_name = "NUMBER")]
    above: Option<f64>,
    /// The column that says when a row happened. Without one the order of the rows stands in for it.
    #[arg(long)]
    time: Option<String>,
    /// A column that names whom or what a row is about, such as a customer: it gets features of its own
    /// past. May be repeated.
    #[arg(long = "key", value_name = "COLUMN")]
    keys: Vec<String>,
    /// What to call it: dataset, model and endpoint; the file's name if left out.
    #[arg(long)]
    name: Option<String>,
    /// The folder to write; the name if left out. It must not exist, or be empty.
    #[arg(long)]
    to: Option<PathBuf>,
}

impl Init {
    pub(super) fn run(self, json: bool) -> Result<ExitCode, Failed> {
        let name = self.name()?;
        let folder = self.to.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
        empty_folder(&folder)?;
        let written = self.write(&name, &folder, json);
        if written.is_err() {
            // A second try with other words finds the folder as this one found it.
            drop(std::fs::remove_file(arrival::path(&folder)));
        }
        written
    }

    fn write(&self, name: &Name, folder: &Path, json: bool) -> Result<ExitCode, Failed> {
        let (csv, time) = if let Some(column) = &self.time {
            let csv = std::fs::canonicalize(&self.csv).map_err(|e| Failed::directory(&self.csv, e))?;
            (csv, column.clone())
        } else {
            refuse_silent_order(&self.csv)?;
            let copy = arrival::write(&self.csv, folder)?;
            note("There is no --time column. THE ORDER OF THE ROWS STANDS IN FOR TIME: rows are spread over");
            note(format!(
                "{} made-up days from 2000-01-01, in the column '{}' of a copy of the file.",
                arrival::DAYS,
                arrival::COLUMN
            ));
            note(
                "If the rows are not in the order in which they happened, the figures will be too good. Give a",
            );
            note("real time with --time as soon as you have one.");
            (copy, arrival::COLUMN.to_owned())
        };
        let profile = Profile::read(&csv, &time, &self.target)?;
        let question =
            Question { target: &self.target, positive: self.positive.as_deref(), above: self.above };
        let roles = Roles::of(&profile, name, &question, &time, &self.keys, self.time.is_none())?;
        let files = [
            ("features.yaml", definitions::text(&profile, &roles)),
            ("expectations.json", expectations::text(&profile, &roles)),
            ("pipeline.yaml", pipelines::first(&roles, &path_in(&csv, folder))),
            ("retrain.yaml", pipelines::retrain(&roles)),
            ("README.md", readme::text(&profile, &roles, folder)),
        ];
        check(&files)?;
        for (file, text) in &files {
            let path = folder.join(file);
            std::fs::write(&path, text).map_err(|error| Failed::directory(&path, error))?;
        }
        let next = format!("mainstay run {}", folder.join("pipeline.yaml").display());
        if json {
            let files: Vec<_> = files.iter().map(|(file, _)| file).collect();
            say(json!({ "name": name, "folder": folder, "files": files, "synthetic_time": self.time.is_none(), "next": next }).to_string());
        } else {
            roles.notes.iter().for_each(|line| note(format!("· {line}")));
            say(format!(
                "{} is ready; its README.md says what to look at. Next:\n\n    {next}",
                folder.display()
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn name(&self) -> Result<Name, Failed> {
        if let Some(name) = &self.name {
            return Ok(Name::new(name.clone())?);
        }
        let stem = self.csv.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
        let plain: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        Name::new(plain.trim_matches('-').to_owned())
            .map_err(|_| Failed::Usage("the file's name makes no name; give one with --name".to_owned()))
    }
}

/// Makes the folder; one with files in it is left alone.
fn empty_folder(folder: &Path) -> Result<(), Failed> {
    std::fs::create_dir_all(folder).map_err(|error| Failed::directory(folder, error))?;
    let mut entries = std::fs::read_dir(folder).map_err(|error| Failed::directory(folder, error))?;
    if entries.next().is_some() {
        let message = format!("{} is not empty; name another folder with --to", folder.display());
        return Err(Failed::Usage(message));
    }
    Ok(())
}

/// A file with instants in it has a time of its own: somebody has to say which.
fn refuse_silent_order(csv: &Path) -> Result<(), Failed> {
    let instants = Profile::instants(csv)?;
    if instants.is_empty() {
        return Ok(());
    }
    let message =
        format!("say with --time when a row happened; the file has instants in: {}", instants.join(", "));
    Err(Failed::Usage(message))
}

/// The file as the pipeline names it: by its name if it lies in the folder.
fn path_in(csv: &Path, folder: &Path) -> String {
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let inside = csv.strip_prefix(&folder).unwrap_or(csv);
    inside.display().to_string()
}

/// Nothing is written that Mainstay itself would refuse.
fn check(files: &[(&str, String)]) -> Result<(), Failed> {
    for (file, text) in files {
        match *file {
            "features.yaml" => drop(Definitions::parse(text)?),
            "expectations.json" => drop(Suite::parse(text)?),
            "pipeline.yaml" | "retrain.yaml" => drop(Source::parse(text)?),
            _ => {}
        }
    }
    Ok(())
}
