use std::time::Instant;

use mainstay_monitoring::profile::{Column, Edges, Profile, ProfileError, ReferenceProfile, Value, Values};
use proptest::prelude::*;

use crate::reference::{close, counts, float, floats, list, load};

fn numeric_reference(sample: &[f64]) -> ReferenceProfile {
    ReferenceProfile::build(&[Column { name: "x", values: Values::Numeric(sample) }], None).unwrap()
}

#[test]
fn deciles_bins_and_moments_agree_with_numpy() {
    for case in list(&load(include_str!("../reference/drift.json"))["deciles"]) {
        let reference = numeric_reference(&floats(&case["sample"]));
        let mut profile = Profile::new(&reference);
        for value in floats(&case["fresh"]) {
            profile.observe(&reference, &[Value::number(value)], None).unwrap();
        }
        let feature = &profile.features[0];
        assert_eq!(feature.bins, counts(&case["counts"]));
        assert_eq!(feature.outside, case["outside"].as_u64().unwrap());
        close(feature.moments.mean, float(&case["mean"]));
        close(feature.moments.variance().unwrap(), float(&case["variance"]));
    }
}

#[test]
fn every_value_is_counted_once_and_by_its_kind() {
    let numbers = [1.0, 2.0, 3.0, f64::NAN];
    let words = [Some("a"), Some("b"), Some("a"), None];
    let columns = [
        Column { name: "x", values: Values::Numeric(&numbers) },
        Column { name: "c", values: Values::Categorical(&words) },
    ];
    let reference = ReferenceProfile::build(&columns, Some(&[0.1, 0.2, 0.3, 0.4])).unwrap();
    assert_eq!(reference.features[0].counts.missing, 1);
    assert_eq!(reference.features[0].counts.outside, 0);
    let mut profile = Profile::new(&reference);
    let rows = [
        [Value::number(f64::NAN), Value::Category("a")],
        [Value::number(f64::INFINITY), Value::Category("zebra")],
        [Value::number(3.5), Value::Missing],
        [Value::number(0.0), Value::Category("b")],
    ];
    for row in rows {
        profile.observe(&reference, &row, Some(0.2)).unwrap();
    }
    let [x, c] = &profile.features[..] else { panic!("two features") };
    assert_eq!((x.missing, x.infinite, x.outside, x.binned(), x.rows()), (1, 1, 2, 2, 4));
    assert_eq!((c.missing, c.outside, c.binned(), c.rows()), (1, 1, 3, 4));
    assert_eq!(c.bins, vec![1, 1, 1]);
    assert_eq!(profile.score.as_ref().unwrap().binned(), 4);

    let before = profile.clone();
    let wrong = profile.observe(&reference, &[Value::Category("a"), Value::Missing], None);
    assert_eq!(wrong, Err(ProfileError::Kind("x".to_owned())));
    let short = profile.observe(&reference, &[Value::Missing], None);
    assert_eq!(short, Err(ProfileError::Width { got: 1, expected: 2 }));
    assert_eq!(profile, before, "a refused row is not counted");
}

#[test]
fn a_served_single_falls_into_the_bin_of_its_training_double() {
    let reference = numeric_reference(&[0.1, 0.1, 0.1, 0.1, 0.7, 0.7]);
    let mut profile = Profile::new(&reference);
    for value in [0.1_f64, f64::from(0.1_f32)] {
        profile.observe(&reference, &[Value::number(value)], None).unwrap();
    }
    assert_eq!(profile.features[0].bins[0], 2);
    assert_eq!(profile.features[0].outside, 0);
}

#[test]
fn references_are_checked() {
    let x = Column { name: "x", values: Values::Numeric(&[1.0]) };
    let longer = Column { name: "y", values: Values::Numeric(&[1.0, 2.0]) };
    assert_eq!(ReferenceProfile::build(&[], None), Err(ProfileError::Empty));
    assert_eq!(ReferenceProfile::build(&[x, x], None), Err(ProfileError::Duplicate("x".to_owned())));
    let ragged = ReferenceProfile::build(&[x, longer], None);
    assert_eq!(ragged, Err(ProfileError::Ragged { column: "y".to_owned(), rows: 2, expected: 1 }));
    assert_eq!(Edges::new(vec![1.0, 1.0]), Err(ProfileError::Edges));
    assert!(serde_json::from_str::<Edges>("[2.0, 1.0]").is_err());
}

#[test]
fn the_serialised_form_is_stable() {
    let reference = numeric_reference(&[1.0, 2.0]);
    let mut profile = Profile::new(&reference);
    profile.observe(&reference, &[Value::Number(1.5)], None).unwrap();
    let text = serde_json::to_string(&profile).unwrap();
    assert_eq!(
        text,
        r#"{"format":1,"frame":"057cde521525591f","rows":1,"features":[{"missing":0,"infinite":0,"outside":0,"moments":{"count":1,"mean":1.5,"m2":0.0,"min":1.5,"max":1.5},"bins":[0,0,0,0,1,0,0,0,0,0]}],"score":null}"#
    );
    assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), profile);
    let text = serde_json::to_string(&reference).unwrap();
    assert_eq!(serde_json::from_str::<ReferenceProfile>(&text).unwrap(), reference);
}

fn profile_of(reference: &ReferenceProfile, values: &[f64]) -> Profile {
    let mut profile = Profile::new(reference);
    for value in values {
        profile.observe(reference, &[Value::number(*value)], Some(*value)).unwrap();
    }
    profile
}

fn same(a: &Profile, b: &Profile) {
    assert_eq!(a.rows, b.rows);
    for (x, y) in a.features.iter().zip(&b.features) {
        assert_eq!((x.missing, x.infinite, x.outside, &x.bins), (y.missing, y.infinite, y.outside, &y.bins));
        assert_eq!(x.moments.count, y.moments.count);
        assert_eq!((x.moments.min, x.moments.max), (y.moments.min, y.moments.max));
        close(x.moments.mean, y.moments.mean);
        close(x.moments.m2, y.moments.m2);
    }
}

proptest! {
    #[test]
    fn merging_is_associative_commutative_and_the_same_as_one_pass(
        a in prop::collection::vec(-50.0..50.0_f64, 0..40),
        b in prop::collection::vec(prop_oneof![9 => -50.0..50.0_f64, 1 => Just(f64::NAN)], 0..40),
        c in prop::collection::vec(-900.0..900.0_f64, 0..40),
    ) {
        let reference = numeric_reference(&[-20.0, -3.0, 0.0, 1.0, 1.0, 4.0, 9.0, 30.0]);
        let [pa, pb, pc] = [&a, &b, &c].map(|values| profile_of(&reference, values));
        let merge = |first: &Profile, second: &Profile| {
            let mut merged = first.clone();
            merged.merge(second).unwrap();
            merged
        };
        let left = merge(&merge(&pa, &pb), &pc);
        same(&left, &merge(&pa, &merge(&pb, &pc)));
        same(&left, &merge(&pc, &merge(&pb, &pa)));
        same(&left, &profile_of(&reference, &[a, b, c].concat()));
    }
}

#[test]
fn profiles_of_different_references_do_not_merge() {
    let (one, two) = (numeric_reference(&[1.0, 2.0]), numeric_reference(&[1.0, 3.0]));
    assert_eq!(Profile::new(&one).merge(&Profile::new(&two)), Err(ProfileError::Foreign));
}

/// `cargo nextest run --release -p mainstay-monitoring --run-ignored only --no-capture observing`
#[test]
#[ignore = "a measurement, not a check"]
#[expect(clippy::disallowed_methods, reason = "it measures a wall time")]
fn observing_a_row_of_twenty_features() {
    let sample: Vec<f64> = (0..1000).map(|i| f64::from(i % 97)).collect();
    let words: Vec<String> = (0..1000).map(|i| format!("category-{}", i % 60)).collect();
    let words: Vec<Option<&str>> = words.iter().map(|w| Some(w.as_str())).collect();
    let names: Vec<String> = (0..20).map(|i| format!("f{i}")).collect();
    let columns: Vec<Column<'_>> = names
        .iter()
        .enumerate()
        .map(|(i, name)| Column {
            name,
            values: if i < 15 { Values::Numeric(&sample) } else { Values::Categorical(&words) },
        })
        .collect();
    let reference = ReferenceProfile::build(&columns, Some(&sample)).unwrap();
    let rows: Vec<Vec<Value<'_>>> = (0..1000)
        .map(|r| {
            (0..20)
                .map(|i| if i < 15 { Value::Number(sample[r]) } else { Value::category(words[r]) })
                .collect()
        })
        .collect();
    let mut profile = Profile::new(&reference);
    let start = Instant::now();
    for _ in 0..200 {
        for row in &rows {
            profile.observe(&reference, row, Some(3.0)).unwrap();
        }
    }
    println!("{:.3} µs a row of 20 features", start.elapsed().as_secs_f64() * 1e6 / 200_000.0);
}
