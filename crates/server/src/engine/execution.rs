//! One claimed step: performed under heartbeats, then concluded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainstay_core::command::{Command, CommandError, Commands, Journal};
use mainstay_core::error::{Coded as _, ErrorCode, Failure};
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_pipelines::cache::cache_key;
use mainstay_pipelines::circumstances::{Circumstances, Provenance};
use mainstay_pipelines::commands::{AcceptCached, Claim, FailStep, Heartbeat, ParkStep};
use mainstay_pipelines::definition::{ROOT, Stage, Work};
use mainstay_pipelines::port::PipelineReader as _;
use mainstay_pipelines::reproduction::{NotReproducible, computes, reproduces};
use mainstay_pipelines::run::StepOutput;
use mainstay_runner::{Cause, Exit, Program, StepCommand, read_log};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{Engine, PAUSE, outputs, surroundings};
use mainstay_platform::loop_tx::{ConcludeStep, Effect, OutputOnly};
use mainstay_steps::{BuiltIn, Held, Prepared, Reads, StepError, is_store_away};

/// The files between the server and a step's child.
const ORDER_FILE: &str = "order.json";
/// As above.
const RESULT_FILE: &str = "result.json";
/// How much of a failed step's log goes into the reason.
const TAIL: u64 = 1_500;

/// What a child process answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// It is done.
    Done(Value),
    /// It could not.
    Failed(StepError),
}

/// How an attempt went on.
enum Progress {
    /// It is done; this is its effect, and where its result comes from.
    Effect(Box<dyn Effect>, Provenance),
    /// An equal earlier result stands for it.
    Cached(mainstay_core::digest::Digest),
    /// It looks again later.
    Park(mainstay_core::time::MachineTime, Value),
}

impl Engine {
    /// Performs and concludes a claimed step; gives the one that was claimed with its end. Never fails: what
    /// goes wrong is reported to the store, and if even that does not work, the lease runs out.
    pub(super) async fn execute(
        &self,
        workspace: &Name,
        claim: Claim,
        stop: &watch::Receiver<bool>,
    ) -> Option<Claim> {
        let attempt = Attempt { engine: self, workspace: workspace.clone(), claim };
        let next = tokio::select! {
            // In this order: a heartbeat that is answered together with the end of the step is refused.
            biased;
            next = attempt.work(stop) => next,
            () = attempt.keep() => {
                // Its process ends with its handle.
                attempt.say_let_go();
                None
            }
        };
        drop(std::fs::remove_dir_all(attempt.directory()));
        next
    }
}

struct Attempt<'a> {
    engine: &'a Engine,
    workspace: Name,
    claim: Claim,
}

impl Attempt<'_> {
    async fn work(&self, stop: &watch::Receiver<bool>) -> Option<Claim> {
        let performed = self.perform().await;
        let (reported, next) = tokio::join!(self.conclude(performed), self.claim_next(stop));
        match reported {
            Ok(()) => {}
            Err(error) if is_let_go(error.code()) => self.say_let_go(),
            Err(error) => {
                tracing::warn!(%error, "a step's end could not be reported; it runs again when its lease runs out");
            }
        }
        next
    }

    fn say_let_go(&self) {
        tracing::info!(run = %self.claim.run.id, step = %self.claim.step.name, "let go");
    }

    /// Sends heartbeats; ends only when the store says that the step is no longer ours.
    async fn keep(&self) {
        let lease = self.engine.options.lease;
        loop {
            tokio::time::sleep(lease / 3).await;
            let (run, step, token) = self.key();
            let beat = Heartbeat { workspace: self.workspace.clone(), run, step, token, lease };
            match self.engine.platform.pipelines.run(&self.engine.principal, beat).await {
                Ok(_) => {}
                Err(error) if is_let_go(error.code()) => return,
                // The store may be back before the lease runs out.
                Err(error) => tracing::warn!(%error, "heartbeat"),
            }
        }
    }

    fn key(&self) -> (PipelineRunId, mainstay_pipelines::definition::StepName, u64) {
        (self.claim.run.id, self.claim.step.name.clone(), self.claim.step.token)
    }

    /// Where this attempt works; nobody else does.
    fn directory(&self) -> PathBuf {
        let (run, step, token) = self.key();
        self.engine.platform.layout.work().join(format!("{run}-{step}-{token}"))
    }

    /// Where the log of the attempt is kept.
    fn log(&self) -> PathBuf {
        let (run, step, _) = self.key();
        self.engine.platform.layout.step_log(run, step.as_str(), self.claim.step.attempt)
    }

    fn root(&self) -> PathBuf {
        let given = self.claim.run.params.get(ROOT).and_then(Value::as_str);
        given.map_or_else(|| self.engine.platform.layout.root().to_owned(), PathBuf::from)
    }

    async fn perform(&self) -> Result<Progress, StepError> {
        let missing = || StepError::refused(ErrorCode::InvalidDefinition, "the definition has no such stage");
        let stage = self.claim.definition.stages.get(&self.claim.step.name).ok_or_else(missing)?;
        let stage = stage.at_run_time(&self.claim.values);
        let stage = stage.map_err(|e| StepError::refused(ErrorCode::InvalidDefinition, e.to_string()))?;
        for directory in [Some(self.directory().as_path()), self.log().parent()].into_iter().flatten() {
            std::fs::create_dir_all(directory).map_err(|error| StepError::lost(error.to_string()))?;
        }
        if let Some(first) = reproduces(&self.claim.run).filter(|_| !computes(&stage)) {
            return self.taken_over(first).await;
        }
        match &stage.work {
            Work::Nothing => {
                Ok(Progress::Effect(Box::new(OutputOnly(StepOutput::default())), Provenance::default()))
            }
            Work::Commands(lines) => self.commands(&stage, lines).await,
            Work::BuiltIn { uses, with } => {
                let unknown = || {
                    let known = self.engine.steps.names().join(", ");
                    let message = format!("there is no built-in step {uses:?}; there are {known}");
                    StepError::refused(ErrorCode::InvalidDefinition, message)
                };
                let step = self.engine.steps.get(uses).ok_or_else(unknown)?;
                let held = Held {
                    workspace: self.workspace.clone(),
                    claim: self.claim.clone(),
                    with: with.clone(),
                    directory: self.directory(),
                    root: self.root(),
                };
                self.built_in(&stage, step, &held).await
            }
        }
    }

    async fn built_in(&self, stage: &Stage, step: &dyn BuiltIn, held: &Held) -> Result<Progress, StepError> {
        let platform = &self.engine.platform;
        let result = match self.asked(|| step.prepare(platform, held)).await? {
            Prepared::Done(result) => result,
            Prepared::Wait { until, memo } => return Ok(Progress::Park(until, memo)),
            Prepared::Child(order) => self.child(stage, step.name(), &order).await?,
        };
        let Reads { data, features, seed } = step.reads(&result)?;
        let circumstances = Circumstances {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            hardware: self.engine.hardware.clone(),
            data,
            features,
            seed,
            ..Circumstances::default()
        };
        let effect = self.asked(|| step.conclude(platform, held, result.clone())).await?;
        let provenance = Provenance { circumstances: Some(Box::new(circumstances)), ..Provenance::default() };
        Ok(Progress::Effect(effect, provenance))
    }

    /// In a run that does another again: what a step did to the record there stands, and is not done twice.
    async fn taken_over(&self, first: PipelineRunId) -> Result<Progress, StepError> {
        let step = &self.claim.step.name;
        let reader = &self.engine.platform.database.reader;
        let find = || async { reader.results(&self.workspace, first).await.map_err(StepError::of) };
        let results = self.asked(find).await?;
        let found = results.into_iter().find(|result| result.step == *step);
        let found = found.ok_or_else(|| StepError::of(NotReproducible::NotRecorded(step.clone())))?;
        let provenance = Provenance {
            reused_from: Some(found.reused_from.unwrap_or(first)),
            circumstances: found.circumstances,
            cache_key: None,
        };
        Ok(Progress::Effect(Box::new(OutputOnly(found.output)), provenance))
    }

    /// Performs a built-in step in a process of its own: this program's `__step`.
    async fn child(&self, stage: &Stage, uses: &str, order: &Value) -> Result<Value, StepError> {
        let lost = |error: std::io::Error| StepError::lost(error.to_string());
        let directory = self.directory();
        std::fs::write(directory.join(ORDER_FILE), order.to_string()).map_err(lost)?;
        let binary = std::env::current_exe().map_err(lost)?;
        let program = Program::argv([binary.display().to_string(), "__step".to_owned(), uses.to_owned()]);
        let exit = self.spawn(stage, program, &directory).await?;
        let answer = std::fs::read(directory.join(RESULT_FILE)).ok();
        match answer.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            Some(Answer::Done(result)) if exit.succeeded() => Ok(result),
            Some(Answer::Failed(error)) => Err(error),
            _ => Err(self.ended(exit)),
        }
    }

    async fn commands(&self, stage: &Stage, lines: &[String]) -> Result<Progress, StepError> {
        let root = self.root();
        // Where there is no file to look at, no other thread is woken for it.
        let deps = if stage.deps.is_empty() {
            BTreeMap::new()
        } else {
            let (root, deps) = (root.clone(), stage.deps.clone());
            off_the_reactor(move || outputs::digests(&root, deps.iter())).await??
        };
        let key = cache_key(stage, &deps, env!("CARGO_PKG_VERSION"));
        if let Some(key) = key {
            let reader = &self.engine.platform.database.reader;
            let find = || async { reader.find_cached(&self.workspace, &key).await.map_err(StepError::of) };
            if let Some(found) = self.asked(find).await? {
                let (root, stage) = (root.clone(), stage.clone());
                let in_place = move || outputs::are_in_place(&root, &stage, &found.output);
                if off_the_reactor(in_place).await? {
                    return Ok(Progress::Cached(key));
                }
            }
        }
        let found = {
            let (root, stage, definition) = (root.clone(), stage.clone(), self.claim.definition.clone());
            let (hardware, last) = (self.engine.hardware.clone(), Arc::clone(&self.engine.last_look));
            let now = self.engine.platform.clock.now();
            off_the_reactor(move || {
                surroundings::of_commands(&root, (&stage, &definition), deps, hardware, (&last, now))
            })
            .await?
        };
        let directory = stage.wdir.as_ref().map_or_else(|| root.clone(), |below| root.join(below));
        let exit = self.spawn(stage, Program::shell(lines), &directory).await?;
        if !exit.succeeded() {
            return Err(self.ended(exit));
        }
        let output = if stage.outs.is_empty() {
            StepOutput::default()
        } else {
            let stage = stage.clone();
            off_the_reactor(move || outputs::collect(&root, &stage)).await??
        };
        let provenance =
            Provenance { cache_key: key, reused_from: None, circumstances: Some(Box::new(found)) };
        Ok(Progress::Effect(Box::new(OutputOnly(output)), provenance))
    }

    async fn spawn(&self, stage: &Stage, program: Program, directory: &Path) -> Result<Exit, StepError> {
        let mut command = StepCommand::new(program, directory, self.log());
        command.env.extend(std::env::vars().filter(|(name, _)| PASSED_ON.contains(&name.as_str())));
        // Under its own name for MLflow's clients; a stage may name another server.
        command
            .env
            .extend(self.engine.options.url.clone().map(|url| ("MLFLOW_TRACKING_URI".to_owned(), url)));
        let step = &self.claim.step;
        // MLflow's clients put these tags on the runs that they make, so that it is known where those come from.
        let tags = json!({
            "mainstay.pipeline": self.claim.run.pipeline, "mainstay.pipeline_run": self.claim.run.id,
            "mainstay.step": step.name,
        });
        command.env.insert("MLFLOW_RUN_CONTEXT".to_owned(), tags.to_string());
        command.env.extend(stage.env.clone());
        command.env.insert("STEP_IDEMPOTENCY_KEY".to_owned(), step.idempotency_key());
        command.env.insert("LEASE_TOKEN".to_owned(), step.token.to_string());
        command.timeout = stage.timeout.map(mainstay_pipelines::definition::Span::duration);
        let lost = |error: mainstay_runner::RunnerError| StepError::lost(error.to_string());
        let mut handle = self.engine.spawner.spawn(command).await.map_err(lost)?;
        // If this future is dropped (the step was cancelled or taken over) the processes go with it.
        let _guard = KillOnDrop(handle.killer());
        handle.wait().await.map_err(lost)
    }

    /// Why a process that did not succeed failed the step.
    fn ended(&self, exit: Exit) -> StepError {
        let how = match exit.cause {
            Cause::TimedOut => "its time ran out".to_owned(),
            Cause::Killed => "it was stopped".to_owned(),
            Cause::Ended => match exit.status {
                mainstay_runner::Status::Code(code) => format!("it ended with code {code}"),
                mainstay_runner::Status::Signal(signal) => format!("it ended by signal {signal}"),
            },
        };
        let from = exit.log_bytes.saturating_sub(TAIL);
        let tail =
            read_log(&self.log(), from, TAIL).map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned());
        let tail = tail.unwrap_or_default();
        let message =
            if tail.trim().is_empty() { how } else { format!("{how}; its log ends with:\n{}", tail.trim()) };
        StepError::failed(message)
    }

    /// Reports how the step ended.
    async fn conclude(&self, performed: Result<Progress, StepError>) -> Result<(), Failure> {
        let (run, step, token) = self.key();
        let workspace = self.workspace.clone();
        let platform = &self.engine.platform;
        match performed {
            Ok(Progress::Effect(effect, provenance)) => {
                let effect = effect.into();
                let conclude = ConcludeStep { workspace, run, step, token, provenance, effect };
                match self.report(&platform.looped, conclude).await {
                    Ok(()) => Ok(()),
                    Err(error) if error.code() == ErrorCode::StaleToken => Ok(()),
                    Err(error) => self.fail(StepError::of(error)).await,
                }
            }
            Ok(Progress::Cached(key)) => {
                let accept = AcceptCached { workspace, run, step, token, key };
                match self.report(&platform.pipelines, accept).await {
                    Ok(_) => Ok(()),
                    Err(error) => self.fail(StepError::of(error)).await,
                }
            }
            Ok(Progress::Park(until, memo)) => {
                let park = ParkStep { workspace, run, step, token, until, memo };
                Ok(self.report(&platform.pipelines, park).await.map(drop)?)
            }
            Err(error) => self.fail(error).await,
        }
    }

    /// Claims what the end of this step makes ready. Asked for together with it, it stands right behind it in
    /// the writer's queue, so that one sync can be for both.
    async fn claim_next(&self, stop: &watch::Receiver<bool>) -> Option<Claim> {
        if *stop.borrow() {
            return None;
        }
        let claimed = self.engine.claim(&self.workspace).await;
        claimed.unwrap_or_else(|error| {
            // The engine looks again.
            tracing::debug!(%error, "no step could be claimed");
            None
        })
    }

    /// Has a command answered, and asks again while the store is away: what is done must neither count as
    /// failed nor be done once more because nobody could be told of it. Heartbeats go on meanwhile; they
    /// end this if somebody else takes the step.
    async fn report<Tx, C>(
        &self,
        commands: &Commands<Tx>,
        command: C,
    ) -> Result<C::Out, CommandError<C::Error>>
    where
        Tx: ?Sized + Journal + 'static,
        C: Command<Tx = Tx> + Clone,
    {
        loop {
            match commands.run(&self.engine.principal, command.clone()).await {
                Err(error) if is_store_away(error.code()) => {
                    tracing::warn!(%error, "the end of a step is reported when the store is back");
                }
                answered => return answered,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Has the store asked before and after the work, and asks again while it is away.
    async fn asked<T, F>(&self, ask: impl Fn() -> F + Send) -> Result<T, StepError>
    where
        F: Future<Output = Result<T, StepError>> + Send,
    {
        loop {
            match ask().await {
                Err(error) if error.is_store_away => {
                    tracing::warn!(%error, "a step goes on when the store is back");
                }
                answered => return answered,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn fail(&self, error: StepError) -> Result<(), Failure> {
        let (run, step, token) = self.key();
        let bytes = self.engine.platform.entropy.bytes16();
        let draw =
            f64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])) / f64::from(u32::MAX);
        let failure = FailStep {
            workspace: self.workspace.clone(),
            run,
            step,
            token,
            reason: error.to_string(),
            retryable: error.retryable,
            draw,
        };
        Ok(self.report(&self.engine.platform.pipelines, failure).await.map(drop)?)
    }
}

/// Whether an answer means that a step is no longer ours, which is nobody's trouble: somebody else has it, or it
/// was cancelled.
const fn is_let_go(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::StaleToken | ErrorCode::WrongState)
}

/// What a step's environment takes over from the server's.
const PASSED_ON: [&str; 6] = ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV"];

/// Ends a step's processes when its attempt is dropped; harmless once they have ended.
struct KillOnDrop(mainstay_runner::Killer);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill() {
            tracing::debug!(%error, "kill");
        }
    }
}

/// The child's side: reads the order in the working directory, performs it, and writes the answer whole.
pub fn step_main(uses: &str) -> std::io::Result<bool> {
    let order: Value = serde_json::from_slice(&std::fs::read(ORDER_FILE)?)?;
    let steps = mainstay_steps::all();
    let unknown = || {
        let message = format!("this program has no built-in step {uses:?}");
        StepError::refused(ErrorCode::Unsupported, message)
    };
    let performed = steps.get(uses).ok_or_else(unknown).and_then(|step| step.perform(order, Path::new(".")));
    let answer = performed.map_or_else(Answer::Failed, Answer::Done);
    let temporary = format!("{RESULT_FILE}.tmp");
    std::fs::write(&temporary, json!(answer).to_string())?;
    std::fs::rename(&temporary, RESULT_FILE)?;
    Ok(matches!(answer, Answer::Done(_)))
}

/// Reads of files as large as users have them, beside what must go on meanwhile.
async fn off_the_reactor<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StepError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StepError::lost(error.to_string()))
}
