//! What else than its definition a step may depend on: the code, the packages, the machine; and whether all that is
//! there as it was.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use mainstay_api::native::pipeline::Surroundings;
use mainstay_core::digest::Digest;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;
use mainstay_data::ports::DataReader as _;
use mainstay_pipelines::circumstances::{Circumstances, CodeVersion, Hardware};
use mainstay_pipelines::definition::{Definition, ROOT, Stage, StepName};
use mainstay_pipelines::refusal::PipelineError;
use mainstay_pipelines::reproduction::{NotReproducible, Plan};
use mainstay_pipelines::run::PipelineRun;
use mainstay_store::reader::Reader;
use serde_json::Value;

use super::outputs::digest_of;
use mainstay_directory::layout::Layout;

/// Files that pin the packages of an environment, by the tools that write them.
const LOCKS: [&str; 14] = [
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pylock.toml",
    "requirements.txt",
    "pixi.lock",
    "conda-lock.yml",
    "environment.yml",
    "python_env.yaml",
    "renv.lock",
    "Cargo.lock",
    "package-lock.json",
    "Manifest.toml",
];
/// Largest of them that is read, in bytes.
const LARGEST_LOCK: u64 = 64 << 20;
/// Most of what Git says that is read, in bytes.
const SAID: u64 = 64 << 10;

/// How long what Git said holds, in microseconds. A chain of brief steps asks it once a second; it takes as long as many
/// of them.
const HOLDS: i64 = 1_000_000;

/// What Git said last: of which folder, without which outputs, and when.
#[derive(Default)]
pub(super) struct LastLook(Mutex<Option<Look>>);

struct Look {
    root: PathBuf,
    outs: Vec<String>,
    at: MachineTime,
    code: Option<CodeVersion>,
}

impl LastLook {
    fn code(&self, root: &Path, definition: &Definition, now: MachineTime) -> Option<CodeVersion> {
        let outs: Vec<String> = outs(definition).cloned().collect();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = last.as_ref().filter(|look| {
            look.root == root && look.outs == outs && (0..HOLDS).contains(&now.since(look.at))
        });
        if let Some(look) = holds {
            return look.code.clone();
        }
        let code = code(root, definition);
        *last = Some(Look { root: root.to_owned(), outs, at: now, code: code.clone() });
        code
    }
}

/// What the commands of a stage find, before they run.
pub(super) fn of_commands(
    root: &Path,
    (stage, definition): (&Stage, &Definition),
    files: BTreeMap<String, Digest>,
    hardware: Hardware,
    (last, now): (&LastLook, MachineTime),
) -> Circumstances {
    Circumstances {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        code: last.code(root, definition, now),
        locks: locks(root),
        hardware,
        seed: seed(stage, definition),
        files,
        ..Circumstances::default()
    }
}

/// The machine that this process runs on.
pub(super) fn hardware() -> Hardware {
    let line = |file: &str, name: &str| {
        let text = BufReader::new(std::fs::File::open(file).ok()?.take(SAID));
        let mut lines = text.lines().map_while(Result::ok).filter(|line| line.starts_with(name));
        lines.find_map(|line| Some(line.split_once(':')?.1.trim().to_owned()))
    };
    let memory = line("/proc/meminfo", "MemTotal");
    let kibibytes = memory.and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    Hardware {
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        cpu: line("/proc/cpuinfo", "model name"),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory: kibibytes.map(|count| count.saturating_mul(1_024)),
    }
}

/// What Git says of a folder, if it is in a repository. What the pipeline itself writes is no change of code.
fn code(root: &Path, definition: &Definition) -> Option<CodeVersion> {
    if !root.ancestors().any(|folder| folder.join(".git").exists()) {
        return None;
    }
    let left_out = outs(definition).map(|path| format!(":(exclude,literal){path}"));
    let mut git = Command::new("git")
        // A repository says nothing of what is run to look at it, and nobody's lock is waited for.
        .args(["-c", "core.fsmonitor=false", "-C"])
        .arg(root)
        .args(["status", "--porcelain=v2", "--branch", "--untracked-files=no", "--", ":/"])
        .args(left_out)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut said = Vec::new();
    let read = git.stdout.take()?.take(SAID).read_to_end(&mut said);
    // It may be about to say more.
    drop(git.kill());
    drop(git.wait());
    read.ok()?;
    status(&String::from_utf8_lossy(&said))
}

/// Whatever the steps of a pipeline write.
fn outs(definition: &Definition) -> impl Iterator<Item = &String> {
    definition.stages.values().flat_map(|stage| stage.outs.keys())
}

/// Reads what `git status --porcelain=v2 --branch` prints.
fn status(said: &str) -> Option<CodeVersion> {
    let commit = said.lines().find_map(|line| line.strip_prefix("# branch.oid "))?;
    let is_one = commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let dirty = said.lines().any(|line| !line.starts_with('#'));
    is_one.then(|| CodeVersion { commit: commit.to_owned(), dirty })
}

fn locks(root: &Path) -> BTreeMap<String, Digest> {
    let digest = |name: &&str| {
        let path = root.join(name);
        let known = std::fs::metadata(&path).ok()?;
        let digest = (known.is_file() && known.len() <= LARGEST_LOCK).then(|| digest_of(&path).ok())??;
        Some(((*name).to_owned(), digest))
    };
    LOCKS.iter().filter_map(digest).collect()
}

/// The parameter that is called a seed, of those that the stage names or else of all.
fn seed(stage: &Stage, definition: &Definition) -> Option<Value> {
    let is_seed = |key: &str| {
        let last = key.rsplit('.').next().unwrap_or(key);
        last == "seed" || last == "random_seed" || last == "random_state"
    };
    let named = stage.params.values().flatten().find(|(key, _)| is_seed(key)).map(|(_, value)| value);
    named.or_else(|| definition.params.iter().find(|(key, _)| is_seed(key)).map(|(_, value)| value)).cloned()
}

/// Tells whether a run finds what it found, on this machine.
pub(crate) struct Reproductions {
    /// Versions of data and definitions.
    pub(crate) reader: Reader,
    /// Where pipelines run that name no folder.
    pub(crate) layout: Layout,
}

#[async_trait]
impl Surroundings for Reproductions {
    async fn check(&self, workspace: &Name, run: &PipelineRun, plan: &Plan) -> Result<(), PipelineError> {
        for (step, known) in &plan.computed {
            self.check_data(workspace, step, known).await?;
        }
        let given = run.params.get(ROOT).and_then(Value::as_str);
        let root = given.map_or_else(|| self.layout.root().to_owned(), PathBuf::from);
        let plan = plan.clone();
        let checked = tokio::task::spawn_blocking(move || check_files(&root, &plan)).await;
        checked.unwrap_or(Err(NotReproducible::NoFolder)).map_err(PipelineError::from)
    }
}

impl Reproductions {
    async fn check_data(
        &self,
        workspace: &Name,
        step: &StepName,
        known: &Circumstances,
    ) -> Result<(), PipelineError> {
        for (dataset, read) in &known.data {
            let found = match Name::new(dataset.clone()) {
                Ok(name) => self.reader.version(workspace, &name, Some(read.version)).await?,
                Err(_) => None,
            };
            if found.is_none_or(|version| version.digest != read.digest) {
                let (step, dataset, version) = (step.clone(), dataset.clone(), read.version);
                return Err(NotReproducible::NoData {
                    step,
                    dataset,
                    version,
                    digest: read.digest.to_string(),
                }
                .into());
            }
        }
        for (project, read) in &known.features {
            let found = match Name::new(project.clone()) {
                Ok(name) => self.reader.feature_definitions(workspace, &name).await?,
                Err(_) => None,
            };
            if found.is_none_or(|stored| stored.digest != read.digest) {
                let (step, project, revision) = (step.clone(), project.clone(), read.version);
                return Err(NotReproducible::OtherFeatures { step, project, revision }.into());
            }
        }
        Ok(())
    }
}

/// Whether the code is there that ran, and the files that no step of the run writes.
fn check_files(root: &Path, plan: &Plan) -> Result<(), NotReproducible> {
    if plan.computed.values().all(|known| known.code.is_none() && known.files.is_empty()) {
        return Ok(());
    }
    if !root.is_dir() {
        return Err(NotReproducible::NoFolder);
    }
    let here = code(root, &plan.definition);
    let written = |path: &String| {
        outs(&plan.definition).any(|out| {
            out == path || path.strip_prefix(out.as_str()).is_some_and(|below| below.starts_with('/'))
        })
    };
    for (step, known) in &plan.computed {
        if let Some(wanted) = known.code.as_ref().filter(|wanted| here.as_ref() != Some(*wanted)) {
            let found = match &here {
                None => "no repository".to_owned(),
                Some(here) if here.commit == wanted.commit => "that with changes".to_owned(),
                Some(here) => format!("commit {}", here.commit),
            };
            let (step, wanted) = (step.clone(), wanted.commit.clone());
            return Err(NotReproducible::OtherCode { step, wanted, found });
        }
        for (path, wanted) in known.files.iter().filter(|(path, _)| !written(path)) {
            let found = match digest_of(&root.join(path)) {
                Ok(digest) if digest == *wanted => continue,
                Ok(digest) => format!("it is {digest} now"),
                Err(_) => "it is not there".to_owned(),
            };
            let (step, path, wanted) = (step.clone(), path.clone(), wanted.to_string());
            return Err(NotReproducible::OtherFile { step, path, wanted, found });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mainstay_pipelines::definition::{Parameters, Source};

    use super::*;

    fn definition(text: &str) -> Definition {
        Source::parse(text).unwrap().resolve(&Parameters::default()).unwrap()
    }

    #[test]
    fn what_git_says_is_read() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let clean = format!("# branch.oid {commit}\n# branch.head main\n");
        assert_eq!(status(&clean), Some(CodeVersion { commit: commit.into(), dirty: false }));
        let changed = format!("{clean}1 .M N... 100644 100644 100644 a b train.py\n");
        assert!(status(&changed).unwrap().dirty);
        assert_eq!(status("# branch.oid (initial)\n"), None, "nothing is committed");
        assert_eq!(status(""), None);
    }

    #[test]
    fn what_git_said_holds_for_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let git = |words: &[&str]| {
            let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
            let done =
                Command::new("git").arg("-C").arg(folder.path()).args(who).args(words).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        git(&["init", "-q"]);
        git(&["commit", "-q", "--allow-empty", "-m", "first"]);
        let (last, silent) = (LastLook::default(), definition("stages: {a: {cmd: echo}}"));
        let at = |micros| last.code(folder.path(), &silent, MachineTime::from_micros(micros));
        let first = at(0);
        assert!(first.as_ref().is_some_and(|code| !code.dirty));
        git(&["commit", "-q", "--allow-empty", "-m", "second"]);
        assert_eq!(at(HOLDS - 1), first);
        let second = at(HOLDS);
        assert!(second.is_some() && second != first);
        let writes = definition("stages: {a: {cmd: echo, outs: [m]}}");
        assert_eq!(last.code(folder.path(), &writes, MachineTime::from_micros(HOLDS + 1)), second);
    }

    #[test]
    fn a_folder_tells_of_its_locks_and_a_stage_of_its_seed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("uv.lock"), "x").unwrap();
        assert_eq!(locks(folder.path()), [("uv.lock".to_owned(), Digest::of(b"x"))].into());
        let definition = definition("vars: [{lr: 1, seed: 7}]\nstages: {a: {cmd: echo}}");
        let stage = definition.stages.values().next().unwrap();
        assert_eq!(seed(stage, &definition), Some(Value::from(7)));
        let machine = hardware();
        assert!(machine.cores > 0 && !machine.os.is_empty() && !machine.arch.is_empty(), "{machine:?}");
    }

    #[test]
    fn a_file_that_changed_is_named_and_one_that_the_run_writes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("d.csv"), "1").unwrap();
        let text = "stages:\n  a:\n    cmd: a\n    outs: [m]\n  b:\n    cmd: b\n    deps: [d.csv, m/x]\n";
        let files = [("d.csv".to_owned(), Digest::of(b"1")), ("m/x".to_owned(), Digest::of(b"2"))].into();
        let known = Circumstances { files, ..Circumstances::default() };
        let step = StepName::new("b").unwrap();
        let plan = Plan { definition: definition(text), computed: [(step, known)].into() };
        assert_eq!(check_files(folder.path(), &plan), Ok(()));
        std::fs::write(folder.path().join("d.csv"), "2").unwrap();
        let refused = check_files(folder.path(), &plan).unwrap_err().to_string();
        assert!(refused.contains("d.csv") && refused.contains("now"), "{refused}");
        std::fs::remove_file(folder.path().join("d.csv")).unwrap();
        assert!(check_files(folder.path(), &plan).unwrap_err().to_string().contains("not there"));
    }
}
