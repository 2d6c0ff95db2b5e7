//! `mainstay prompts`: the prompts of MLflow's prompt registry, which are registered models whose versions are texts.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use mainstay_core::error::ErrorCode;
use serde_json::{Value, json};

use crate::at::At;
use crate::client::{Client, part};
use crate::model_ref::ModelRef;
use crate::models::{IS_PROMPT, PATH, is_prompt, names};
use crate::near::Unknown;
use crate::render::{self, Column, Page, cell};
use crate::terminal::say;
use crate::{Failed, Session};

#[derive(Debug, Subcommand)]
pub enum Prompts {
    /// All of them, by name.
    #[command(
        after_help = "Examples:\n  mainstay prompts list\n  mainstay prompts list --filter \"name LIKE 'support%'\""
    )]
    List(List),
    /// One, with the text of its versions, the newest first; or one version.
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Show),
}

const SHOW_EXAMPLES: &str = "\
Examples:
  mainstay prompts show greeting
  mainstay prompts show greeting/2
  mainstay prompts show greeting@production --json | jq -r .versions[0].text";

#[derive(Debug, Args)]
pub struct List {
    /// Only those for which this holds, in the search language, such as "name LIKE 'support%'".
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Show {
    /// Its name; also a version, as NAME/3, or an alias, as NAME@production.
    name: String,
    #[command(flatten)]
    at: At,
}

const COLUMNS: &[Column] =
    &[("name", "/name"), ("aliases", "/aliases"), ("updated", "/updated"), ("description", "/description")];
/// The tag with the text of a version, in MLflow's words.
const TEXT: &str = "mlflow.prompt.text";
/// Most versions of a prompt that are shown.
const VERSIONS: usize = 10;

impl Prompts {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        match self {
            Self::List(list) => list.run(session).await?,
            Self::Show(show) => show.run(session).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let Self { filter, limit, at } = self;
        let client = at.connect(session).await?;
        let found = async {
            let mut all = client.list(PATH, usize::MAX).await?;
            all.retain(is_prompt);
            if let Some(filter) = filter.filter(|filter| !filter.trim().is_empty()) {
                // A filter that does not name the tag finds no prompts.
                let filter = format!("tags.`{IS_PROMPT}` = 'true' AND ({filter})");
                let names = names(&client, &filter).await?;
                all.retain(|prompt| names.contains(&prompt["name"]));
            }
            all.truncate(limit as usize);
            Ok::<_, Failed>(all)
        };
        let found = found.await;
        client.close().await;
        let items = found?;
        if session.json {
            say(json!({ "items": items }).to_string());
        } else {
            render::table(&items, COLUMNS);
        }
        Ok(())
    }
}

impl Show {
    async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let client = self.at.connect(session).await?;
        let found = find(&client, &ModelRef::parse(&self.name)).await;
        client.close().await;
        let found = found?;
        if session.json {
            say(found.to_string());
        } else {
            page(&found).print();
        }
        Ok(())
    }
}

/// The prompt, with the wanted versions and the text of each.
async fn find(client: &Client, wanted: &ModelRef) -> Result<Value, Failed> {
    let path = format!("{PATH}/{}", part(wanted.name()));
    let hint = "`mainstay prompts list` shows those that there are";
    let mut prompt = match client.get(&path).await {
        Ok(found) if is_prompt(&found) => found,
        Err(failed) if failed.code() != Some(ErrorCode::NotFound) => return Err(failed),
        _ => {
            let mut all = client.list(PATH, usize::MAX).await?;
            all.retain(is_prompt);
            let names = all.iter().filter_map(|prompt| prompt["name"].as_str());
            return Err(Unknown::new("prompt", wanted.name(), names, hint).into());
        }
    };
    let mut versions = match wanted.number(client).await? {
        Some(number) => vec![client.get(&format!("{path}/versions/{number}")).await?],
        None => client.list(&format!("{path}/versions"), VERSIONS).await?,
    };
    for version in &mut versions {
        version["text"] = version["tags"][TEXT].clone();
    }
    prompt["versions"] = versions.into();
    Ok(prompt)
}

fn page(prompt: &Value) -> Page {
    let mut page = Page::titled(&format!("prompt {}", cell(&prompt["name"])));
    page.fields(&[
        ("description", prompt["description"].as_str().map(str::to_owned)),
        ("updated", prompt["updated"].as_str().map(str::to_owned)),
        ("aliases", Some(cell(&prompt["aliases"])).filter(|aliases| aliases != "-")),
    ]);
    for version in prompt["versions"].as_array().into_iter().flatten() {
        let said = version["description"].as_str().filter(|said| !said.is_empty());
        let aliases = Some(cell(&version["aliases"])).filter(|aliases| aliases != "-");
        let parts = [Some(cell(&version["created"])), aliases, said.map(str::to_owned)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        page.heading(&format!("version {}  {}", cell(&version["number"]), parts.join("  ")));
        page.text(version["text"].as_str().unwrap_or_default());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_shown_with_its_text() {
        let prompt = json!({
            "name": "greeting", "description": "says hello", "updated": "u", "aliases": { "production": 1 },
            "versions": [
                { "number": 2, "created": "c2", "aliases": [], "description": "shorter", "text": "Hi {{name}}\n\nBye\u{7}" },
                { "number": 1, "created": "c1", "aliases": ["production"], "description": "", "text": "Hello {{name}}" },
            ],
        });
        let page = page(&prompt);
        let expected = [
            "prompt greeting",
            "  description  says hello",
            "  updated      u",
            "  aliases      production=1",
            "",
            "version 2  c2  shorter",
            "  Hi {{name}}",
            "",
            "  Bye",
            "",
            "version 1  c1  production",
            "  Hello {{name}}",
        ];
        assert_eq!(page.lines(), expected);
    }
}
