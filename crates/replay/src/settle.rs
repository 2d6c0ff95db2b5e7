//! Waiting until a server has done everything that follows from what it was sent.

use std::time::Duration;

use mainstay_core::failed::Failed;
use mainstay_core::time::DataTime;
use serde_json::Value;

use super::client::Client;

/// The first pause between two looks, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));
/// So long a server may take to settle. Long, because a machine may be slow and a training takes a while.
const PATIENCE: Duration = Duration::from_mins(20);

/// Waits until everything up to `until` is folded, decided and carried out.
pub(super) async fn settle(client: &mut Client, endpoint: &str, until: DataTime) -> Result<(), Failed> {
    wait("the server to settle", async || {
        let path = format!("/api/v1/endpoints/{endpoint}");
        // What was folded may have started a run, and a run may have revised the endpoint: in this order.
        Ok(has_folded(&client.get(&path).await?, until)?
            && runs_rest(client).await?
            && has_folded(&client.get(&path).await?, until)?)
    })
    .await
}

/// Waits until a pipeline run is over; its state.
pub(super) async fn finish(client: &mut Client, run: &str) -> Result<String, Failed> {
    let mut state = String::new();
    wait("a pipeline run to end", async || {
        let seen = client.get(&format!("/api/v1/pipeline-runs/{run}")).await?;
        text(&seen, "/state").clone_into(&mut state);
        Ok(!matches!(state.as_str(), "running" | "waiting"))
    })
    .await?;
    Ok(state)
}

/// Waits until the predictor serves the endpoint's newest revision.
pub(super) async fn serves(client: &mut Client, endpoint: &str) -> Result<(), Failed> {
    wait("the endpoint to serve", async || {
        has_followed(&client.get(&format!("/api/v1/endpoints/{endpoint}")).await?)
    })
    .await
}

async fn wait(what: &str, mut is_so: impl AsyncFnMut() -> Result<bool, Failed>) -> Result<(), Failed> {
    let (mut pause, longest) = PAUSES;
    let patience = async {
        while !is_so().await? {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
        Ok(())
    };
    let late = |error| Failed::outside(format!("waited {PATIENCE:?} for {what}"), error);
    tokio::time::timeout(PATIENCE, patience).await.map_err(late)?
}

fn has_folded(endpoint: &Value, until: DataTime) -> Result<bool, Failed> {
    let watermark = DataTime::parse(text(endpoint, "/watch/watermark"));
    let is_busy = endpoint.pointer("/watch/busy") != Some(&Value::Bool(false));
    Ok(has_followed(endpoint)? && !is_busy && watermark.is_some_and(|watermark| watermark >= until))
}

fn has_followed(endpoint: &Value) -> Result<bool, Failed> {
    let newest = endpoint.pointer("/revision/number");
    let trouble = endpoint.pointer("/predictor/trouble").filter(|trouble| trouble.get("revision") == newest);
    if let Some(trouble) = trouble {
        let reason = text(trouble, "/reason").to_owned();
        return Err(Failed::outside("the endpoint cannot serve its newest revision", reason));
    }
    Ok(newest.is_some() && endpoint.pointer("/predictor/revision") == newest)
}

/// Whether no step of any run works or will on its own; a parked rollout waits for evidence.
async fn runs_rest(client: &mut Client) -> Result<bool, Failed> {
    let runs = client.get("/api/v1/pipeline-runs?state=running,waiting").await?;
    for run in items(&runs) {
        let seen = client.get(&format!("/api/v1/pipeline-runs/{}", text(run, "/id"))).await?;
        let steps = seen.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let rests = |step: &Value| match text(step, "/state") {
            "accepted" | "failed" | "skipped" | "cancelled" | "pending" => true,
            "waiting" => text(step, "/uses") == "rollout",
            _ => false,
        };
        let over =
            |step: &Value| matches!(text(step, "/state"), "accepted" | "failed" | "skipped" | "cancelled");
        // All over, but the run not yet: it is about to be.
        if !steps.iter().all(rests) || steps.iter().all(over) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The items of a listing.
pub(super) fn items(listing: &Value) -> &[Value] {
    listing.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The text at a place of a document; empty if there is none.
pub(super) fn text<'a>(document: &'a Value, place: &str) -> &'a str {
    document.pointer(place).and_then(Value::as_str).unwrap_or_default()
}
