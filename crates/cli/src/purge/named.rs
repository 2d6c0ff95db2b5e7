//! A thing that is to be purged, as a person names it: what it is, and whether it is deleted already.

use mainstay_core::error::ErrorCode;
use serde_json::{Value, json};

use crate::Failed;
use crate::client::{Client, part};
use crate::experiments::{self, MLFLOW};
use crate::render::cell;
use crate::runs;

/// A thing that was named.
pub(super) struct Named {
    /// Its kind, as the API calls it.
    pub(super) kind: String,
    /// Its id.
    pub(super) id: String,
    /// What to call it, if it is not deleted yet and could be.
    pub(super) alive: Option<String>,
}

impl Named {
    /// Reads `KIND:ID`, or `KIND:NAME` of a run or an experiment. The beginning of an id is not enough: what is purged
    /// is gone.
    pub(super) async fn find(client: &Client, text: &str) -> Result<Self, Failed> {
        let Some((kind, id)) = text.split_once(':') else {
            return Err(Failed::Usage(format!("'{text}' is no KIND:ID, such as run:4f… or experiment:7")));
        };
        let (id, alive) = match kind {
            "run" => run(client, id).await?,
            "run_artifacts" => (run(client, id).await?.0, None),
            "experiment" => experiment(client, id).await?,
            "logged_model" => (id.to_owned(), logged_model(client, id).await?),
            _ => (id.to_owned(), None),
        };
        Ok(Self { kind: kind.to_owned(), id, alive })
    }
}

async fn run(client: &Client, text: &str) -> Result<(String, Option<String>), Failed> {
    let id = runs::whole(client, text).await?;
    let wanted = json!({
        "filter": format!("run_id = '{id}'"), "view": "active", "columns": ["run_name"], "limit": 1,
    });
    let found = client.post(runs::SEARCH, &wanted).await?;
    let alive = found.pointer("/runs/0").map(|run| format!("run {id} ({})", cell(&run["run_name"])));
    Ok((id, alive))
}

async fn experiment(client: &Client, text: &str) -> Result<(String, Option<String>), Failed> {
    // An experiment may be called by a number; its id comes first.
    let is_id = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let found = if is_id {
        let path = format!("{MLFLOW}/experiments/get?experiment_id={}", part(text));
        client.get(&path).await?["experiment"].take()
    } else {
        experiments::resolve(client, text).await?
    };
    let id = cell(&found["experiment_id"]);
    let is_alive = found["lifecycle_stage"] == "active";
    let alive = is_alive.then(|| format!("experiment {id} ({})", cell(&found["name"])));
    Ok((id, alive))
}

async fn logged_model(client: &Client, id: &str) -> Result<Option<String>, Failed> {
    // The API does not tell of one that is deleted.
    match client.get(&format!("{MLFLOW}/logged-models/{}", part(id))).await {
        Ok(found) => Ok(Some(format!("logged model {id} ({})", name(&found)))),
        Err(failed) if failed.code() == Some(ErrorCode::NotFound) => Ok(None),
        Err(failed) => Err(failed),
    }
}

fn name(found: &Value) -> String {
    cell(&found["model"]["info"]["name"])
}
