//! What the steps of a run print, line by line, as they print it.

use std::collections::HashMap;

use mainstay_core::id::PipelineRunId;
use mainstay_core::scope::default_workspace;
use mainstay_pipelines::definition::StepName;
use mainstay_pipelines::port::PipelineReader as _;
use mainstay_pipelines::run::StepState;
use mainstay_runner::read_log;

use crate::Failed;
use crate::terminal::note;
use mainstay_platform::Platform;

/// Read at once of one log, in bytes.
const CHUNK: u64 = 256 << 10;

/// How far the logs of a run were shown.
pub(super) struct RunLogs {
    run: PipelineRunId,
    shown: HashMap<(StepName, u32), Shown>,
}

#[derive(Default)]
struct Shown {
    next: u64,
    /// A line that has not ended.
    rest: Vec<u8>,
}

impl RunLogs {
    pub(super) fn of(run: PipelineRunId) -> Self {
        Self { run, shown: HashMap::new() }
    }

    /// Shows what was printed since the last call.
    pub(super) async fn show(&mut self, platform: &Platform) -> Result<(), Failed> {
        for step in platform.database.reader.steps(&default_workspace(), self.run).await? {
            if step.attempt == 0 || step.state == StepState::Pending {
                continue;
            }
            let path = platform.layout.step_log(self.run, step.name.as_str(), step.attempt);
            let shown = self.shown.entry((step.name.clone(), step.attempt)).or_default();
            let is_over = !matches!(step.state, StepState::Ready | StepState::Running);
            loop {
                let chunk = read_log(&path, shown.next, CHUNK)
                    .map_err(|error| Failed::outside("reading a step's log", error))?;
                if chunk.bytes.is_empty() {
                    break;
                }
                shown.next = chunk.next;
                shown.rest.extend_from_slice(&chunk.bytes);
                shown.lines(&step.name);
            }
            if is_over && !shown.rest.is_empty() {
                shown.rest.push(b'\n');
                shown.lines(&step.name);
            }
        }
        Ok(())
    }
}

impl Shown {
    fn lines(&mut self, step: &StepName) {
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            // It is a program's: what would steer the terminal does not pass.
            let line = String::from_utf8_lossy(&line);
            let plain: String = line.trim_end().chars().filter(|c| !c.is_control() || *c == '\t').collect();
            note(format!("{step} | {plain}"));
        }
    }
}
