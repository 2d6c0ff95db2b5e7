//! A project for a CSV file of the user's own (`mainstay init`): definitions, expectations and pipelines, to
//! edit.

mod arrival;
mod definitions;
mod expectations;
mod folder;
mod form;
mod names;
mod pipelines;
mod profile;
mod readme;
mod roles;

use std::path::{Path, PathBuf};

use clap::Args;
use mainstay_core::failed::Failed;
use mainstay_core::name::Name;
use mainstay_data::dates::DateOrder;
use mainstay_data::expectations::Suite;
use mainstay_features::definition::Definitions;
use mainstay_pipelines::definition::Source;
use mainstay_query::import::{ImportOptions, look};

use self::folder::Folder;
use self::form::{Form, Named, Told};
use self::profile::{Profile, Sheet};
use self::roles::{Question, Roles};

/// The files of a project.
const FILES: [&str; 5] = ["features.yaml", "expectations.json", "pipeline.yaml", "retrain.yaml", "README.md"];

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
    /// What separates the fields, such as ';' or 'tab'; found out if left out.
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    pub delimiter: Option<char>,
    /// What comes first in dates such as 31/12/2024: day-first, month-first or year-first; found out if left
    /// out.
    #[arg(long, value_name = "ORDER", value_parser = date_order)]
    pub date_order: Option<DateOrder>,
    /// Numbers are written as 3,14; found out if left out.
    #[arg(long)]
    pub decimal_comma: bool,
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

fn delimiter(text: &str) -> Result<char, String> {
    let mut letters = text.chars();
    match (text, letters.next(), letters.next()) {
        ("tab" | "\\t", ..) => Ok('\t'),
        (_, Some(only), None) if only.is_ascii() && !matches!(only, '"' | '\n' | '\r') => Ok(only),
        _ => Err("give one character, such as ';', or the word tab".to_owned()),
    }
}

fn date_order(text: &str) -> Result<DateOrder, String> {
    let order = DateOrder::ALL.into_iter().find(|order| order.as_str() == text.replace('-', "_"));
    order.ok_or_else(|| "write day-first, month-first or year-first".to_owned())
}

impl Wishes {
    /// Writes the project, whole or not at all. `note` takes what must be said at once.
    pub fn write(&self, note: &dyn Fn(&str)) -> Result<Written, Failed> {
        let name = self.name()?;
        let path = self.to.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
        let folder = Folder::claim(&path)?;
        let written = self.fill(name, &path, note);
        if written.is_err() {
            // A second try with other words finds the folder as this one found it.
            folder.abandon(FILES.into_iter().chain([arrival::FILE]));
        }
        written
    }

    fn fill(&self, name: Name, folder: &Path, note: &dyn Fn(&str)) -> Result<Written, Failed> {
        let file = self.csv.display().to_string();
        let seen = look(&self.csv, self.delimiter, &ImportOptions::default());
        let seen = seen.map_err(|error| error.of(&file))?;
        let named = Named { target: &self.target, time: self.time.as_deref(), keys: &self.keys };
        let told = Told { date_order: self.date_order, decimal_comma: self.decimal_comma };
        let Form { format, notes } = match &seen {
            Some(look) => Form::of(&file, look, &named, told)?,
            None => Form::of_no_text(),
        };
        let (csv, time) = if let Some(column) = &self.time {
            let csv = std::fs::canonicalize(&self.csv).map_err(|e| Failed::file(&self.csv, e))?;
            (csv, column.clone())
        } else if seen.as_ref().is_some_and(|look| !look.is_archive) {
            let copy = arrival::write(&self.csv, format.delimiter, folder)?;
            say_that_time_is_made_up(note);
            (copy, arrival::COLUMN.to_owned())
        } else {
            let message =
                format!("say with --time when a row of {file} happened; only a plain CSV can do without");
            return Err(Failed::Usage(message));
        };
        let profile = Profile::read(&Sheet { path: &csv, file: &file, format }, &time, &named)?;
        let question =
            Question { target: &self.target, positive: self.positive.as_deref(), above: self.above };
        let mut roles = Roles::of(&profile, &name, &question, &time, &self.keys, self.time.is_none())?;
        roles.notes.splice(0..0, notes);
        let texts = [
            definitions::text(&profile, &roles),
            expectations::text(&profile, &roles),
            pipelines::first(&roles, &path_in(&csv, folder), format),
            pipelines::retrain(&roles),
            readme::text(&profile, &roles, folder),
        ];
        check(&texts)?;
        for (file, text) in FILES.iter().zip(&texts) {
            let path = folder.join(file);
            std::fs::write(&path, text).map_err(|error| Failed::file(&path, error))?;
        }
        Ok(Written {
            name,
            folder: folder.to_owned(),
            files: FILES.to_vec(),
            notes: roles.notes,
            next: format!("mainstay run {}", folder.join("pipeline.yaml").display()),
        })
    }

    fn name(&self) -> Result<Name, Failed> {
        if let Some(name) = &self.name {
            return Ok(Name::new(name.clone())?);
        }
        let stem = self.csv.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
        let plain: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        Name::new(plain.trim_matches('-'))
            .map_err(|_| Failed::Usage("the file's name makes no name; give one with --name".to_owned()))
    }
}

fn say_that_time_is_made_up(note: &dyn Fn(&str)) {
    note("There is no --time column. THE ORDER OF THE ROWS STANDS IN FOR TIME: rows are spread over");
    note(&format!(
        "{} made-up days from 2000-01-01, in the column '{}' of a copy of the file.",
        arrival::DAYS,
        arrival::COLUMN
    ));
    note("If the rows are not in the order in which they happened, the figures will be too good. Give a");
    note("real time with --time as soon as you have one.");
}

/// The file as the pipeline names it: by its name if it lies in the folder.
fn path_in(csv: &Path, folder: &Path) -> String {
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let inside = csv.strip_prefix(&folder).unwrap_or(csv);
    inside.display().to_string()
}

/// Nothing is written that Mainstay itself would refuse.
fn check(texts: &[String; FILES.len()]) -> Result<(), Failed> {
    for (file, text) in FILES.iter().zip(texts) {
        match *file {
            "features.yaml" => drop(Definitions::parse(text)?),
            "expectations.json" => drop(Suite::parse(text)?),
            "pipeline.yaml" | "retrain.yaml" => drop(Source::parse(text)?),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_and_orders_are_read_as_people_write_them() {
        assert_eq!(delimiter(";"), Ok(';'));
        assert_eq!((delimiter("tab"), delimiter("\\t"), delimiter("\t")), (Ok('\t'), Ok('\t'), Ok('\t')));
        for bad in ["", ";;", "é", "\"", "\n"] {
            assert!(delimiter(bad).is_err(), "{bad:?}");
        }
        assert_eq!(date_order("day-first"), Ok(DateOrder::DayFirst));
        assert_eq!(date_order("month_first"), Ok(DateOrder::MonthFirst));
        assert!(date_order("dmy").is_err());
    }
}
