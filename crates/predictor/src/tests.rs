//! The predictor from the event log to the prediction log, over real scikit-learn models.

mod definitions;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mainstay_api::native::labels::{Kept, LabelSink as _};
use mainstay_api::oip::per_row::PerRow;
use mainstay_api::oip::service::{Durability, InferRequest, InferenceService as _, Receipt, Refusal};
use mainstay_api::oip::tensor::{Data, Tensor};
use mainstay_core::digest::Digest;
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::error::{Coded as _, ErrorCode, StorageError};
use mainstay_core::event::{EventLog, EventQuery, EventSeq, RecordedEvent};
use mainstay_core::id::{PredictionId, RolloutId};
use mainstay_core::name::Name;
use mainstay_core::object::ByteStream;
use mainstay_core::page::{Page, PageRequest};
use mainstay_core::principal::Actor;
use mainstay_core::scope::{ResourceKind, Subject, default_workspace};
use mainstay_core::time::{DataTime, MachineTime, ManualClock, SECOND};
use mainstay_data::schema::Column;
use mainstay_objects::LocalObjects;
use mainstay_segments::log::Cursor;
use mainstay_segments::online::{OnlineStore, Options};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::label::{Label, LabelValue};
use mainstay_serving::port::ServingStore;
use mainstay_serving::record::{ArmFailure, ArmRole, PredictionRecord};
use mainstay_serving::revision::{Arm, BasisPoints, Pinned, Revision, RevisionDraft, Role};
use mainstay_serving::rollout::Rollout;
use mainstay_serving::schema::{FeatureKind, FeatureSpec, InputSchema, Range};
use mainstay_serving::segment::{SealedSegment, SegmentKind};
use mainstay_serving::traffic::Source;
use mainstay_serving::value::FeatureValue;
use tempfile::TempDir;
use tokio::sync::watch;

use super::maintain::{SegmentRegistry, Upkeep};
use super::{FeatureSource, Ports, Predictor, Sources};

fn fixture(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../inference/tests/reference/models").join(file)
}

fn iris() -> Name {
    Name::new("iris").unwrap()
}

/// The record, in memory: endpoints and the events about them.
struct Record {
    endpoints: Mutex<Vec<(Endpoint, Revision)>>,
    events: Mutex<Vec<RecordedEvent>>,
    definitions: Mutex<Option<String>>,
    head: watch::Sender<EventSeq>,
}

impl Record {
    fn put(&self, endpoint: &Endpoint, revision: &Revision) {
        let mut endpoints = self.endpoints.lock().unwrap();
        endpoints.retain(|(known, _)| known.name != endpoint.name);
        endpoints.push((endpoint.clone(), revision.clone()));
        let mut events = self.events.lock().unwrap();
        let seq = EventSeq(events.len() as u64 + 1);
        events.push(RecordedEvent {
            seq,
            at: MachineTime::default(),
            kind: "endpoint.revised".to_owned(),
            actor: Actor::system("test"),
            workspace: default_workspace(),
            subject: Subject::new(ResourceKind::Endpoint, &endpoint.name),
            body: None,
        });
        self.head.send_replace(seq);
    }
}

#[async_trait]
impl EventLog for Record {
    async fn read(&self, query: &EventQuery) -> Result<Vec<RecordedEvent>, StorageError> {
        let events = self.events.lock().unwrap();
        let wanted =
            |e: &&RecordedEvent| e.seq > query.after && query.kind.as_ref().is_none_or(|k| *k == e.kind);
        Ok(events.iter().filter(wanted).take(query.limit).cloned().collect())
    }
    fn head(&self) -> watch::Receiver<EventSeq> {
        self.head.subscribe()
    }
}

#[async_trait]
impl ServingStore for Record {
    async fn endpoint(&self, _: &Name, name: &Name) -> Result<Option<(Endpoint, Revision)>, StorageError> {
        Ok(self.endpoints.lock().unwrap().iter().find(|(endpoint, _)| endpoint.name == *name).cloned())
    }
    async fn endpoints(&self, _: &Name, _: &PageRequest) -> Result<Page<(Endpoint, Revision)>, StorageError> {
        Ok(Page { items: self.endpoints.lock().unwrap().clone(), next: None })
    }
    async fn revisions(&self, _: &Name, _: &Name, _: &PageRequest) -> Result<Page<Revision>, StorageError> {
        Ok(Page { items: Vec::new(), next: None })
    }
    async fn rollouts(&self, _: &Name, _: &Name, _: &PageRequest) -> Result<Page<Rollout>, StorageError> {
        Ok(Page { items: Vec::new(), next: None })
    }
    async fn rollout(&self, _: &Name, _: &RolloutId) -> Result<Option<Rollout>, StorageError> {
        Ok(None)
    }
    async fn segments(
        &self,
        _: &Name,
        _: SegmentKind,
        _: &PageRequest,
    ) -> Result<Page<SealedSegment>, StorageError> {
        Ok(Page { items: Vec::new(), next: None })
    }
}

#[async_trait]
impl FeatureSource for Record {
    async fn definitions(&self, _: &Name, _: &Name) -> Result<Option<String>, StorageError> {
        Ok(self.definitions.lock().unwrap().clone())
    }
    async fn columns(&self, _: &Name, _: &Name) -> Result<Vec<Column>, StorageError> {
        Ok(Vec::new())
    }
}

struct Bench {
    dir: TempDir,
    record: Arc<Record>,
    sources: Sources,
    predictor: Predictor,
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (head, _) = watch::channel(EventSeq(0));
        let record = Arc::new(Record {
            endpoints: Mutex::default(),
            events: Mutex::default(),
            definitions: Mutex::default(),
            head,
        });
        let objects = LocalObjects::open(dir.path().join("artifacts"), Arc::new(SeededEntropy::new(2))).await;
        let sources = Sources {
            events: record.clone(),
            store: record.clone(),
            objects: Arc::new(objects.unwrap()),
            definitions: record.clone(),
        };
        let predictor = open(dir.path()).await;
        Self { dir, record, sources, predictor }
    }

    /// Puts a model where the follower finds it.
    async fn model(&self, version: u64, file: &str) -> Pinned {
        let bytes = std::fs::read(fixture(file)).unwrap();
        let digest = Digest::of(&bytes);
        self.object(digest, bytes).await;
        Pinned { version, digest }
    }

    async fn object(&self, digest: Digest, bytes: Vec<u8>) {
        let path = format!("models/{}/model.onnx", digest.hex()).parse().unwrap();
        let stream: ByteStream = Box::pin(futures::stream::iter([Ok(bytes.into())]));
        self.sources.objects.put(&path, stream, 1 << 30).await.unwrap();
    }

    async fn publish(&self, revision: &Revision) {
        self.record.put(&endpoint(), revision);
        self.predictor.catch_up(&self.sources).await.unwrap();
    }

    /// An endpoint whose champion is the decision tree.
    async fn serving() -> (Self, Revision) {
        let bench = Self::new().await;
        let champion = bench.model(1, "decision_tree.onnx").await;
        let revision = first().with_arms(RevisionDraft::champion(champion), None).unwrap();
        bench.publish(&revision).await;
        (bench, revision)
    }

    fn records(&self) -> Vec<PredictionRecord> {
        records(&self.predictor)
    }
}

async fn open(dir: &Path) -> Predictor {
    let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(77)));
    let (online, _) = OnlineStore::open(&dir.join("online"), Options::default()).unwrap();
    let ports = Ports { clock, entropy: Arc::new(SeededEntropy::new(1)), online: Arc::new(online) };
    Predictor::open(&dir.join("segments"), ports).await.unwrap()
}

fn records(predictor: &Predictor) -> Vec<PredictionRecord> {
    let log = predictor.log(SegmentKind::Predictions, &default_workspace()).unwrap();
    let mut reader = log.read_from(Cursor::START);
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        records.push(PredictionRecord::decode(record.payload).unwrap());
    }
    records
}

fn endpoint() -> Endpoint {
    let feature = |name: &str| FeatureSpec {
        name: name.to_owned(),
        kind: FeatureKind::Float,
        nullable: name == "petal_width",
        range: (name == "sepal_length").then_some(Range { min: 0.0, max: 10.0 }),
    };
    let names = ["sepal_length", "sepal_width", "petal_length", "petal_width"];
    Endpoint {
        name: iris(),
        model: iris(),
        governed: false,
        features: None,
        day_offset_micros: 0,
        schema: InputSchema::new(names.map(feature).to_vec()).unwrap(),
        labels: None,
        retraining: Vec::new(),
    }
}

fn first() -> Revision {
    Revision::first(iris(), endpoint().policy_digest())
}

fn request(inputs: Vec<Tensor>) -> InferRequest {
    InferRequest {
        workspace: default_workspace(),
        endpoint: "iris".to_owned(),
        version: None,
        inputs,
        data_time: None,
        ids: None,
        key: None,
        entities: Vec::new(),
        durability: Durability::Written,
    }
}

fn matrix(values: &[f32]) -> Vec<Tensor> {
    vec![Tensor {
        name: "X".to_owned(),
        shape: [values.len() / 4, 4].as_slice().into(),
        data: Data::F32(values.to_vec()),
    }]
}

const ROW: [f32; 4] = [6.1, 2.8, 4.0, 1.3];

#[tokio::test]
async fn it_follows_answers_logs_and_starts_again_without_the_record() {
    let (bench, _) = Bench::serving().await;
    let reference: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixture("decision_tree.json")).unwrap()).unwrap();
    let data = reference["inputs"][0]["data"].as_array().unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "the reference's values are f32")]
    let values: Vec<f32> = data.iter().map(|v| v.as_f64().unwrap() as f32).collect();
    let labels: Vec<i64> =
        reference["outputs"][0]["data"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
    let times: Vec<DataTime> = (1..=24).map(DataTime::from_micros).collect();
    let asked = InferRequest { data_time: Some(PerRow::Each(times)), ..request(matrix(&values)) };
    let answer = bench.predictor.infer(&asked).unwrap();
    assert_eq!(answer.outputs[0].data, Data::I64(labels));
    assert_eq!((answer.revision, answer.receipt, answer.rows.len()), (2, Receipt::Written, 24));
    let ids: Vec<PredictionId> = answer.rows.iter().map(|row| row.id).collect();
    let logged = bench.records();
    assert_eq!(logged.iter().map(|record| record.id).collect::<Vec<_>>(), ids);
    let probabilities = logged[3].arms[0].outcome.as_ref().unwrap();
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-6 && probabilities.len() == 3);
    assert_eq!(
        (logged[3].at, logged[3].revision, logged[3].answered),
        (DataTime::from_micros(4), 2, Some(0))
    );
    assert_eq!(bench.predictor.watermark(&default_workspace(), &iris()), Some(DataTime::from_micros(24)));
    let digest = bench.predictor.status().digest;

    let Bench { dir, predictor, sources, .. } = bench;
    drop((predictor, sources));
    std::fs::remove_dir_all(dir.path().join("artifacts")).unwrap();
    let again = open(dir.path()).await;
    assert!(again.is_ready());
    assert_eq!(again.status().digest, digest);
    assert_eq!(again.watermark(&default_workspace(), &iris()), Some(DataTime::from_micros(24)));
    let answer = again.infer(&request(matrix(&ROW))).unwrap();
    assert_eq!(records(&again).len(), 25);
    // Nobody said when it happened, so it happened when it arrived.
    assert_eq!(records(&again)[24].at, DataTime::from_micros(77));
    assert!(!ids.contains(&answer.rows[0].id));
}

#[tokio::test]
async fn features_by_name_are_the_matrix_and_missing_ones_are_null() {
    let (bench, _) = Bench::serving().await;
    let column = |name: &str, value: f64| Tensor {
        name: name.to_owned(),
        shape: [1, 1].as_slice().into(),
        data: Data::F64(vec![value]),
    };
    let names = ["petal_length", "sepal_width", "sepal_length"];
    let by_name = names.iter().zip([4.0, 2.8, 61.0]).map(|(name, value)| column(name, value)).collect();
    let answer = bench.predictor.infer(&request(by_name)).unwrap();
    let whole = bench.predictor.infer(&request(matrix(&[61.0, 2.8, 4.0, f32::NAN]))).unwrap();
    assert_eq!(answer.outputs, whole.outputs);
    let logged = bench.records();
    assert_eq!(logged[0].features[3], FeatureValue::Null);
    assert_eq!(logged[1].features[3], FeatureValue::Null);
    assert_eq!(logged[0].violations.len(), 1);
    assert_eq!(logged[0].violations[0].feature, 0);
}

/// Five minutes and a microsecond after the clock's instant.
const TOO_LATE: DataTime = DataTime::from_micros(77 + 300 * SECOND + 1);

fn id(byte: u8) -> PredictionId {
    PredictionId::from_bytes([byte; 16])
}

#[expect(clippy::unnecessary_wraps, reason = "as the field has it")]
fn ids(bytes: &[u8]) -> Option<PerRow<PredictionId>> {
    Some(PerRow::Each(bytes.iter().copied().map(id).collect()))
}

#[tokio::test]
async fn a_client_that_lost_the_answer_asks_again_with_the_same_ids() {
    let (bench, _) = Bench::serving().await;
    let latest = Some(PerRow::All(TOO_LATE.plus(-1)));
    let asked = InferRequest { ids: ids(&[1, 2]), data_time: latest, ..request(matrix(&ROW.repeat(2))) };
    let (first, again) = (bench.predictor.infer(&asked).unwrap(), bench.predictor.infer(&asked).unwrap());
    assert_eq!(first, again);
    let logged: Vec<_> = bench.records().iter().map(|record| record.id).collect();
    assert_eq!(logged, [id(1), id(2), id(1), id(2)]);
    let one = InferRequest { ids: Some(PerRow::All(id(3))), ..request(matrix(&ROW)) };
    assert_eq!(bench.predictor.infer(&one).unwrap().rows[0].id, id(3));
}

#[tokio::test]
async fn requests_that_do_not_fit_are_refused_and_leave_no_record() {
    let (bench, _) = Bench::serving().await;
    let tensor = |name: &str, shape: &[usize], data: Data| {
        vec![Tensor { name: name.to_owned(), shape: shape.into(), data }]
    };
    let each = |n: i64| Some(PerRow::Each((0..n).map(DataTime::from_micros).collect()));
    let twice = [matrix(&ROW), tensor("sepal_width", &[1], Data::F64(vec![1.0]))].concat();
    let cases = [
        (request(tensor("Y", &[1, 4], Data::F32(ROW.to_vec()))), "no input 'Y'; it takes: X"),
        (request(tensor("X", &[1, 3], Data::F32(vec![1.0; 3]))), "must have shape [-1, 4]"),
        (request(tensor("X", &[0, 4], Data::F32(vec![]))), "at least one row"),
        (request(matrix(&[f32::NAN, 1.0, 1.0, 1.0])), "'sepal_length' needs a value"),
        (request(matrix(&[f32::INFINITY, 1.0, 1.0, 1.0])), "must be finite"),
        (request(tensor("X", &[1, 4], Data::Text(vec!["a".into(); 4]))), "takes a number"),
        (request(twice), "another input has given already"),
        (request(Vec::new()), "neither inputs nor"),
        (
            InferRequest { data_time: each(2), ..request(matrix(&ROW)) },
            "1 rows where the rest of the request has 2",
        ),
        (
            InferRequest { data_time: Some(PerRow::All(TOO_LATE)), ..request(matrix(&ROW)) },
            "1970-01-01T00:05:00.000078Z has not come",
        ),
        (
            InferRequest { ids: ids(&[1, 2]), ..request(matrix(&ROW)) },
            "1 rows where the rest of the request has 2",
        ),
        (InferRequest { ids: ids(&[1, 1]), ..request(matrix(&ROW.repeat(2))) }, "is given to two rows"),
        (
            InferRequest { ids: Some(PerRow::All(id(1))), ..request(matrix(&ROW.repeat(2))) },
            "'prediction_id' has 1 rows",
        ),
        (InferRequest { version: Some(9), ..request(matrix(&ROW)) }, "version 9 does not answer"),
        (InferRequest { endpoint: "rose".to_owned(), ..request(matrix(&ROW)) }, "no endpoint 'rose'"),
        (
            InferRequest {
                entities: vec![("k".to_owned(), PerRow::All(FeatureValue::Integer(1)))],
                ..request(matrix(&ROW))
            },
            "no feature service",
        ),
    ];
    for (request, sentence) in cases {
        let error = bench.predictor.infer(&request).unwrap_err();
        assert!(error.to_string().contains(sentence), "{error}");
        assert!(error.code().class().http_status() < 500, "{error:?}");
    }
    assert_eq!(bench.records(), []);
    assert_eq!(bench.predictor.watermark(&default_workspace(), &iris()), None);
}

#[tokio::test]
async fn while_a_rollout_runs_both_versions_score_every_row() {
    let (bench, revision) = Bench::serving().await;
    let candidate = bench.model(2, "extra_trees.onnx").await;
    let half = Role::Canary { weight: BasisPoints::new(5_000).unwrap() };
    let champion = revision.champion().unwrap().pinned;
    let draft = RevisionDraft::pair(champion, Arm::new(candidate, half));
    let rolling = revision.with_arms(draft, Some(RolloutId::from_bytes([4; 16]))).unwrap();
    bench.publish(&rolling).await;
    let keys: Vec<String> = (0..40).map(|n| format!("key-{n}")).collect();
    let asked = InferRequest { key: Some(PerRow::Each(keys)), ..request(matrix(&ROW.repeat(40))) };
    let answer = bench.predictor.infer(&asked).unwrap();
    let canaries = answer.rows.iter().filter(|row| row.version == 2).count();
    assert!((5..35).contains(&canaries), "{canaries}");
    let logged = bench.records();
    assert!(logged.iter().all(|record| record.arms.len() == 2 && !record.fell_back()));
    let Data::F32(probabilities) = &answer.outputs[1].data else { panic!() };
    for (row, record) in logged.iter().enumerate() {
        let given = record.answer().unwrap();
        assert_eq!(given.version, answer.rows[row].version);
        let scores: Vec<f64> = probabilities[row * 3..][..3].iter().map(|v| f64::from(*v)).collect();
        assert_eq!(given.outcome.as_ref().unwrap(), &scores);
    }
    // Sticky: the same keys alone go where they went together.
    for (n, row) in answer.rows.iter().enumerate() {
        let alone = InferRequest { key: Some(PerRow::All(format!("key-{n}"))), ..request(matrix(&ROW)) };
        assert_eq!(bench.predictor.infer(&alone).unwrap().rows[0].version, row.version);
    }
    let named = InferRequest { version: Some(2), ..request(matrix(&ROW)) };
    assert_eq!(bench.predictor.infer(&named).unwrap().rows[0].version, 2);
}

#[tokio::test]
async fn an_arm_that_fails_never_hurts_the_answer() {
    let (bench, revision) = Bench::serving().await;
    let candidate = bench.model(2, "extra_trees.onnx").await;
    let champion = revision.champion().unwrap().pinned;
    let all = Role::Canary { weight: BasisPoints::WHOLE };
    let draft = RevisionDraft::pair(champion, Arm::new(candidate, all));
    bench.publish(&revision.with_arms(draft, Some(RolloutId::from_bytes([4; 16]))).unwrap()).await;
    // The candidate's model goes away, as it would if it had not been loaded.
    let served = Arc::clone(bench.predictor.snapshot().find("default", "iris").unwrap());
    let mut models = served.models.clone();
    models.remove(&candidate.digest);
    let crippled = super::snapshot::Served {
        workspace: served.workspace.clone(),
        endpoint: served.endpoint.clone(),
        revision: served.revision.clone(),
        models,
        log: Arc::clone(&served.log),
        watermark: Arc::clone(&served.watermark),
        features: None,
        by_keys: super::pace::Pace::default(),
    };
    let mut next = super::snapshot::Snapshot::default();
    next.endpoints.entry(default_workspace()).or_default().insert(iris(), Arc::new(crippled));
    bench.predictor.0.install_kept(next);
    let answer = bench.predictor.infer(&request(matrix(&ROW))).unwrap();
    assert_eq!((answer.rows[0].version, answer.rows[0].source), (1, Source::Champion));
    let record = bench.records().pop().unwrap();
    assert!(record.fell_back());
    let failed = &record.arms[usize::from(record.assigned)];
    assert_eq!(
        (failed.version, failed.role, &failed.outcome),
        (2, ArmRole::Canary, &Err(ArmFailure::NotLoaded))
    );
}

#[tokio::test]
async fn a_model_that_is_not_what_it_should_be_leaves_the_old_revision_serving() {
    let (bench, revision) = Bench::serving().await;
    let bytes = std::fs::read(fixture("extra_trees.onnx")).unwrap();
    let pinned = Pinned { version: 2, digest: Digest::of(&bytes) };
    bench.object(pinned.digest, b"something else".to_vec()).await;
    let next = revision.with_arms(RevisionDraft::champion(pinned), None).unwrap();
    bench.publish(&next).await;
    let status = bench.predictor.status();
    assert_eq!(status.endpoints[0].revision, Some(2));
    let trouble = status.endpoints[0].trouble.clone().unwrap();
    assert!(trouble.revision == 3 && trouble.reason.contains("another digest"), "{trouble:?}");
    assert_eq!(bench.predictor.infer(&request(matrix(&ROW))).unwrap().rows[0].version, 1);
    // Once the object is whole the next look finds it.
    bench.object(pinned.digest, bytes).await;
    bench.predictor.catch_up(&bench.sources).await.unwrap();
    assert_eq!(bench.predictor.status().endpoints[0].trouble, None);
    assert_eq!(bench.predictor.infer(&request(matrix(&ROW))).unwrap().rows[0].version, 2);

    // A model that does not fit the schema, and one that does not load.
    let wide = bench.model(3, "gradient_boosting.onnx").await;
    bench.publish(&next.with_arms(RevisionDraft::champion(wide), None).unwrap()).await;
    assert!(bench.predictor.status().endpoints[0].trouble.clone().unwrap().reason.contains("8 wide"));
    let digest = Digest::of(b"not a model");
    bench.object(digest, b"not a model".to_vec()).await;
    let broken = RevisionDraft::champion(Pinned { version: 4, digest });
    bench.publish(&next.with_arms(broken, None).unwrap()).await;
    assert!(bench.predictor.status().endpoints[0].trouble.clone().unwrap().reason.contains("does not load"));
    assert_eq!(bench.predictor.infer(&request(matrix(&ROW))).unwrap().rows[0].version, 2);
    // After a restart it is known that something is to be tried again.
    let dir = bench.dir;
    drop((bench.predictor, bench.sources));
    let again = open(dir.path()).await;
    assert_eq!(again.status().endpoints[0].revision, Some(3));
    assert!(again.status().endpoints[0].trouble.is_some());
}

#[tokio::test]
async fn an_endpoint_without_a_champion_says_so() {
    let bench = Bench::new().await;
    assert!(!bench.predictor.is_ready());
    let error = bench.predictor.infer(&request(matrix(&ROW))).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable, "it may be on the record, which was not read yet");
    bench.publish(&first()).await;
    assert!(bench.predictor.is_ready());
    let error = bench.predictor.infer(&request(matrix(&ROW))).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
}

/// Counts what is registered; refuses while `down`.
#[derive(Default)]
struct Registry {
    down: Mutex<bool>,
    seen: Mutex<Vec<(SegmentKind, u64)>>,
}

#[async_trait]
impl SegmentRegistry for Registry {
    async fn register(&self, _: &Name, kind: SegmentKind, segment: SealedSegment) -> Result<(), Refusal> {
        if *self.down.lock().unwrap() {
            return Err(Refusal::new(StorageError::Unavailable("down".into())));
        }
        self.seen.lock().unwrap().push((kind, segment.records));
        Ok(())
    }
}

#[tokio::test]
async fn sealed_segments_go_on_the_record_once_the_database_answers() {
    let (bench, _) = Bench::serving().await;
    bench.predictor.infer(&request(matrix(&ROW.repeat(3)))).unwrap();
    let label = Label {
        prediction: bench.records()[0].id,
        version: 0,
        value: LabelValue::Number(1.0),
        at: DataTime::from_micros(9),
        arrived: DataTime::from_micros(9),
    };
    let predictor = &bench.predictor;
    let keep = |labels: Vec<Label>| async move {
        predictor.keep(&default_workspace(), labels, Durability::Synced).await.unwrap()
    };
    assert_eq!(
        keep(vec![label.clone(), label.clone()]).await,
        Kept { accepted: 1, duplicate: 1, conflicts: Vec::new() }
    );
    assert_eq!(keep(vec![label.clone()]).await, Kept { accepted: 0, duplicate: 1, conflicts: Vec::new() });
    let ahead = Label { arrived: TOO_LATE, version: 1, ..label };
    let refused = predictor.keep(&default_workspace(), vec![ahead], Durability::Written).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidArgument);
    let (registry, mut upkeep) = (Registry::default(), Upkeep::default());
    *registry.down.lock().unwrap() = true;
    for _ in 0..70 {
        bench.predictor.round(&mut upkeep, &registry).await;
    }
    assert_eq!(bench.predictor.infer(&request(matrix(&ROW))).unwrap().receipt, Receipt::Written);
    *registry.down.lock().unwrap() = false;
    for _ in 0..3 {
        bench.predictor.round(&mut upkeep, &registry).await;
    }
    let mut seen = registry.seen.lock().unwrap().clone();
    seen.sort_by_key(|(kind, _)| kind.as_str());
    assert_eq!(seen, [(SegmentKind::Labels, 1), (SegmentKind::Predictions, 3)]);
    assert_eq!(bench.records().len(), 4);
}

#[tokio::test]
async fn synced_requests_are_synced() {
    let (bench, _) = Bench::serving().await;
    let asked = InferRequest { durability: Durability::Synced, ..request(matrix(&ROW.repeat(2))) };
    let answer = mainstay_api::oip::InferenceService::infer(&bench.predictor, asked.clone()).await.unwrap();
    // The first request opened a segment, so part of it might lie before; the second is all in one.
    assert!(answer.receipt >= Receipt::Written);
    let answer = mainstay_api::oip::InferenceService::infer(&bench.predictor, asked).await.unwrap();
    assert_eq!(answer.receipt, Receipt::Synced);
}

/// CPU time of one row through [`Predictor::infer`], log included: run it by name with `--ignored`.
#[tokio::test]
#[ignore = "prints a figure of this machine"]
async fn cpu_per_row() {
    let (bench, _) = Bench::serving().await;
    let cpu = || {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        stat.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let asked = request(matrix(&ROW));
    for _ in 0..5_000 {
        bench.predictor.infer(&asked).unwrap();
    }
    let start = cpu();
    for _ in 0..20_000 {
        bench.predictor.infer(&asked).unwrap();
    }
    println!("{:.2} µs CPU per one-row inference", (cpu() - start) as f64 / 20_000.0 / 1e3);
}
