//! The import as a whole: what would come, bringing it, and the proof.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::entropy::Entropy;
use mainstay_core::name::Name;
use mainstay_core::object::Objects;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::Clock;
use mainstay_gateway::import::ImportedSecret;
use mainstay_gateway::port::KeyHolder;
use mainstay_registry::port::RegistryReader as _;
use mainstay_store::reader::Reader;
use mainstay_tracking::port::TrackingReader as _;
use mainstay_tracking::text::Overlong;
use serde::Serialize;
use serde_json::{Value, json};

use crate::artifacts::{Copier, measure};
use crate::command::{Contents, ImportPage, ImportTx};
use crate::error::ImportError;
use crate::finding::Finding;
use crate::progress::Meter;
use crate::source::gateway::OpenedSecret;
use crate::source::{Page, Stock};
use crate::state::{Files, Position, Stage, State};
use crate::verify::{Compared, Comparison, Verifier};

/// Where things are brought: a database that nobody else writes meanwhile.
pub struct Target {
    /// Where it is read.
    pub reader: Reader,
    /// Where it is written.
    pub commands: Commands<dyn ImportTx>,
    /// Artifacts.
    pub objects: Arc<dyn Objects>,
    /// Machine time.
    pub clock: Arc<dyn Clock>,
    /// Holds the key that the gateway's secrets are sealed under.
    pub keys: Arc<dyn KeyHolder>,
    /// What sealing draws from.
    pub entropy: Arc<dyn Entropy>,
    /// Who imports.
    pub principal: Principal,
}

/// What was brought.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Both sides, kind by kind.
    pub kinds: BTreeMap<&'static str, Compared>,
    /// How many files were copied, how many bytes, and the digest over them.
    pub files: (u64, u64, String),
    /// How many things were left out.
    pub left_out: u64,
}

/// An import that can be looked at, begun and gone on with.
pub struct Importer<'a> {
    stock: Stock,
    target: Target,
    workspaces: Vec<Name>,
    leave_out: bool,
    /// How many secrets could be opened: with other keys an import does not go on as it began.
    opened: u64,
    say: &'a (dyn Fn(String) + Send + Sync),
}

impl<'a> Importer<'a> {
    /// Of an open database into a target. `leave_out` is the decision on what cannot be kept; progress goes to
    /// `say`, a line at a time.
    pub async fn new(
        mut stock: Stock,
        target: Target,
        leave_out: bool,
        say: &'a (dyn Fn(String) + Send + Sync),
    ) -> Result<Self, ImportError> {
        let workspaces = stock.workspaces().await?;
        let opened = stock.opened(&workspaces).await?;
        Ok(Self { stock, target, workspaces, leave_out, opened, say })
    }

    /// The workspaces that have anything; they must be there.
    pub fn workspaces(&self) -> &[Name] {
        &self.workspaces
    }

    /// The options that decide what is written.
    fn options(&self) -> Value {
        let is_cut = self.stock.rules.overlong == Overlong::Truncate;
        json!({"artifacts": self.stock.rules.artifacts, "truncate": is_cut, "leave_out": self.leave_out,
            "secrets_opened": self.opened})
    }

    /// How far this import is, if it was begun.
    async fn begun(&mut self) -> Result<Option<State>, ImportError> {
        let state = self.target.reader.import(&self.stock.name).await?;
        let state: Option<State> =
            state.map(|text| serde_json::from_str(&text).map_err(ImportError::state)).transpose()?;
        let Some(state) = state else { return Ok(None) };
        if state.options != self.options() {
            return Err(ImportError::OtherOptions(state.options.to_string()));
        }
        let now = self.stock.inventory().await?;
        let changed = now.iter().find(|(kind, count)| state.inventory.get(*kind) != Some(count));
        match changed {
            Some((kind, _)) => Err(ImportError::Changed(self.stock.name.clone(), kind.clone())),
            None => Ok(Some(state)),
        }
    }

    /// Brings everything, goes on where it was if it was begun before, and proves it.
    pub async fn run(&mut self) -> Result<Summary, ImportError> {
        let mut state = match self.begun().await? {
            Some(state) => {
                (self.say)(format!("going on with the import from {}", self.stock.name));
                state
            }
            None => self.begin().await?,
        };
        while let Some(workspace) = self.workspaces.get(state.position.workspace).cloned() {
            while let Some(stage) = Stage::ALL.get(state.position.stage).copied() {
                self.bring(&workspace, stage, &mut state).await?;
                state.position = Position { stage: state.position.stage + 1, after: None, ..state.position };
                self.write(&workspace, Contents::Milestone(None), Vec::new(), &state).await?;
            }
            state.position = Position { workspace: state.position.workspace + 1, ..Position::default() };
            self.write(&workspace, Contents::Milestone(None), Vec::new(), &state).await?;
        }
        self.copy_files(&mut state).await?;
        Box::pin(self.prove(state)).await
    }

    async fn begin(&mut self) -> Result<State, ImportError> {
        for workspace in &self.workspaces {
            let is_used = !self.target.reader.experiments(workspace).await?.is_empty()
                || !self.target.reader.models_after(workspace, None, 1).await?.is_empty();
            if is_used {
                return Err(ImportError::Used);
            }
        }
        let preview = self.stock.preview(&self.workspaces).await?;
        if preview.findings.count > 0 && !self.leave_out {
            preview.findings.told.iter().for_each(|finding| (self.say)(finding.to_string()));
            return Err(ImportError::Unfit(preview.findings.count));
        }
        let left_behind = self.stock.left_behind().await?;
        let mut state = State::new(preview.inventory, self.options());
        state.left_out = left_behind.len() as u64;
        let body = json!({
            "source": self.stock.name,
            "revision": self.stock.revision,
            "rows": state.inventory,
            "options": state.options,
        });
        let started = Contents::Milestone(Some(("import.started", body)));
        self.write(&default_workspace(), started, left_behind, &state).await?;
        Ok(state)
    }

    async fn write(
        &self,
        workspace: &Name,
        contents: Contents,
        left_out: Vec<Finding>,
        state: &State,
    ) -> Result<(), ImportError> {
        let state = serde_json::to_string(state).map_err(ImportError::state)?;
        let (workspace, source) = (workspace.clone(), self.stock.name.clone());
        let page = ImportPage { workspace, source, contents, left_out, state };
        Ok(self.target.commands.run(&self.target.principal, page).await?)
    }

    /// Brings the rest of one stage of one workspace.
    async fn bring(
        &mut self,
        workspace: &Name,
        stage: Stage,
        progress: &mut State,
    ) -> Result<(), ImportError> {
        let kind = stage.words();
        let done = progress.done.get(kind).copied().unwrap_or_default();
        let total = progress.inventory.get(kind).copied().unwrap_or_default();
        let (say, clock) = (self.say, Arc::clone(&self.target.clock));
        let mut meter = Meter::start(say, &*clock, kind, (done, total));
        while let Some(read) = self.read(workspace, stage, &progress.position).await? {
            let Read { contents, count, findings, after } = read;
            progress.position.after = Some(after);
            progress.count(kind, count);
            progress.left_out += findings.len() as u64;
            self.write(workspace, contents, findings, progress).await?;
            meter.add(count);
        }
        meter.end();
        Ok(())
    }

    /// The next page of a stage; `None` at its end.
    async fn read(
        &mut self,
        workspace: &Name,
        stage: Stage,
        position: &Position,
    ) -> Result<Option<Read>, ImportError> {
        let stock = &mut self.stock;
        match stage {
            Stage::Experiments => {
                read(stock.experiments(workspace, position.key()?).await?, Contents::Experiments, one)
            }
            Stage::Runs => read(stock.runs(workspace, position.key()?).await?, Contents::Runs, one),
            Stage::Points => {
                let points = |series: &mainstay_tracking::import::Series| series.points.len() as u64;
                read(stock.points(workspace, position.key()?).await?, Contents::Points, points)
            }
            Stage::LoggedModels => {
                read(stock.logged_models(workspace, position.key()?).await?, Contents::LoggedModels, one)
            }
            Stage::Models => read(stock.models(workspace, position.key()?).await?, Contents::Models, one),
            Stage::Versions => {
                read(stock.versions(workspace, position.key()?).await?, Contents::Versions, one)
            }
            Stage::Traces => read(stock.traces(workspace, position.key()?).await?, Contents::Traces, one),
            Stage::Datasets => {
                read(stock.datasets(workspace, position.key()?).await?, Contents::Datasets, one)
            }
            Stage::Records => read(stock.records(workspace, position.key()?).await?, Contents::Records, one),
            Stage::Secrets => {
                let page = stock.secrets(workspace, position.key()?).await?;
                read(self.sealed(page).await?, Contents::Secrets, one)
            }
            Stage::ModelDefinitions => {
                let page = stock.model_definitions(workspace, position.key()?).await?;
                read(page, Contents::ModelDefinitions, one)
            }
            Stage::Endpoints => {
                read(stock.endpoints(workspace, position.key()?).await?, Contents::Endpoints, one)
            }
            Stage::Scorers => read(stock.scorers(workspace, position.key()?).await?, Contents::Scorers, one),
            Stage::Issues => read(stock.issues(workspace, position.key()?).await?, Contents::Issues, one),
            Stage::Webhooks => {
                read(stock.webhooks(workspace, position.key()?).await?, Contents::Webhooks, one)
            }
            Stage::Aliases => {
                let mut page = stock.models(workspace, position.key()?).await?;
                // They were told with the models.
                page.findings.clear();
                let aliases = |model: &mainstay_registry::model::ModelDetail| model.aliases.len() as u64;
                read(page, Contents::Aliases, aliases)
            }
        }
    }

    /// Seals secrets under this server's key.
    async fn sealed(
        &self,
        page: Page<OpenedSecret, String>,
    ) -> Result<Page<ImportedSecret, String>, ImportError> {
        let mut items = Vec::with_capacity(page.items.len());
        for OpenedSecret { secret, credentials } in page.items {
            let key = self.target.keys.key().await?;
            let sealed = credentials.seal(secret.id, &key, &*self.target.entropy)?;
            items.push(ImportedSecret { secret, sealed });
        }
        Ok(Page { items, findings: page.findings, last: page.last })
    }

    async fn copy_files(&mut self, state: &mut State) -> Result<(), ImportError> {
        let roots = self.stock.rules.artifacts.roots.clone();
        let mut total = 0;
        for root in &roots {
            total += measure(root, &mut |_| {})?.count;
        }
        let (say, clock) = (self.say, Arc::clone(&self.target.clock));
        let mut meter = Meter::start(say, &*clock, "files", (state.files.count, total));
        while let Some(root) = roots.get(state.files.root) {
            let mut copier = Copier::begin(root.clone(), Arc::clone(&self.target.objects))?;
            while let Some(page) = copier.page(&state.files).await? {
                let (done, files) = (page.files.clone(), &mut state.files);
                files.count += done.count;
                files.bytes += done.bytes;
                files.digest = done.digest;
                files.after = page.last.or_else(|| files.after.take());
                state.left_out += page.left_out.len() as u64;
                self.write(&default_workspace(), Contents::Files(page.files), page.left_out, state).await?;
                meter.add(done.count);
            }
            state.files = Files { root: state.files.root + 1, after: None, ..state.files.clone() };
            self.write(&default_workspace(), Contents::Milestone(None), Vec::new(), state).await?;
        }
        meter.end();
        Ok(())
    }

    /// Compares both sides, and puts the result on the record.
    async fn prove(&mut self, mut state: State) -> Result<Summary, ImportError> {
        (self.say)("comparing both sides".to_owned());
        let (say, clock) = (self.say, Arc::clone(&self.target.clock));
        let total = state.done.values().sum();
        let mut meter = Meter::start(say, &*clock, "compared", (0, total));
        let mut tell = |_: &'static str, more| meter.add(more);
        let ours = (&self.target.reader, &*self.target.keys);
        let verifier = Verifier::new(&mut self.stock, ours, &mut tell);
        let comparison = Box::pin(verifier.run(&self.workspaces)).await?;
        if !comparison.is_good() {
            comparison.differences.told.iter().for_each(|finding| (self.say)(finding.to_string()));
            return Err(ImportError::Differs("the comparison failed"));
        }
        let Comparison { kinds, .. } = comparison;
        let Files { count, bytes, digest, .. } = state.files.clone();
        let summary = Summary { kinds, files: (count, bytes, digest), left_out: state.left_out };
        if !state.is_verified {
            state.is_verified = true;
            let body = json!({
                "source": self.stock.name,
                "kinds": summary.kinds,
                "files": {"count": count, "bytes": bytes, "digest": summary.files.2},
                "left_out": summary.left_out,
            });
            let milestone = Contents::Milestone(Some(("import.verified", body)));
            self.write(&default_workspace(), milestone, Vec::new(), &state).await?;
        }
        Ok(summary)
    }
}

/// A page on its way from one side to the other.
struct Read {
    contents: Contents,
    count: u64,
    findings: Vec<Finding>,
    after: Value,
}

const fn one<T>(_: &T) -> u64 {
    1
}

fn read<T, K: Serialize>(
    page: Page<T, K>,
    contents: fn(Vec<T>) -> Contents,
    weight: impl Fn(&T) -> u64,
) -> Result<Option<Read>, ImportError> {
    let Some(last) = page.last else { return Ok(None) };
    let after = serde_json::to_value(last).map_err(ImportError::state)?;
    let count = page.items.iter().map(weight).sum();
    Ok(Some(Read { contents: contents(page.items), count, findings: page.findings, after }))
}
