//! From a request to an answer: rows, route, scores, record.
//!
//! Nothing here waits for a database or another process.

use std::cell::RefCell;
use std::collections::HashSet;

use mainstay_api::oip::per_row::PerRow;
use mainstay_api::oip::service::{InferAnswer, InferRequest, Receipt, RowAnswer};
use mainstay_core::id::PredictionId;
use mainstay_core::time::{DataTime, MachineTime, SECOND};
use mainstay_inference::{RunError, Scratch};
use mainstay_serving::record::{ArmFailure, ArmRole, ArmScore, PredictionRecord, ViewRead};
use mainstay_serving::revision::{Arm, Pinned, Revision, Role};
use mainstay_serving::schema::Violation;
use mainstay_serving::traffic::{Assignment, Link, NothingServed, Source, route};
use mainstay_serving::value::FeatureValue;

use super::Inner;
use super::columns::BuildError;
use super::error::PredictError;
use super::features::Given;
use super::journal::append_all;
use super::outputs::{self, Scored};
use super::rows::Rows;
use super::snapshot::{Loaded, Served};
use super::watermark;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The data time of a request that does not say when it happened: the instant at which it arrived. The
/// one place where machine time becomes data time, because here the arrival *is* the event.
const fn arrival(received: MachineTime) -> DataTime {
    DataTime::from_micros(received.micros())
}

/// Where one row goes.
#[derive(Debug, Clone, Copy)]
enum Way<'r> {
    /// By the endpoint's policy.
    Policy(Assignment<'r>),
    /// To the version that the request names, without a fallback.
    Named(&'r Arm),
}

impl Way<'_> {
    const fn assigned(&self) -> Pinned {
        match self {
            Self::Policy(assignment) => assignment.answering().pinned,
            Self::Named(arm) => arm.pinned,
        }
    }

    fn chain(&self) -> [Option<Link>; 3] {
        match self {
            Self::Policy(assignment) => {
                let mut links = assignment.chain();
                [links.next(), links.next(), links.next()]
            }
            Self::Named(arm) => [Some(Link { pinned: arm.pinned, source: Source::Assigned }), None, None],
        }
    }

    /// Whether `arm` scores the row: the answering one, every shadow, and every arm while a rollout runs.
    fn is_scored_by(&self, revision: &Revision, arm: &Arm) -> bool {
        match self {
            Self::Policy(assignment) => assignment.scoring().any(|scoring| scoring.pinned == arm.pinned),
            Self::Named(named) => revision.rollout.is_some() || !arm.answers() || arm.pinned == named.pinned,
        }
    }
}

/// One row on its way.
struct Ask<'r> {
    id: PredictionId,
    at: DataTime,
    way: Way<'r>,
    reads: Vec<ViewRead>,
    violations: Vec<Violation>,
}

/// Answers a request with what is loaded.
pub(super) fn infer(
    inner: &Inner,
    served: &Served,
    request: &InferRequest,
) -> Result<InferAnswer, PredictError> {
    let received = inner.clock.now();
    let champion = served.revision.champion().ok_or(NothingServed)?;
    let loaded = served.model(&champion.pinned).ok_or(PredictError::NoAnswer)?;
    let schema = &served.endpoint.schema;
    if request.inputs.is_empty() && request.entities.is_empty() {
        return Err(PredictError::NoInputs);
    }
    let hint = rows_of_parameters(request)?;
    let mut rows = Rows::gather(schema, &loaded.columns, &request.inputs, hint)?;
    let mut asks = asks(inner, served, request, rows.count(), received)?;
    look_up(served, request, &mut rows, &mut asks)?;
    for (ask, violations) in asks.iter_mut().zip(rows.check(schema)?) {
        ask.violations = violations;
    }
    let mut run = Run { inner, served, rows: &rows, scored: Vec::new(), refused: None };
    let answered = run.score(&asks);
    let Run { scored, refused, .. } = run;
    let records = asks.iter().zip(rows.iter()).zip(&answered).enumerate();
    let records = records.map(|(row, ((ask, values), answer))| {
        let place = RecordPlace { served, request, received, row, rows: rows.count() };
        place.record(ask, values, &scored, answer.map(|(arm, _)| arm))
    });
    let records: Vec<PredictionRecord> = records.collect();
    let latest = asks.iter().map(|ask| ask.at).max().unwrap_or(DataTime::MIN);
    let complete: Option<Vec<(usize, Link)>> = answered.iter().copied().collect();
    let Some(complete) = complete else {
        watermark::advance(&served.watermark, latest);
        append_all(&served.log, &records, request.durability);
        return Err(refused.map_or(PredictError::NoAnswer, PredictError::Run));
    };
    let answering: Vec<usize> = complete.iter().map(|(arm, _)| *arm).collect();
    let outputs = outputs::answer(scored, &answering).ok_or(PredictError::MixedOutputs)?;
    // First the watermark, then the log: whoever reads a record finds a watermark that knows of it.
    watermark::advance(&served.watermark, latest);
    let receipt: Receipt = append_all(&served.log, &records, request.durability);
    let row = |(ask, (_, link)): (&Ask<'_>, &(usize, Link))| RowAnswer {
        id: ask.id,
        version: link.pinned.version,
        source: link.source,
    };
    let rows: Vec<RowAnswer> = asks.iter().zip(&complete).map(row).collect();
    if !request.entities.is_empty() {
        served.by_keys.note(inner.clock.now().since(received), rows.len());
    }
    Ok(InferAnswer { revision: served.revision.number, outputs, rows, receipt })
}

/// How many rows a request has at most, before it is looked at closely.
pub(super) fn most_rows(request: &InferRequest) -> usize {
    let tensors = request.inputs.iter().filter_map(|tensor| tensor.shape.first().copied());
    let parameters = [
        request.data_time.as_ref().and_then(PerRow::rows),
        request.ids.as_ref().and_then(PerRow::rows),
        request.key.as_ref().and_then(PerRow::rows),
    ];
    let entities = request.entities.iter().filter_map(|(_, values)| values.rows());
    tensors.chain(parameters.into_iter().flatten()).chain(entities).max().unwrap_or(1)
}

/// How many rows the parameters speak of, if they speak of each; all must speak of equally many.
fn rows_of_parameters(request: &InferRequest) -> Result<Option<usize>, PredictError> {
    let mut count = None;
    let mut check = |what: &str, rows: Option<usize>| match rows {
        None => Ok(()),
        Some(given) => {
            let expected = *count.get_or_insert(given);
            let differs = || PredictError::RowCount { what: what.to_owned(), expected, given };
            if given == expected { Ok(()) } else { Err(differs()) }
        }
    };
    check("data_time", request.data_time.as_ref().and_then(PerRow::rows))?;
    check("prediction_id", request.ids.as_ref().and_then(PerRow::rows))?;
    check("key", request.key.as_ref().and_then(PerRow::rows))?;
    for (name, values) in &request.entities {
        check(name, values.rows())?;
    }
    Ok(count)
}

/// The ids of the rows: those that the request gives, or new ones.
fn ids(inner: &Inner, request: &InferRequest, count: usize) -> Result<Vec<PredictionId>, PredictError> {
    let given = match &request.ids {
        None => {
            let mut drawn = vec![0; 16 * count];
            inner.entropy.fill(&mut drawn);
            let bytes = drawn.as_chunks::<16>().0;
            return Ok(bytes.iter().map(|bytes| PredictionId::from_bytes(*bytes)).collect());
        }
        Some(PerRow::All(id)) => std::slice::from_ref(id),
        Some(PerRow::Each(ids)) => ids,
    };
    if given.len() != count {
        let (what, expected) = ("prediction_id".to_owned(), count);
        return Err(PredictError::RowCount { what, expected, given: given.len() });
    }
    let mut seen = HashSet::with_capacity(count);
    match given.iter().find(|id| !seen.insert(**id)) {
        Some(twice) => Err(PredictError::RepeatedId(*twice)),
        None => Ok(given.to_vec()),
    }
}

/// How far the clock of a client may be ahead of this machine's.
const AHEAD: i64 = 300 * SECOND;

/// Refuses an instant that nothing can have happened at yet. It would move the watermark there, and with
/// it everything that waits for data time: labels would mature, windows close and phases end unseen, and what
/// happens until then would come too late.
fn check_past(at: DataTime, received: MachineTime) -> Result<(), PredictError> {
    let latest = latest(received);
    if at <= latest { Ok(()) } else { Err(PredictError::Future { at, latest }) }
}

/// The latest instant of data that is taken at an instant of the machine's.
pub(super) const fn latest(received: MachineTime) -> DataTime {
    arrival(received).plus(AHEAD)
}

/// Draws the ids, reads the times and routes the rows.
fn asks<'r>(
    inner: &Inner,
    served: &'r Served,
    request: &InferRequest,
    count: usize,
    received: MachineTime,
) -> Result<Vec<Ask<'r>>, PredictError> {
    let named = match request.version {
        None => None,
        Some(version) => {
            let arms = served.revision.arms.iter();
            let mut answering = arms.filter(|arm| arm.answers() && arm.pinned.version == version);
            Some(answering.next().ok_or(PredictError::Version(version))?)
        }
    };
    let default = if request.data_time.is_none() { arrival(received) } else { DataTime::MIN };
    ids(inner, request, count)?
        .into_iter()
        .enumerate()
        .map(|(row, id)| -> Result<Ask<'r>, PredictError> {
            let key = request.key.as_ref().and_then(|keys| keys.get(row)).map(String::as_str);
            let way = match named {
                Some(arm) => Way::Named(arm),
                None => Way::Policy(route(&served.revision, key, &id)?),
            };
            let at = request.data_time.as_ref().and_then(|times| times.get(row)).copied().unwrap_or(default);
            check_past(at, received)?;
            Ok(Ask { id, at, way, reads: Vec::new(), violations: Vec::new() })
        })
        .collect()
}

/// Completes the rows of a request that carries entity keys from the stored features.
fn look_up(
    served: &Served,
    request: &InferRequest,
    rows: &mut Rows,
    asks: &mut [Ask<'_>],
) -> Result<(), PredictError> {
    if request.entities.is_empty() {
        return Ok(());
    }
    let missing = || PredictError::NoFeatures(served.endpoint.name.clone());
    let (_, features) = served.features.as_ref().ok_or_else(missing)?;
    let names: Vec<&str> = request.entities.iter().map(|(name, _)| name.as_str()).collect();
    let value = |name: &str, row: usize| {
        let given = request.entities.iter().find(|(known, _)| known == name);
        given.and_then(|(_, values)| values.get(row)).cloned().unwrap_or(FeatureValue::Null)
    };
    let times: Vec<DataTime> = asks.iter().map(|ask| ask.at).collect();
    let given = Given { names: &names, value: &value };
    let reads = features.complete(&given, &times, rows.iter_mut())?;
    for (ask, reads) in asks.iter_mut().zip(reads) {
        ask.reads = reads;
    }
    Ok(())
}

fn entity_keys(request: &InferRequest, row: usize) -> Vec<(String, FeatureValue)> {
    let value = |(name, values): &(String, PerRow<FeatureValue>)| {
        (name.clone(), values.get(row).cloned().unwrap_or(FeatureValue::Null))
    };
    request.entities.iter().map(value).collect()
}

/// The scoring of a request by the arms of an endpoint.
struct Run<'a> {
    inner: &'a Inner,
    served: &'a Served,
    rows: &'a Rows,
    scored: Vec<Scored>,
    /// Why the first model that refused the values did.
    refused: Option<RunError>,
}

impl Run<'_> {
    /// Lets every arm score that has to, and finds who answers each row: the position among the scored
    /// and the link of the chain. An arm that scores one row of a request scores all of them.
    fn score(&mut self, asks: &[Ask<'_>]) -> Vec<Option<(usize, Link)>> {
        let served = self.served;
        let revision = &served.revision;
        let mut arms: Vec<&Arm> = revision.arms.iter().collect();
        arms.retain(|arm| asks.iter().any(|ask| ask.way.is_scored_by(revision, arm)));
        // Those that answer come first, so that it is their refusal that is told.
        arms.sort_by_key(|arm| !asks.iter().any(|ask| ask.way.assigned() == arm.pinned));
        for arm in arms {
            let role = match arm.role {
                Role::Champion => ArmRole::Champion,
                Role::Shadow => ArmRole::Shadow,
                Role::Canary { .. } => ArmRole::Canary,
            };
            self.evaluate(arm.pinned, role);
        }
        asks.iter().map(|ask| self.answer(&ask.way)).collect()
    }

    fn answer(&mut self, way: &Way<'_>) -> Option<(usize, Link)> {
        way.chain().into_iter().flatten().find_map(|link| {
            let known = self.scored.iter().position(|scored| scored.pinned == link.pinned);
            let at = known.unwrap_or_else(|| {
                let role =
                    if link.source == Source::Previous { ArmRole::Previous } else { ArmRole::Champion };
                self.evaluate(link.pinned, role)
            });
            self.scored.get(at).is_some_and(|scored| scored.outputs.is_ok()).then_some((at, link))
        })
    }

    /// Lets one version score all rows; returns its position among the scored.
    fn evaluate(&mut self, pinned: Pinned, role: ArmRole) -> usize {
        let started = self.inner.clock.now();
        let loaded = self.served.model(&pinned);
        let outputs = loaded.ok_or(ArmFailure::NotLoaded).and_then(|loaded| self.run(loaded, pinned));
        let micros = self.inner.clock.now().since(started);
        // What is refused is refused fast, by a slow model too.
        if let (Some(loaded), Ok(_)) = (loaded, &outputs) {
            loaded.pace.note(micros, self.rows.count());
        }
        let latency_micros = u32::try_from(micros).unwrap_or(u32::MAX);
        self.scored.push(Scored { pinned, role, latency_micros, outputs });
        self.scored.len() - 1
    }

    fn run(
        &mut self,
        loaded: &Loaded,
        pinned: Pinned,
    ) -> Result<Vec<(String, mainstay_inference::Tensor)>, ArmFailure> {
        let built = loaded.columns.build(self.rows).map_err(|error: BuildError| {
            tracing::debug!(version = pinned.version, %error, "an arm cannot take the request");
            ArmFailure::Failed
        })?;
        let inputs: Vec<&mainstay_inference::Tensor> = built.iter().collect();
        let given = SCRATCH.with_borrow_mut(|scratch| {
            let given = loaded.model.run_ordered(&inputs, scratch);
            given.map(|all| all.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect())
        });
        given.map_err(|error: RunError| {
            tracing::debug!(version = pinned.version, %error, "an arm failed on a request");
            self.refused.get_or_insert(error);
            ArmFailure::Failed
        })
    }
}

/// Where a record belongs.
struct RecordPlace<'a> {
    served: &'a Served,
    request: &'a InferRequest,
    received: MachineTime,
    row: usize,
    rows: usize,
}

impl RecordPlace<'_> {
    fn record(
        &self,
        ask: &Ask<'_>,
        values: &[FeatureValue],
        scored: &[Scored],
        answered: Option<usize>,
    ) -> PredictionRecord {
        let arms = scored.iter().map(|scored| ArmScore {
            version: scored.pinned.version,
            role: scored.role,
            latency_micros: scored.latency_micros,
            outcome: match &scored.outputs {
                Ok(outputs) => Ok(outputs::scores(outputs, self.row, self.rows)),
                Err(failure) => Err(*failure),
            },
        });
        let assigned = ask.way.assigned();
        let assigned = scored.iter().position(|scored| scored.pinned == assigned).unwrap_or_default();
        // MAX_ARMS and one fallback keep every position within u8.
        let small = |at: usize| u8::try_from(at).unwrap_or(u8::MAX);
        PredictionRecord {
            id: ask.id,
            endpoint: self.served.endpoint.name.clone(),
            revision: self.served.revision.number,
            at: ask.at,
            received: self.received,
            sticky_key: self.request.key.as_ref().and_then(|keys| keys.get(self.row)).cloned(),
            entity_keys: entity_keys(self.request, self.row),
            features: values.to_vec(),
            reads: ask.reads.clone(),
            arms: arms.collect(),
            assigned: small(assigned),
            answered: answered.map(small),
            violations: ask.violations.clone(),
        }
    }
}
