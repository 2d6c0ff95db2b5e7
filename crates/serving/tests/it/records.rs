//! The binary forms of predictions and labels.

use mainstay_core::id::PredictionId;
use mainstay_core::name::Name;
use mainstay_core::time::{DataTime, MachineTime};
use mainstay_serving::label::{Label, LabelValue};
use mainstay_serving::record::{
    ArmFailure, ArmRole, ArmScore, CodecError, MAX_ENCODED, PredictionRecord, RowStamp, ViewRead,
};
use mainstay_serving::schema::{Breach, Violation};
use mainstay_serving::value::FeatureValue;
use proptest::collection::vec;
use proptest::prelude::*;

/// Written by formats of before; must be read for ever.
const PREDICTION_V1: &str = include_str!("../fixtures/prediction-v1.hex");
/// Written by the present format.
const PREDICTION_V2: &str = include_str!("../fixtures/prediction-v2.hex");
const LABEL_V1: &str = include_str!("../fixtures/label-v1.hex");

fn sample() -> PredictionRecord {
    let at = DataTime::parse("2013-03-04T05:06:07.000008Z").unwrap();
    let stamp = RowStamp { ts: at.plus(-90_000_000), created: at.plus(-60_000_000) };
    let arm = |version, role, latency_micros, outcome| ArmScore { version, role, latency_micros, outcome };
    PredictionRecord {
        id: PredictionId::from_bytes(*b"0123456789abcdef"),
        endpoint: Name::new("flight-delay").unwrap(),
        revision: 300,
        at,
        received: MachineTime::from_micros(1_800_000_000_000_001),
        sticky_key: Some("N14228".to_owned()),
        entity_keys: vec![("origin".to_owned(), FeatureValue::Text("EWR".to_owned()))],
        features: vec![
            FeatureValue::Null,
            FeatureValue::Boolean(true),
            FeatureValue::Integer(-1400),
            FeatureValue::Float(0.1),
            FeatureValue::Text("UA".to_owned()),
        ],
        reads: vec![
            ViewRead { view: "origin_delays".to_owned(), row: Some(stamp), beyond: false },
            ViewRead { view: "weather".to_owned(), row: None, beyond: true },
        ],
        arms: vec![
            arm(7, ArmRole::Champion, 12, Ok(vec![0.25, 0.75])),
            arm(8, ArmRole::Canary, 90_000, Err(ArmFailure::TimedOut)),
        ],
        assigned: 1,
        answered: Some(0),
        violations: vec![Violation { feature: 3, breach: Breach::OutOfRange }],
    }
}

fn sample_label() -> Label {
    Label {
        prediction: PredictionId::from_bytes(*b"0123456789abcdef"),
        version: 2,
        value: LabelValue::Text("late".to_owned()),
        at: DataTime::from_micros(1_362_373_567_000_008),
        arrived: DataTime::from_micros(-5),
    }
}

fn encoded(record: &PredictionRecord) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out).unwrap();
    out
}

#[test]
fn each_format_is_written_and_read_as_it_was() {
    assert_eq!(hex::encode(encoded(&sample())), PREDICTION_V2.trim());
    assert_eq!(PredictionRecord::decode(&hex::decode(PREDICTION_V2.trim()).unwrap()), Ok(sample()));
    // The first did not say what lay beyond the materialised rows.
    let mut silent = sample();
    silent.reads[1].beyond = false;
    assert_eq!(PredictionRecord::decode(&hex::decode(PREDICTION_V1.trim()).unwrap()), Ok(silent));
    let mut label = Vec::new();
    sample_label().encode(&mut label).unwrap();
    assert_eq!(hex::encode(label), LABEL_V1.trim());
    assert_eq!(Label::decode(&hex::decode(LABEL_V1.trim()).unwrap()), Ok(sample_label()));
}

#[test]
fn answers_are_marked_with_the_arm_that_gave_them() {
    let mut record = sample();
    assert_eq!(record.answer().map(|arm| arm.version), Some(7));
    assert!(record.fell_back());
    record.assigned = 0;
    assert!(!record.fell_back());
    record.answered = None;
    assert!(record.fell_back() && record.answer().is_none());
}

#[test]
fn foreign_long_and_cut_bytes_are_refused() {
    let bytes = encoded(&sample());
    for length in 0..bytes.len() {
        assert_eq!(PredictionRecord::decode(&bytes[..length]), Err(CodecError::Truncated), "{length}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(PredictionRecord::decode(&longer), Err(CodecError::Trailing));
    let mut newer = bytes;
    newer[0] = 3;
    assert_eq!(PredictionRecord::decode(&newer), Err(CodecError::Version(3)));
    newer[0] = 0;
    assert_eq!(PredictionRecord::decode(&newer), Err(CodecError::Version(0)));

    let mut vast = sample();
    vast.sticky_key = Some("x".repeat(MAX_ENCODED));
    let mut out = vec![1, 2, 3];
    assert!(matches!(vast.encode(&mut out), Err(CodecError::TooLarge(_))));
    assert_eq!(out, [1, 2, 3]);

    let mut nobody = sample();
    nobody.answered = Some(2);
    assert_eq!(PredictionRecord::decode(&encoded(&nobody)), Err(CodecError::Field("arm")));
}

fn value() -> impl Strategy<Value = FeatureValue> {
    prop_oneof![
        Just(FeatureValue::Null),
        any::<bool>().prop_map(FeatureValue::Boolean),
        any::<i64>().prop_map(FeatureValue::Integer),
        any::<f64>().prop_map(FeatureValue::Float),
        ".{0,12}".prop_map(FeatureValue::Text),
    ]
}

fn read() -> impl Strategy<Value = ViewRead> {
    let row = proptest::option::of(any::<(i64, i64)>().prop_map(|(ts, created)| RowStamp {
        ts: DataTime::from_micros(ts),
        created: DataTime::from_micros(created),
    }));
    (".{0,12}", row, any::<bool>()).prop_map(|(view, row, beyond)| ViewRead { view, row, beyond })
}

fn arm() -> impl Strategy<Value = ArmScore> {
    let role =
        prop::sample::select(vec![ArmRole::Champion, ArmRole::Shadow, ArmRole::Canary, ArmRole::Previous]);
    let failure = prop::sample::select(vec![ArmFailure::TimedOut, ArmFailure::Failed, ArmFailure::NotLoaded]);
    let outcome = prop_oneof![vec(any::<f64>(), 0..4).prop_map(Ok), failure.prop_map(Err)];
    (any::<u64>(), role, any::<u32>(), outcome).prop_map(|(version, role, latency_micros, outcome)| {
        ArmScore { version, role, latency_micros, outcome }
    })
}

prop_compose! {
    fn record()(
        id: [u8; 16], revision: u64, times: (i64, i64),
        sticky_key in proptest::option::of(".{0,20}"),
        entity_keys in vec((".{0,8}", value()), 0..4),
        features in vec(value(), 0..30),
        reads in vec(read(), 0..4),
        arms in vec(arm(), 1..4),
        picks: (u8, Option<u8>),
        flags in vec(any::<u16>(), 0..4),
    ) -> PredictionRecord {
        let arm_of = |pick: u8| pick % u8::try_from(arms.len()).unwrap();
        PredictionRecord {
            id: PredictionId::from_bytes(id),
            endpoint: Name::new("e").unwrap(),
            revision,
            at: DataTime::from_micros(times.0),
            received: MachineTime::from_micros(times.1),
            sticky_key,
            entity_keys,
            features,
            reads,
            assigned: arm_of(picks.0),
            answered: picks.1.map(arm_of),
            arms,
            violations: flags.into_iter().map(|feature| Violation { feature, breach: Breach::OutOfRange }).collect(),
        }
    }
}

proptest! {
    // Bytes are compared, as NaN does not equal itself.
    #[test]
    fn what_is_written_is_read(record in record()) {
        let bytes = encoded(&record);
        let read = PredictionRecord::decode(&bytes).unwrap();
        prop_assert_eq!(encoded(&read), bytes);
        prop_assert_eq!(format!("{read:?}"), format!("{record:?}"));
    }

    #[test]
    fn labels_too(id: [u8; 16], version: u32, number: f64, text in ".{0,20}", numeric: bool, at: i64, arrived: i64) {
        let label = Label {
            prediction: PredictionId::from_bytes(id),
            version,
            value: if numeric { LabelValue::Number(number) } else { LabelValue::Text(text) },
            at: DataTime::from_micros(at),
            arrived: DataTime::from_micros(arrived),
        };
        let mut bytes = Vec::new();
        label.encode(&mut bytes).unwrap();
        prop_assert_eq!(format!("{:?}", Label::decode(&bytes).unwrap()), format!("{label:?}"));
    }

    #[test]
    fn garbage_never_panics(record in record(), flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..8), noise in vec(any::<u8>(), 0..200)) {
        let mut bytes = encoded(&record);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for bytes in [bytes, noise] {
            if let Ok(read) = PredictionRecord::decode(&bytes) {
                encoded(&read);
            }
            drop(Label::decode(&bytes));
        }
    }
}
