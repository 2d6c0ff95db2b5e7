//! `mainstay run FILE`: a pipeline from its first step to its last, in this process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use mainstay_cli::overrides;
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Subject, default_workspace};
use mainstay_core::time::DataTime;
use mainstay_governance::policy::Mode;
use mainstay_pipelines::commands::{CancelRun, How, StartRun};
use mainstay_pipelines::definition::{
    DEFAULT_PARAMS, Definition, Parameters, ROOT, Source, StepName, parse_document,
};
use mainstay_pipelines::port::PipelineReader as _;
use mainstay_pipelines::run::{Cause, CauseKind, RunState, Step, StepState};
use mainstay_runner::{Spawner, SpawnerConfig};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::run_logs::RunLogs;
use super::up::StopSignals;
use super::{DataArgs, environment};
use crate::Exit;
use crate::Failed;
use crate::engine::{Engine, EngineOptions};
use crate::terminal::{note, say};
use mainstay_platform::Platform;
use mainstay_platform::authority::local_user;

#[derive(Debug, Args)]
pub(super) struct Run {
    /// The pipeline: dvc.yaml's grammar, with `uses`, `needs`, `if`, `retries`, `timeout` and `approve`.
    file: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// A parameter that wins over params.yaml; dots reach into mappings. May be repeated.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// The data time as of which it works, such as 2013-03-01T00:00:00Z.
    #[arg(long, value_parser = data_time)]
    data_time: Option<DataTime>,
    /// Read the file and show the steps in order; run nothing.
    #[arg(long)]
    check: bool,
}

fn data_time(text: &str) -> Result<DataTime, String> {
    DataTime::parse(text).ok_or_else(|| "write an instant as 2013-03-01T00:00:00Z".to_owned())
}

impl Run {
    pub(super) async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        let (definition, root) = self.load()?;
        if self.check {
            return Ok(show(&definition));
        }
        let spawner = Arc::new(Spawner::start(SpawnerConfig::this_binary(["__spawner"])?)?);
        let platform = Arc::new(
            Platform::open(&self.data.data, self.data.db.as_deref(), environment(Mode::Local)).await?,
        );
        let (stop, stopping) = watch::channel(false);
        let engine = Engine::new(platform.clone(), spawner, mainstay_steps::all(), EngineOptions::default());
        let engine = tokio::spawn(engine.run(stopping));

        // Before there is anything to stop.
        let mut signals = StopSignals::catch()?;
        let start = self.start(definition, &root, &platform)?;
        let caller = local_user();
        let after = *platform.database.head().borrow();
        let started = platform.pipelines.run(&caller, start).await?;
        if started.how == How::Queued {
            note("another run of its concurrency group is under way; this one waits for its turn");
        }
        let ending = tokio::select! {
            ending = follow(&platform, started.run, after, json) => ending?,
            () = signals.next() => {
                let reason = "stopped at the terminal".to_owned();
                let cancel = CancelRun { workspace: default_workspace(), run: started.run, reason };
                platform.pipelines.run(&caller, cancel).await?;
                Ending::Stopped
            }
        };
        stop.send_replace(true);
        drop(engine.await);
        let state = ending.state();
        if json {
            say(summary(&platform, started.run, state).await?.to_string());
        } else {
            ending.tell(started.run);
        }
        platform.close().await;
        Ok(match (ending, state) {
            (Ending::Stopped, _) => Exit::Stopped.into(),
            (_, RunState::Succeeded | RunState::Running) => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }

    /// Reads the file, and the parameter files that it names.
    fn load(&self) -> Result<(Definition, PathBuf), Failed> {
        let text = read(&self.file)?;
        let parent =
            self.file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let root = std::fs::canonicalize(parent).map_err(|error| Failed::file(parent, error))?;
        let source = Source::parse(&text)?;
        let mut files = BTreeMap::new();
        for name in source.parameter_files() {
            let path = root.join(&name);
            if name == DEFAULT_PARAMS && !path.exists() {
                continue;
            }
            let text = read(&path)?;
            let value = parse_document(&text)?;
            files.insert(name, value);
        }
        let parameters = Parameters { files, overrides: overrides(&self.params)? };
        let definition = source.resolve_with(&parameters, &mainstay_steps::all())?;
        Ok((definition, root))
    }

    fn start(&self, definition: Definition, root: &Path, platform: &Platform) -> Result<StartRun, Failed> {
        let stem = self.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let mut params = overrides(&self.params)?;
        params.insert(ROOT.to_owned(), Value::from(root.display().to_string()));
        Ok(StartRun {
            workspace: default_workspace(),
            id: PipelineRunId::draw(&*platform.entropy),
            pipeline: Name::new(stem)?,
            definition: Arc::new(definition),
            params,
            data_time: self.data_time,
            cause: Cause {
                kind: CauseKind::Manual,
                evidence: json!({ "file": self.file.display().to_string() }),
            },
            idempotency_key: None,
        })
    }
}

fn read(path: &Path) -> Result<String, Failed> {
    std::fs::read_to_string(path).map_err(|error| Failed::file(path, error))
}

fn show(definition: &Definition) -> ExitCode {
    for (name, stage) in &definition.stages {
        let needs: Vec<_> = stage.needs.iter().map(StepName::as_str).collect();
        say(if needs.is_empty() { name.to_string() } else { format!("{name} after {}", needs.join(", ")) });
    }
    ExitCode::SUCCESS
}

/// How the following of a run ended.
enum Ending {
    /// Somebody stopped it.
    Stopped,
    /// Every step is over.
    Over(RunState),
    /// All that is left waits: for the traffic of an endpoint, or for a person.
    Waits {
        /// Steps that put themselves aside.
        parked: Vec<StepName>,
        /// Steps that wait for a decision.
        approvals: Vec<StepName>,
    },
}

impl Ending {
    const fn state(&self) -> RunState {
        match self {
            Self::Over(state) => *state,
            Self::Stopped => RunState::Cancelled,
            Self::Waits { .. } => RunState::Running,
        }
    }

    fn tell(&self, run: PipelineRunId) {
        let Self::Waits { parked, approvals } = self else {
            return note(format!("{} · run {run}", self.state().as_str()));
        };
        let names = |steps: &[StepName]| steps.iter().map(StepName::as_str).collect::<Vec<_>>().join(", ");
        if !parked.is_empty() {
            note(format!("… {} waits for what the endpoint is asked and told", names(parked)));
        }
        if !approvals.is_empty() {
            note(format!("… {} waits for a person: `mainstay approve list`", names(approvals)));
        }
        note(format!("run {run} is not over: it continues under `mainstay up`"));
    }
}

/// How often it is looked whether all that is left of a run waits; steps that park leave no event.
const LOOK: Duration = Duration::from_millis(250);

/// What is left of a run, if all of it waits for something that does not come about in this process.
async fn waits(platform: &Platform, run: PipelineRunId) -> Result<Option<Ending>, Failed> {
    let steps = platform.database.reader.steps(&default_workspace(), run).await?;
    let is_busy = |step: &Step| matches!(step.state, StepState::Ready | StepState::Running);
    let waiting = || steps.iter().filter(|step| step.state == StepState::Waiting);
    if steps.iter().any(is_busy) || waiting().next().is_none() {
        return Ok(None);
    }
    let (parked, approvals): (Vec<_>, Vec<_>) = waiting().partition(|step| step.is_parked());
    let names = |steps: Vec<&Step>| steps.into_iter().map(|step| step.name.clone()).collect();
    Ok(Some(Ending::Waits { parked: names(parked), approvals: names(approvals) }))
}

/// Tells what happens to a run until it is over, or all that is left of it waits.
async fn follow(
    platform: &Platform,
    run: PipelineRunId,
    after: EventSeq,
    quiet: bool,
) -> Result<Ending, Failed> {
    let subject = Subject::new(ResourceKind::PipelineRun, run);
    let mut head = platform.database.head();
    let mut logs = RunLogs::of(run);
    let mut after = after;
    loop {
        head.mark_unchanged();
        let events = platform.database.read(&EventQuery::after(after, 100).about(subject.clone())).await?;
        // Before what the events say: a step's last lines stand above its end.
        if !quiet {
            logs.show(platform).await?;
        }
        for event in &events {
            after = event.seq;
            let body = event.body.clone().unwrap_or_default();
            if !quiet {
                tell(&event.kind, &body);
            }
            if event.kind == "pipeline_run.finished" {
                let state = body.get("state").and_then(Value::as_str).and_then(RunState::named);
                return Ok(Ending::Over(state.unwrap_or(RunState::Failed)));
            }
        }
        if events.is_empty() {
            if let Ok(moved) = tokio::time::timeout(LOOK, head.changed()).await {
                // An error means that the writer has stopped, which ends the wait as well.
                moved.map_err(|e| Failed::outside("following the run", e))?;
            } else if let Some(ending) = waits(platform, run).await? {
                return Ok(ending);
            }
        }
    }
}

fn tell(kind: &str, body: &Value) {
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    match kind {
        "step.accepted" => {
            let value = body.pointer("/output/value").filter(|value| !value.is_null());
            let reused =
                if body.get("reused_from").is_some_and(|from| !from.is_null()) { " (unchanged)" } else { "" };
            note(format!(
                "✓ {}{reused}{}",
                text("step"),
                value.map_or_else(String::new, |v| format!("  {v}"))
            ));
        }
        "step.failed" => note(format!("✗ {}  {}", text("step"), text("reason"))),
        "step.skipped" => note(format!("– {}  {}", text("step"), text("reason"))),
        _ => {}
    }
}

async fn summary(platform: &Platform, run: PipelineRunId, state: RunState) -> Result<Value, Failed> {
    let reader = &platform.database.reader;
    let workspace = default_workspace();
    let (steps, results) = (reader.steps(&workspace, run).await?, reader.results(&workspace, run).await?);
    let steps: Vec<_> = steps
        .iter()
        .map(|step| {
            let output = results.iter().find(|result| result.step == step.name).map(|result| &result.output);
            json!({ "step": step.name, "state": step.state, "reason": step.reason, "output": output })
        })
        .collect();
    Ok(json!({ "run": run, "state": state, "steps": steps }))
}
