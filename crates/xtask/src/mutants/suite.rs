//! The binaries of the tests: built by cargo, run one by one.

use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use mainstay_core::fault::{Fault, VARIABLE};
use serde::Deserialize;

use crate::violation::CheckError;

/// With it, faults can be planted. It is a feature of one crate of ours, so only ours are built anew.
const FEATURE: &str = "mainstay-core/planted-faults";

/// A binary that has said nothing for so long hangs.
const SILENCE: Duration = Duration::from_mins(3);

/// A binary of tests.
#[derive(Debug)]
pub(super) struct Binary {
    pub(super) package: String,
    target: String,
    executable: PathBuf,
    /// Where cargo would run it.
    directory: PathBuf,
}

/// What is built with [`FEATURE`].
#[derive(Debug)]
pub(super) struct Built {
    pub(super) tests: Vec<Binary>,
    programs: Vec<PathBuf>,
}

/// A line of `cargo --message-format=json`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Message {
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Profile {
    test: bool,
}

/// Builds all tests.
pub(super) fn build(root: &Path) -> Result<Built, CheckError> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["test", "--no-run", "--release", "--locked", "--workspace", "--lib", "--bins", "--tests"])
        .args(["--quiet", "--message-format=json-render-diagnostics", "--features", FEATURE])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(CheckError::Build);
    }
    let mut built = Built { tests: Vec::new(), programs: Vec::new() };
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        built.add(serde_json::from_slice(line)?);
    }
    Ok(built)
}

impl Built {
    fn add(&mut self, message: Message) {
        let Message {
            manifest_path: Some(manifest),
            target: Some(target),
            profile: Some(profile),
            executable: Some(executable),
        } = message
        else {
            return;
        };
        let Some(directory) = manifest.parent().filter(|_| profile.test) else {
            return self.programs.push(executable);
        };
        let folder = directory.file_name().unwrap_or_default().to_string_lossy();
        self.tests.push(Binary {
            package: format!("mainstay-{folder}"),
            target: target.name,
            executable,
            directory: directory.to_owned(),
        });
    }

    /// Removes the programs that were built beside the tests. The next build puts its own there.
    pub(super) fn remove_program(&self) -> Result<(), CheckError> {
        // This program may be among them, and runs on without its name.
        for program in &self.programs {
            match fs::remove_file(program) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What became of a binary's tests.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Those that failed.
    red: Vec<String>,
    /// It ended badly without naming one: it crashed, or hung.
    broke: bool,
}

impl Outcome {
    pub(super) fn is_green(&self) -> bool {
        self.red.is_empty() && !self.broke
    }
}

impl Binary {
    /// Runs its tests with a fault planted, or none.
    pub(super) fn run(&self, planted: Option<Fault>) -> Result<Outcome, CheckError> {
        let mut command = Command::new(&self.executable);
        // One test at a time: those that fork would hold the locks of files that others have open.
        command.arg("--test-threads=1");
        command.current_dir(&self.directory).env("CARGO_MANIFEST_DIR", &self.directory).env_remove(VARIABLE);
        if let Some(fault) = planted {
            // What is found then is no regression to be kept, nor need it be small.
            command.env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1").env("PROPTEST_MAX_SHRINK_ITERS", "0");
            command.env(VARIABLE, fault.name());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let (lines, said) = mpsc::channel();
        let stdout = child.stdout.take();
        std::thread::spawn(move || {
            let read = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
            // Nobody listens any more once the binary was stopped.
            read.map_while(Result::ok).all(|line| lines.send(line).is_ok())
        });
        let mut red = Vec::new();
        loop {
            match said.recv_timeout(SILENCE) {
                Ok(line) => red.extend(failed(&line).map(str::to_owned)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    child.kill()?;
                    break;
                }
            }
        }
        let broke = !child.wait()?.success() && red.is_empty();
        Ok(Outcome { red, broke })
    }
}

/// The test that a line says has failed.
fn failed(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        if self.target == self.package.replace('-', "_") { Ok(()) } else { write!(f, "::{}", self.target) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.red.first() else { return f.write_str("it crashed, or hung") };
        f.write_str(first)?;
        if self.red.len() > 1 { write!(f, " and {} more", self.red.len() - 1) } else { Ok(()) }
    }
}

#[cfg(test)]
impl Binary {
    /// One that is not there.
    pub(super) fn named(package: &str) -> Self {
        let target = package.replace('-', "_");
        Self { package: package.to_owned(), target, executable: PathBuf::new(), directory: PathBuf::new() }
    }
}

#[cfg(test)]
impl Outcome {
    /// With this test failed, or none.
    pub(super) fn of(red: Option<&str>) -> Self {
        Self { red: red.into_iter().map(str::to_owned).collect(), broke: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_programs_are_told_apart() {
        let mut built = Built { tests: Vec::new(), programs: Vec::new() };
        for line in [
            r#"{"reason":"build-finished","success":true}"#,
            r#"{"manifest_path":"/r/crates/store/Cargo.toml","target":{"name":"it"},"profile":{"test":true},"executable":"/t/it-1"}"#,
            r#"{"manifest_path":"/r/crates/store/Cargo.toml","target":{"name":"mainstay_store"},"profile":{"test":true},"executable":"/t/store-1"}"#,
            r#"{"manifest_path":"/r/crates/store/Cargo.toml","target":{"name":"mainstay_store"},"profile":{"test":false},"executable":null}"#,
            r#"{"manifest_path":"/r/crates/server/Cargo.toml","target":{"name":"mainstay"},"profile":{"test":false},"executable":"/t/mainstay"}"#,
        ] {
            built.add(serde_json::from_str(line).unwrap());
        }
        let tests: Vec<String> = built.tests.iter().map(ToString::to_string).collect();
        assert_eq!(tests, ["mainstay-store::it", "mainstay-store"]);
        assert_eq!(built.tests[0].directory, Path::new("/r/crates/store"));
        assert_eq!(built.programs, [Path::new("/t/mainstay")]);
    }

    #[test]
    fn what_the_harness_prints_is_read() {
        assert_eq!(failed("test writer::positions::sqlite ... FAILED"), Some("writer::positions::sqlite"));
        for other in ["test writer::a ... ok", "test result: FAILED. 1 passed; 1 failed", "FAILED"] {
            assert_eq!(failed(other), None, "{other}");
        }
    }
}
