//! A file that means what it says, and files that are refused with the place named.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_features::definition::{Content, DefinitionError, Definitions, Dtype, MAX_FILE};

const FLIGHTS: &str = include_str!("flights.yaml");

#[test]
fn every_reference_is_resolved() {
    let all = Definitions::parse(FLIGHTS).unwrap();
    let view = all.view("origin_recent").unwrap();
    assert_eq!(view.keys[0].expression, "upper(dest)");
    assert_eq!(view.source.dataset, "flights");
    assert_eq!(view.ttl.unwrap().to_string(), "1d");
    assert_eq!(
        view.schema(),
        [("arrivals_3h", Dtype::Int64), ("late_share_3h", Dtype::Float64), ("delay_sum_1d", Dtype::Int64)]
    );
    let Content::Features(features) = &all.view("origin_weather").unwrap().content else { panic!() };
    assert_eq!(
        (features[0].expression.as_str(), features[1].expression.as_str()),
        ("\"temp\"", "wind_gust > 30")
    );
    let service = all.service("delay").unwrap();
    assert_eq!(service.features[0].column(), "origin_recent__late_share_3h");
    assert_eq!((service.keys.len(), service.keys[0].expression.as_str()), (1, "\"origin\""));
    assert_eq!(service.label.as_ref().unwrap().source.name, "outcomes");
    assert_eq!(all.entity("plane").unwrap()[1].dtype, Dtype::Int64);
}

#[test]
fn the_digest_depends_on_meaning_alone() {
    let digest = |text: &str| Definitions::parse(text).unwrap().digest();
    let reference = digest(FLIGHTS);
    assert_eq!(digest(&format!("# a comment\n{}", FLIGHTS.replace("180m", "3h"))), reference);
    let reordered = FLIGHTS
        .replace("  - {name: origin, join_keys: [origin]}\n", "")
        .replace("\nsources:", "\n  - {name: origin, join_keys: [\"origin:string\"]}\nsources:");
    assert_ne!(reordered, FLIGHTS);
    assert_eq!(digest(&reordered), reference);
    for (from, to) in [("180m", "4h"), ("ttl: 24h", "ttl: 25h"), ("arr_delay > 15,", "arr_delay > 16,")] {
        assert_ne!(digest(&FLIGHTS.replace(from, to)), reference, "{from} -> {to}");
    }
    let weather = |text: &str| Definitions::parse(text).unwrap().view("origin_weather").unwrap().digest();
    assert_eq!(
        weather(&FLIGHTS.replace("ttl: 24h", "ttl: 25h")),
        weather(FLIGHTS),
        "views are digested apart"
    );
}

#[test]
fn refusals_name_the_place() {
    for (from, to, place) in [
        ("ttl: 24h", "ttl: soon", "feature_views[0] origin_recent.ttl"),
        (
            "function: rate",
            "function: median",
            "feature_views[0] origin_recent.aggregates[1] late_share_3h.function",
        ),
        ("column: arr_delay > 15, window: 180m", "window: 180m", "late_share_3h.column"),
        (
            "name: temp, dtype: float64",
            "name: temp, dtype: decimal",
            "feature_views[1] origin_weather.features[0] temp.dtype",
        ),
        ("name: gusty", "name: temp", "feature_views[1] origin_weather"),
        ("    source: weather\n", "    source: snow\n", "feature_views[1] origin_weather.source"),
        ("origin_weather:temp", "origin_weather:snow", "feature_services[0] delay.features[1]"),
        ("origin_weather:temp", "temp", "feature_services[0] delay.features[1]"),
        ("{origin: upper(dest)}", "{dest: upper(dest)}", "feature_views[0] origin_recent.keys.dest"),
        ("fleet:int64", "fleet:float64", "entities[1] plane.join_keys"),
        ("name: plane", "name: origin", "entities[1] origin"),
        ("name: weather,", "name: event_timestamp,", "sources[1] event_timestamp"),
        ("name: arrivals_3h", "name: a__b", "aggregates[0] a__b"),
        ("window: 1d, dtype: int64", "window: 1d, dtype: bool", "aggregates[2] delay_sum_1d.dtype"),
        ("{source: outcomes", "{source: nothing", "feature_services[0] delay.label.source"),
        ("timestamp: arrived_at", "timestamp: ' '", "sources[0] arrivals.timestamp"),
    ] {
        let text = FLIGHTS.replace(from, to);
        assert_ne!(text, FLIGHTS, "{from}");
        match Definitions::parse(&text) {
            Err(DefinitionError::Invalid { place: found, .. }) => {
                assert!(found.ends_with(place) || found == place, "{found} for {place}");
            }
            other => panic!("{place}: {other:?}"),
        }
    }
}

#[test]
fn what_is_not_the_documented_shape_is_refused_with_its_line() {
    for bad in [
        "entities: 7",
        "entities: [{name: a, join_keys: [a], colour: red}]",
        "feature_views:\n  - {name: a}",
        "entities: [",
        "- a\n- b",
    ] {
        let error = Definitions::parse(bad).unwrap_err();
        assert!(matches!(error, DefinitionError::Malformed(_)), "{bad}: {error:?}");
        assert!(error.to_string().contains("line"), "{error}");
        assert_eq!(error.code(), ErrorCode::InvalidDefinition);
    }
    let bomb = "#".repeat(MAX_FILE + 1);
    assert_eq!(Definitions::parse(&bomb), Err(DefinitionError::TooLarge(MAX_FILE + 1)));
    let deep = format!("entities: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(Definitions::parse(&deep).is_err());
}
