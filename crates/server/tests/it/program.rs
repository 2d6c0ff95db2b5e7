//! The binary under test, and a look into its data.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use mainstay_core::event::{EventSeq, RecordedEvent};
use mainstay_store::reader::Reader;
use tempfile::TempDir;

/// A data directory that goes away with the test.
pub(crate) struct Data(pub(crate) TempDir);

impl Data {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A command of the program on this data.
    pub(crate) fn mainstay(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mainstay"));
        command.args(arguments).env("MAINSTAY_DATA", self.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.mainstay(arguments).output().unwrap()
    }

    /// Every event that is committed by now.
    pub(crate) async fn events(&self) -> Vec<RecordedEvent> {
        let reader = Reader::open_sqlite(self.path());
        // Before the first migration there is no table, and no event.
        reader.events_after(EventSeq(0), 10_000).await.unwrap_or_default()
    }

    /// Waits until `holds` says so of the events, for at most a minute.
    pub(crate) async fn wait_for(&self, what: &str, holds: impl Fn(&[RecordedEvent]) -> bool) {
        for _ in 0..6_000 {
            if holds(&self.events().await) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited a minute for {what}");
    }
}

/// A process that is killed, as by `kill -9`, when it is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The demonstration's folder.
pub(crate) fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/flights")
}
