//! A project for a CSV file of the user's own (`mainstay init`): definitions, expectations and pipelines, to
//! edit.

mod arrival;
mod definitions;
mod error;
mod expectations;
mod pipelines;
mod profile;
mod readme;
mod roles;

use std::path::{Path, PathBuf};

use clap::Args;
use mainstay_core::name::Name;
use mainstay_data::expectations::Suite;
use mainstay_features::definition::Definitions;
use mainstay_pipelines::definition::Source;

pub use self::error::ScaffoldError;
use self::profile::Profile;
use self::roles::{Question, Roles};

/// Reads a CSV file and writes a folder with what the whole loop needs: feature definitions, expectations,
/// a pipeline that trains, judges and serves, one that retrains, and a README that says what to look at.
#[derive(Debug, Args)]
pub struct Wishes {
    /// The data: one row for each thing that happened, with a line of column names.
    #[arg(long)]
    pub csv: PathBuf,
    /// The column to predict: true or false, or one value or threshold of it.
    #[arg(long)]
    pub target: String,
    /// The value of the target that counts as yes; needed where it has more than two.
    #[arg(long, value_name = "VALUE", conflicts_with = "above")]
    pub positive: Option<String>,
    /// The target counts as yes above this number.
    #[arg(long, value_name = "NUMBER")]
    pub above: Option<f64>,
    /// The column that says when a row happened. Without one the order of the rows stands in for it.
    #[arg(long)]
    pub time: Option<String>,
    /// A column that names whom or what a row is about, such as a customer: it gets features of its own
    /// past. May be repeated.
    #[arg(long = "key", value_name = "COLUMN")]
    pub keys: Vec<String>,
    /// What to call it: dataset, model and endpoint; the file's name if left out.
    #[arg(long)]
    pub name: Option<String>,
    /// The folder to write; the name if left out. It must not exist, or be empty.
    #[arg(long)]
    pub to: Option<PathBuf>,
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// Dataset, model and endpoint.
    pub name: Name,
    /// The folder.
    pub folder: PathBuf,
    /// Its files.
    pub files: Vec<&'static str>,
    /// What a person should know before they go on.
    pub notes: Vec<String>,
    /// The command that comes next.
    pub next: String,
}

impl Wishes {
    /// Writes the project. `note` takes what must be said at once.
    pub fn write(&self, note: &dyn Fn(&str)) -> Result<Written, ScaffoldError> {
        let name = self.name()?;
        let folder = self.to.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
        empty_folder(&folder)?;
        let written = self.fill(name, &folder, note);
        if written.is_err() {
            // A second try with other words finds the folder as this one found it.
            drop(std::fs::remove_file(arrival::path(&folder)));
        }
        written
    }

    fn fill(&self, name: Name, folder: &Path, note: &dyn Fn(&str)) -> Result<Written, ScaffoldError> {
        let (csv, time) = if let Some(column) = &self.time {
            let csv = std::fs::canonicalize(&self.csv).map_err(|e| ScaffoldError::file(&self.csv, e))?;
            (csv, column.clone())
        } else {
            refuse_silent_order(&self.csv)?;
            let copy = arrival::write(&self.csv, folder)?;
            note("There is no --time column. THE ORDER OF THE ROWS STANDS IN FOR TIME: rows are spread over");
            note(&format!(
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
        let roles = Roles::of(&profile, &name, &question, &time, &self.keys, self.time.is_none())?;
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
            std::fs::write(&path, text).map_err(|error| ScaffoldError::file(&path, error))?;
        }
        Ok(Written {
            name,
            folder: folder.to_owned(),
            files: files.iter().map(|(file, _)| *file).collect(),
            notes: roles.notes,
            next: format!("mainstay run {}", folder.join("pipeline.yaml").display()),
        })
    }

    fn name(&self) -> Result<Name, ScaffoldError> {
        if let Some(name) = &self.name {
            return Ok(Name::new(name.clone())?);
        }
        let stem = self.csv.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
        let plain: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        Name::new(plain.trim_matches('-').to_owned()).map_err(|_| {
            ScaffoldError::Usage("the file's name makes no name; give one with --name".to_owned())
        })
    }
}

/// Makes the folder; one with files in it is left alone.
fn empty_folder(folder: &Path) -> Result<(), ScaffoldError> {
    std::fs::create_dir_all(folder).map_err(|error| ScaffoldError::file(folder, error))?;
    let mut entries = std::fs::read_dir(folder).map_err(|error| ScaffoldError::file(folder, error))?;
    if entries.next().is_some() {
        let message = format!("{} is not empty; name another folder with --to", folder.display());
        return Err(ScaffoldError::Usage(message));
    }
    Ok(())
}

/// A file with instants in it has a time of its own: somebody has to say which.
fn refuse_silent_order(csv: &Path) -> Result<(), ScaffoldError> {
    let instants = Profile::instants(csv)?;
    if instants.is_empty() {
        return Ok(());
    }
    let message =
        format!("say with --time when a row happened; the file has instants in: {}", instants.join(", "));
    Err(ScaffoldError::Usage(message))
}

/// The file as the pipeline names it: by its name if it lies in the folder.
fn path_in(csv: &Path, folder: &Path) -> String {
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let inside = csv.strip_prefix(&folder).unwrap_or(csv);
    inside.display().to_string()
}

/// Nothing is written that Mainstay itself would refuse.
fn check(files: &[(&str, String)]) -> Result<(), ScaffoldError> {
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
