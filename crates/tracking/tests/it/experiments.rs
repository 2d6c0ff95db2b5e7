//! Search over experiments.

use std::collections::BTreeMap;

use mainstay_core::page::PageRequest;
use mainstay_core::time::MachineTime;
use mainstay_tracking::experiment::{Experiment, ExperimentDetail, ExperimentId, ExperimentName};
use mainstay_tracking::run::Lifecycle;
use mainstay_tracking::search::{ExperimentFilter, ExperimentOrder, View, search_experiments};

fn experiments() -> Vec<ExperimentDetail> {
    let detail = |id, name: &str, created_ms: i64, team: Option<&str>, lifecycle| ExperimentDetail {
        experiment: Experiment {
            id: ExperimentId(id),
            name: ExperimentName::new(name).unwrap(),
            artifact_location: String::new(),
            lifecycle,
            created: MachineTime::from_micros(created_ms * 1000),
            updated: MachineTime::from_micros(created_ms * 1000),
        },
        tags: team.map(|team| BTreeMap::from([("team".to_owned(), team.to_owned())])).unwrap_or_default(),
    };
    vec![
        detail(0, "Default", 1, None, Lifecycle::Active),
        detail(1, "flights/delay", 5, Some("ops"), Lifecycle::Active),
        detail(2, "Flights/price", 5, Some("Ops"), Lifecycle::Active),
        detail(3, "old", 9, None, Lifecycle::Deleted),
    ]
}

fn found(filter: &str, orders: &[&str], view: View) -> Vec<u64> {
    let filter = ExperimentFilter::parse(filter).unwrap();
    let orders: Vec<String> = orders.iter().map(|text| (*text).to_owned()).collect();
    let order = ExperimentOrder::parse(&orders).unwrap();
    let (mut all, mut page) = (Vec::new(), PageRequest::first(1));
    loop {
        let one = search_experiments(experiments(), view, &filter, &order, &page).unwrap();
        all.extend(one.items.iter().map(|detail| detail.experiment.id.0));
        match one.next {
            Some(next) => page.after = Some(next),
            None => return all,
        }
    }
}

#[test]
fn experiments_are_filtered_and_ordered() {
    assert_eq!(found("", &[], View::Active), [1, 2, 0]);
    assert_eq!(found("", &[], View::All), [3, 1, 2, 0]);
    assert_eq!(found("", &[], View::Deleted), [3]);
    assert_eq!(found("name LIKE 'flights/%'", &[], View::Active), [1]);
    assert_eq!(found("attribute.name ILIKE 'flights/%'", &["name DESC"], View::Active), [1, 2]);
    assert_eq!(found("tags.team = 'ops'", &[], View::All), [1]);
    assert_eq!(found("tag.team IS NULL", &["experiment_id"], View::All), [0, 3]);
    assert_eq!(found("creation_time >= 5 AND last_update_time < 9", &["name"], View::All), [2, 1]);
    assert_eq!(found("experiment_id IN ('0', '3')", &[], View::All), [3, 0]);
    assert_eq!(
        found("NOT name IN ('a') AND (tags.team = 'ops' OR experiment_id = '0')", &[], View::All),
        [1, 0]
    );
    for bad in [
        "run_id = 'x'",
        "metrics.a > 1",
        "name > 'a'",
        "creation_time = 'x'",
        "name RLIKE '('",
        "creation_time IS NULL",
    ] {
        assert!(ExperimentFilter::parse(bad).is_err(), "{bad}");
    }
    for bad in [&["tags.team"][..], &["name", "name DESC"], &["nothing"]] {
        let bad: Vec<String> = bad.iter().map(|text| (*text).to_owned()).collect();
        assert!(ExperimentOrder::parse(&bad).is_err(), "{bad:?}");
    }
}
