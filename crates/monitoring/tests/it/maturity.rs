use mainstay_core::time::{DAY, DataTime, HOUR};
use mainstay_monitoring::maturity::{
    Cursor, Label, Labels, MaturedDay, MaturityError, MaturityRule, Missing, Prediction,
};
use proptest::prelude::*;

const RULE: MaturityRule = MaturityRule { horizon: 6 * HOUR, missing: Missing::Exclude, day_offset: 0 };

fn at(day: i64, hour: i64) -> DataTime {
    DataTime::from_micros(day * DAY + hour * HOUR)
}

fn prediction(id: &str, event_time: DataTime) -> Prediction<()> {
    Prediction { id: id.to_owned(), event_time, payload: () }
}

fn label(id: &str, version: u64, arrived: DataTime, value: f64) -> Label {
    Label { prediction_id: id.to_owned(), version, arrived, value }
}

type Outcome<'a> = (i64, Vec<(&'a str, Option<f64>)>);

fn outcome(days: &[MaturedDay<()>]) -> Vec<Outcome<'_>> {
    days.iter()
        .map(|day| (day.day, day.rows.iter().map(|r| (r.prediction.id.as_str(), r.label)).collect()))
        .collect()
}

#[test]
fn a_day_is_folded_when_its_last_instant_is_mature_and_only_once() {
    let mut cursor = Cursor::starting_at(RULE, at(10, 3)).unwrap();
    let rows = || [prediction("b", at(10, 9)), prediction("a", at(10, 9)), prediction("c", at(11, 1))];
    let mut labels = Labels::default();
    labels.add(label("a", 1, at(10, 12), 1.0)).unwrap();
    labels.add(label("b", 1, at(10, 16), 1.0)).unwrap();

    assert!(cursor.fold(at(11, 5), rows(), &labels).is_empty(), "23:59 + 6 h is not reached");
    let days = cursor.fold(at(11, 6), rows(), &labels);
    // The label of "b" came seven hours after the event: too late, however late the fold.
    assert_eq!(outcome(&days), [(10, vec![("a", Some(1.0)), ("b", None)])]);
    assert_eq!(days[0].coverage(), Some(0.5));
    assert!(cursor.fold(at(11, 23), rows(), &labels).is_empty());
    assert_eq!(outcome(&cursor.fold(at(30, 0), rows(), &labels)), [(11, vec![("c", None)])]);
    assert_eq!(cursor.next_day(), 29);
    assert!(cursor.fold(at(20, 0), rows(), &labels).is_empty(), "a watermark that falls back folds nothing");
}

#[test]
fn the_newest_version_known_at_maturity_counts() {
    let mut labels = Labels::default();
    labels.add(label("a", 1, at(0, 1), 0.0)).unwrap();
    labels.add(label("a", 3, at(0, 9), 5.0)).unwrap();
    labels.add(label("a", 2, at(0, 5), 1.0)).unwrap();
    labels.add(label("a", 2, at(0, 5), 1.0)).unwrap();
    assert_eq!(labels.as_of("a", at(0, 0)), None);
    assert_eq!(labels.as_of("a", at(0, 1)), Some(0.0));
    assert_eq!(labels.as_of("a", at(0, 6)), Some(1.0));
    assert_eq!(labels.as_of("a", at(1, 0)), Some(5.0));
    let rewritten = labels.add(label("a", 2, at(0, 5), 0.0));
    assert_eq!(rewritten, Err(MaturityError::Rewritten { id: "a".to_owned(), version: 2 }));
    assert_eq!(labels.add(label("a", 9, at(0, 5), f64::NAN)), Err(MaturityError::Label("a".to_owned())));
}

#[test]
fn a_missing_label_is_the_declared_outcome_and_still_lowers_coverage() {
    let rule = MaturityRule { missing: Missing::TreatAs(0.0), ..RULE };
    let mut cursor = Cursor::starting_at(rule, at(0, 0)).unwrap();
    let days = cursor.fold(at(2, 0), [prediction("a", at(0, 1))], &Labels::default());
    assert_eq!((days[0].rows[0].label, days[0].rows[0].is_labelled), (Some(0.0), false));
    assert_eq!(days[0].coverage(), Some(0.0));
}

#[test]
fn days_may_begin_at_another_hour() {
    let rule = MaturityRule { day_offset: -5 * HOUR, ..RULE };
    assert_eq!((rule.day(at(7, 4)), rule.day(at(7, 5))), (6, 7));
    assert_eq!(rule.span(7), at(7, 5)..at(8, 5));
    assert_eq!(rule.first_immature_day(at(8, 11)), 8);
    let negative = MaturityRule { horizon: -1, ..RULE };
    assert_eq!(Cursor::starting_at(negative, at(0, 0)), Err(MaturityError::Horizon));
}

type Step = (Vec<(i64, i64)>, Vec<Label>);

fn world() -> impl Strategy<Value = Step> {
    let predictions = prop::collection::vec((0..4_i64, 0..24_i64), 1..25);
    let labels = prop::collection::vec((0..25_usize, 1..4_u64, 0..120_i64), 0..40);
    (predictions, labels).prop_map(|(predictions, labels)| {
        let mut known = Labels::default();
        let labels = labels
            .into_iter()
            .map(|(index, version, hour)| {
                label(&format!("p{index}"), version, at(0, hour), f64::from(u8::from(hour % 2 == 0)))
            })
            .filter(|label| known.add(label.clone()).is_ok())
            .collect();
        (predictions, labels)
    })
}

proptest! {
    /// Whatever the order of arrival, and however often it is folded, the days are the same; and a
    /// slow reading of the rule gives the same rows.
    #[test]
    fn folding_depends_on_data_time_alone(
        (times, labels) in world(),
        looks in prop::collection::vec(0..150_i64, 0..6),
        turn in 0..25_usize,
    ) {
        let rows: Vec<Prediction<()>> = times
            .iter()
            .enumerate()
            .map(|(i, (day, hour))| prediction(&format!("p{i}"), at(*day, *hour)))
            .collect();
        let all = { let mut all = Labels::default(); for l in &labels { all.add(l.clone()).unwrap(); } all };
        let mut once = Cursor::starting_at(RULE, at(0, 0)).unwrap();
        let at_once = once.fold(at(0, 150), rows.clone(), &all);

        // Everything that data time says has arrived by the watermark is there, in another order.
        let mut looks = looks;
        looks.sort_unstable();
        looks.push(150);
        let mut cursor = Cursor::starting_at(RULE, at(0, 0)).unwrap();
        let mut stepwise = Vec::new();
        for hour in looks {
            let watermark = at(0, hour);
            let mut present: Vec<_> = rows.iter().filter(|p| p.event_time <= watermark).cloned().collect();
            let middle = turn % present.len().max(1);
            present.rotate_left(middle);
            let mut known = Labels::default();
            for l in labels.iter().rev().filter(|l| l.arrived <= watermark) {
                known.add(l.clone()).unwrap();
            }
            stepwise.extend(cursor.fold(watermark, present, &known));
        }
        prop_assert_eq!(&at_once, &stepwise);

        let mut slow: Vec<(DataTime, String, Option<f64>)> = rows
            .iter()
            .map(|p| {
                let known = labels.iter().filter(|l| l.prediction_id == p.id);
                let ripe = known.filter(|l| l.arrived <= p.event_time.plus(6 * HOUR));
                (p.event_time, p.id.clone(), ripe.max_by_key(|l| l.version).map(|l| l.value))
            })
            .collect();
        slow.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let ours: Vec<_> = at_once
            .iter()
            .flat_map(|day| &day.rows)
            .map(|r| (r.prediction.event_time, r.prediction.id.clone(), r.label))
            .collect();
        prop_assert_eq!(ours, slow);
    }
}
