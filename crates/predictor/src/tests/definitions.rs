//! Stored features while their definitions change.

use mainstay_api::native::endpoint::{EndpointServing as _, ViewReads};
use mainstay_features::definition::Definitions;
use mainstay_features::online::{EntityKey, Value, pack};
use mainstay_features::plan::MaterialisationPlan;
use mainstay_segments::online::{OnlineError, ViewSpec};
use mainstay_serving::endpoint::ServiceRef;

use super::*;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// A view with features in this order, and a service that reads them all.
fn definitions(order: [&str; 4]) -> String {
    let feature = |name: &str| format!("      - {{name: {name}, dtype: float64, expression: {name}}}\n");
    let wanted = NAMES.map(|name| format!("facts:{name}")).join(", ");
    format!(
        "entities:\n  - {{name: shop, join_keys: [shop]}}\n\
         sources:\n  - {{name: facts, dataset: facts, timestamp: ts}}\n\
         feature_views:\n  - name: facts\n    entities: [shop]\n    source: facts\n    features:\n{}\
         feature_services:\n  - name: sales\n    features: [{wanted}]\n",
        order.map(feature).concat(),
    )
}

fn shops() -> Endpoint {
    let definitions = Definitions::parse(&definitions(NAMES)).unwrap();
    let columns: Vec<String> = definitions
        .service("sales")
        .unwrap()
        .features
        .iter()
        .map(mainstay_features::definition::FeatureRef::column)
        .collect();
    let feature = |name: String| FeatureSpec { name, kind: FeatureKind::Float, nullable: true, range: None };
    Endpoint {
        features: Some(ServiceRef { project: Name::new("shops").unwrap(), service: "sales".to_owned() }),
        schema: InputSchema::new(columns.into_iter().map(feature).collect()).unwrap(),
        ..endpoint()
    }
}

impl Bench {
    fn apply(&self, text: &str) {
        *self.record.definitions.lock().unwrap() = Some(text.to_owned());
        let mut events = self.record.events.lock().unwrap();
        let seq = EventSeq(events.len() as u64 + 1);
        events.push(RecordedEvent {
            seq,
            at: MachineTime::default(),
            kind: "features.applied".to_owned(),
            actor: Actor::system("test"),
            workspace: default_workspace(),
            subject: Subject::new(ResourceKind::Feature, "shops"),
            body: None,
        });
        self.record.head.send_replace(seq);
    }

    /// Carries one row for shop 1, its values in the order of the view that the text defines.
    fn carry(&self, text: &str, values: [f64; 4]) {
        let definitions = Definitions::parse(text).unwrap();
        let view = definitions.view("facts").unwrap();
        let spec =
            ViewSpec { name: "default/shops/facts".to_owned(), definition: view.digest(), ttl: view.ttl };
        let at = DataTime::from_micros(1);
        let mut row = Vec::new();
        pack(&mut row, at, Some(at), &values.map(Value::Float)).unwrap();
        let mut rows =
            Some(vec![(EntityKey::of(&[Value::Text("1".to_owned())]).unwrap().unwrap(), row.into())]);
        let plan = MaterialisationPlan { after: None, horizon: at, until: DataTime::from_micros(100) };
        let batches = || Ok::<_, OnlineError>(rows.take());
        self.predictor.0.online.carry(&spec, plan, 1, batches).unwrap();
    }

    /// What shop 1 is served with, by the names a, b, c, d.
    fn served(&self) -> [FeatureValue; 4] {
        let entities = vec![("shop".to_owned(), PerRow::Each(vec![FeatureValue::Text("1".to_owned())]))];
        self.predictor.infer(&InferRequest { entities, ..request(Vec::new()) }).unwrap();
        self.records().pop().unwrap().features.try_into().unwrap()
    }

    /// The record of shop 1's request of a data time.
    fn asked_at(&self, micros: i64) -> PredictionRecord {
        let entities = vec![("shop".to_owned(), PerRow::Each(vec![FeatureValue::Text("1".to_owned())]))];
        let data_time = Some(PerRow::All(DataTime::from_micros(micros)));
        self.predictor.infer(&InferRequest { entities, data_time, ..request(Vec::new()) }).unwrap();
        self.records().pop().unwrap()
    }

    fn trouble(&self) -> String {
        self.predictor.status().endpoints[0].trouble.clone().map_or_else(String::new, |known| known.reason)
    }
}

fn floats(values: [f64; 4]) -> [FeatureValue; 4] {
    values.map(FeatureValue::Float)
}

#[tokio::test]
async fn rows_of_another_definition_are_never_read_by_position() {
    let bench = Bench::new().await;
    let champion = bench.model(1, "decision_tree.onnx").await;
    let revision = Revision::first(iris(), shops().policy_digest());
    let revision = revision.with_arms(RevisionDraft::champion(champion), None).unwrap();
    let (old, new) = (definitions(NAMES), definitions(["b", "a", "c", "d"]));
    bench.apply(&old);
    bench.record.put(&shops(), &revision);
    bench.predictor.catch_up(&bench.sources).await.unwrap();
    assert_eq!(bench.served(), [const { FeatureValue::Null }; 4], "nothing was materialised");
    assert_eq!(bench.trouble(), "");
    bench.carry(&old, [6.1, 2.8, 4.0, 1.3]);
    assert_eq!(bench.served(), floats([6.1, 2.8, 4.0, 1.3]));

    bench.apply(&new);
    bench.predictor.catch_up(&bench.sources).await.unwrap();
    assert_eq!(bench.served(), floats([6.1, 2.8, 4.0, 1.3]), "as the definitions were");
    assert!(bench.trouble().contains("\"facts\"; materialise it"), "{}", bench.trouble());

    // A newer revision is served meanwhile.
    let next = revision.with_arms(RevisionDraft::champion(bench.model(2, "extra_trees.onnx").await), None);
    bench.record.put(&shops(), &next.unwrap());
    bench.predictor.catch_up(&bench.sources).await.unwrap();
    assert_eq!(bench.predictor.status().endpoints[0].revision, Some(3));
    assert_eq!(bench.served(), floats([6.1, 2.8, 4.0, 1.3]));
    assert!(bench.trouble().contains("those of the earlier definitions"), "{}", bench.trouble());

    // So it is after a start without the record.
    let Bench { dir, record, sources, predictor } = bench;
    drop(predictor);
    let bench = Bench { predictor: open(dir.path()).await, dir, record, sources };
    assert_eq!(bench.served(), floats([6.1, 2.8, 4.0, 1.3]));

    // The store takes the new definition before the follower has seen it.
    bench.carry(&new, [7.2, 3.9, 5.0, 2.3]);
    assert_eq!(bench.served(), floats([6.1, 2.8, 4.0, 1.3]));
    bench.predictor.catch_up(&bench.sources).await.unwrap();
    assert_eq!(bench.served(), floats([3.9, 7.2, 5.0, 2.3]));
    assert_eq!(bench.trouble(), "");
}

#[tokio::test]
async fn requests_beyond_what_was_materialised_are_answered_and_told() {
    let bench = Bench::new().await;
    let champion = bench.model(1, "decision_tree.onnx").await;
    let revision = Revision::first(iris(), shops().policy_digest());
    bench.apply(&definitions(NAMES));
    bench.record.put(&shops(), &revision.with_arms(RevisionDraft::champion(champion), None).unwrap());
    bench.predictor.catch_up(&bench.sources).await.unwrap();
    assert!(bench.asked_at(50).reads[0].beyond, "nothing is materialised");
    bench.carry(&definitions(NAMES), [6.1, 2.8, 4.0, 1.3]);
    let (within, beyond) = (bench.asked_at(100), bench.asked_at(101));
    assert_eq!((within.reads[0].beyond, beyond.reads[0].beyond), (false, true));
    // Without a ttl the newest row goes on answering.
    assert_eq!((&within.reads[0].row, &within.features), (&beyond.reads[0].row, &beyond.features));
    let told = bench.predictor.served(&default_workspace(), &iris()).reads;
    let until = Some(DataTime::from_micros(100));
    assert_eq!(told, [ViewReads { view: "facts".to_owned(), until, reads: 3, beyond: 2 }]);
}

/// An endpoint that was never served with the stored definition has nothing to go on with.
#[tokio::test]
async fn features_are_missing_where_only_rows_of_an_unknown_definition_are_stored() {
    let bench = Bench::new().await;
    let champion = bench.model(1, "decision_tree.onnx").await;
    let revision = Revision::first(iris(), shops().policy_digest());
    bench.carry(&definitions(["b", "a", "c", "d"]), [1.0, 2.0, 3.0, 4.0]);
    bench.apply(&definitions(NAMES));
    bench.record.put(&shops(), &revision.with_arms(RevisionDraft::champion(champion), None).unwrap());
    bench.predictor.catch_up(&bench.sources).await.unwrap();
    assert_eq!(bench.served(), [const { FeatureValue::Null }; 4]);
    assert!(bench.trouble().contains("until then the features are missing"), "{}", bench.trouble());
}
