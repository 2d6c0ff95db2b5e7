//! Filters, orders and pages over models and versions.

use std::collections::BTreeMap;

use mainstay_core::error::Coded as _;
use mainstay_core::id::RunId;
use mainstay_core::page::PageRequest;
use mainstay_core::permission::Readable;
use mainstay_core::run_ref::RunRef;
use mainstay_core::time::MachineTime;
use mainstay_registry::model::{Model, ModelDetail, ModelVersion, Stage, VersionDetail};
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_registry::prompt::IS_PROMPT;
use mainstay_registry::search::{
    ModelFilter, ModelOrder, ModelSearch, SearchError, VersionFilter, VersionOrder, VersionSearch,
};

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn model(name: &str, at: i64, pairs: &[(&str, &str)]) -> ModelDetail {
    let at = MachineTime::from_micros(at);
    let name = ModelName::new(name).unwrap();
    let model = Model { name, description: String::new(), created: at, updated: at };
    ModelDetail { model, tags: tags(pairs), aliases: BTreeMap::new() }
}

fn models() -> Vec<ModelDetail> {
    vec![
        model("Delay", 3, &[("team", "Ops")]),
        model("delay two", 2, &[("team", "research"), ("a b", "x")]),
        model("churn", 1, &[]),
        model("greeting", 4, &[(IS_PROMPT, "true")]),
    ]
}

fn found(filter: &str) -> Result<Vec<String>, SearchError> {
    let filter = ModelFilter::parse(filter)?;
    let order = ModelOrder::parse(&["creation_timestamp ASC".to_owned()])?;
    let mut search = ModelSearch::new(filter, order, Readable::All, &PageRequest::first(10))?;
    let is_enough = models().into_iter().any(|detail| search.see(detail).is_break());
    assert!(!is_enough);
    Ok(search.page().items.iter().map(|detail| detail.model.name.to_string()).collect())
}

#[test]
fn models_are_filtered_as_mlflow_does() {
    let cases: [(&str, &[&str]); 15] = [
        ("", &["churn", "delay two", "Delay"]),
        ("name = 'Delay'", &["Delay"]),
        ("name != \"Delay\"", &["churn", "delay two"]),
        ("name LIKE 'delay%'", &["delay two"]),
        ("name ilike 'DELAY%'", &["delay two", "Delay"]),
        ("name IN ('churn', 'Delay',)", &["churn", "Delay"]),
        ("attribute.name not in ('churn')", &["delay two", "Delay"]),
        ("tags.team = 'Ops'", &["Delay"]),
        ("tag.team != 'Ops'", &["delay two"]),
        ("tags.`a b` = 'x' and name LIKE 'd%'", &["delay two"]),
        ("tags.\"a b\" = 'x'", &["delay two"]),
        ("tags.team = 'Ops' AND name = 'churn'", &[]),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", &["greeting"]),
        ("tags.mlflow.prompt.is_prompt != 'true'", &["churn", "delay two", "Delay"]),
        ("tags.mlflow.prompt.is_prompt = 'false'", &["churn", "delay two", "Delay"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(filter).unwrap(), expected, "{filter}");
    }
}

/// What a stock server refuses.
#[test]
fn models_are_filtered_by_more_than_and() {
    let cases: [(&str, &[&str]); 7] = [
        ("name = 'churn' OR tags.team = 'Ops'", &["churn", "Delay"]),
        ("NOT (name = 'churn' OR tags.team = 'Ops')", &["delay two"]),
        ("tags.team IS NULL", &["churn"]),
        ("tags.team IN ('Ops', 'research') AND name RLIKE '^[A-Z]'", &["Delay"]),
        // Prompts are hidden unless their tag is named, wherever.
        ("NOT name = 'churn'", &["delay two", "Delay"]),
        ("name = 'churn' OR tags.`mlflow.prompt.is_prompt` = 'true'", &["churn", "greeting"]),
        ("NOT tags.`mlflow.prompt.is_prompt` = 'true'", &["churn", "delay two", "Delay"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(filter).unwrap(), expected, "{filter}");
    }
    let one = |filter: &str| VersionFilter::parse(filter).unwrap().model_name().map(str::to_owned);
    assert_eq!(one("version_number IN (1, 2) AND name = 'a'").as_deref(), Some("a"));
    assert_eq!(one("name = 'a' OR name = 'b'"), None);
    assert_eq!(one("NOT name = 'a'"), None);
}

#[test]
fn what_is_no_filter_is_refused() {
    for bad in [
        "name",
        "name =",
        "name = Delay",
        "name = 'Delay",
        "name = 3",
        "name > 'a'",
        "name = 'a' OR",
        "(name = 'a'",
        "name RLIKE '('",
        "name = 'a' name = 'b'",
        "name = 'a' AND",
        "AND name = 'a'",
        "metrics.m > 1",
        "run_id = 'x'",
        "name IN ()",
        "name IN ('a' 'b')",
        "name IN (1)",
        "name == 'a'",
        "name = 'a'; DROP TABLE models",
        "'name' = 'a'",
    ] {
        assert!(found(bad).is_err(), "{bad}");
    }
    assert_eq!(found(&"x".repeat(70_000)), Err(SearchError::TooLong));
    let many = found(&vec!["name != 'a'"; 101].join(" AND "));
    assert_eq!(many.unwrap_err().position(), Some(1_600));
}

fn version(name: &str, number: u32, at: i64, stage: Stage) -> VersionDetail {
    let at = MachineTime::from_micros(at);
    VersionDetail {
        version: ModelVersion {
            model: ModelName::new(name).unwrap(),
            number: VersionNumber(number),
            created: at,
            updated: at,
            creator: None,
            description: String::new(),
            stage,
            source: format!("s3://{name}/{number}"),
            location: format!("s3://{name}/{number}"),
            run: (number == 2).then(|| RunRef::from(RunId::from_bytes([2; 16]))),
            run_link: String::new(),
            logged_model: None,
            digest: None,
        },
        tags: tags(&[("n", &number.to_string())]),
        aliases: Vec::new(),
    }
}

fn versions() -> Vec<VersionDetail> {
    vec![
        version("a", 1, 5, Stage::Production),
        version("a", 2, 5, Stage::None),
        version("a", 3, 9, Stage::Production),
        version("a", 4, 9, Stage::Deleted),
        version("b", 1, 7, Stage::None),
    ]
}

fn versions_found(filter: &str, orders: &[&str]) -> Vec<String> {
    let filter = VersionFilter::parse(filter).unwrap();
    let orders: Vec<String> = orders.iter().map(|text| (*text).to_owned()).collect();
    let order = VersionOrder::parse(&orders).unwrap();
    // Pages of two, so that every listing is also a test of the page tokens.
    let (mut all, mut page) = (Vec::new(), PageRequest::first(2));
    loop {
        let mut search = VersionSearch::new(filter.clone(), order.clone(), Readable::All, &page).unwrap();
        for detail in versions() {
            search.see(detail);
        }
        let found = search.page();
        all.extend(found.items.iter().map(|d| format!("{}{}", d.version.model, d.version.number)));
        match found.next {
            Some(next) => page.after = Some(next),
            None => return all,
        }
    }
}

#[test]
fn versions_are_filtered_and_ordered_as_mlflow_does() {
    assert_eq!(versions_found("", &[]), ["a3", "b1", "a2", "a1"]);
    assert_eq!(versions_found("", &["name DESC", "version_number ASC"]), ["b1", "a1", "a2", "a3"]);
    assert_eq!(versions_found("name = 'a' AND version_number >= 2", &[]), ["a3", "a2"]);
    assert_eq!(versions_found("version_number != 1", &["creation_timestamp"]), ["a2", "a3"]);
    assert_eq!(versions_found("version_number = '2'", &[]), ["a2"]);
    let run = format!("run_id IN ('{}')", RunId::from_bytes([2; 16]));
    assert_eq!(versions_found(&run, &[]), ["a2"]);
    assert_eq!(versions_found("run_id != 'x'", &[]), ["a3", "b1", "a2", "a1"]);
    assert_eq!(versions_found("source_path LIKE 's3://b/%'", &[]), ["b1"]);
    assert_eq!(versions_found("tags.n = '3'", &[]), ["a3"]);
    assert_eq!(VersionFilter::parse("name = 'a'").unwrap().model_name(), Some("a"));

    for bad in [vec!["name", "name DESC"], vec!["run_id"], vec!["name UP"], vec!["name ASC DESC"], vec![""]] {
        let bad: Vec<String> = bad.into_iter().map(str::to_owned).collect();
        assert!(VersionOrder::parse(&bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_foreign_page_token_is_refused() {
    let order = ModelOrder::parse(&[]).unwrap();
    let page = PageRequest { limit: 1, after: Some("00".parse().unwrap()) };
    let refused = ModelSearch::new(ModelFilter::default(), order, Readable::All, &page);
    assert_eq!(refused.err(), Some(SearchError::PageToken));
}

#[test]
fn models_by_name_are_looked_at_until_a_page_is_full() {
    let by_name = || {
        let mut all = models();
        all.sort_by(|a, b| a.model.name.cmp(&b.model.name));
        all
    };
    let named = |name: &str| ModelName::new(name).unwrap();
    let some = Readable::Only(["Delay", "churn", "delay two"].map(str::to_owned).into());
    let search = |order: ModelOrder, page: &PageRequest| {
        let mut search = ModelSearch::new(ModelFilter::default(), order, some.clone(), page).unwrap();
        let behind = search.behind().cloned();
        let rest = by_name().into_iter().filter(|detail| Some(&detail.model.name) > behind.as_ref());
        let looked = rest.take_while(|detail| search.see(detail.clone()).is_continue()).count();
        (behind, looked, search.page())
    };
    // `Delay`, `churn`, `delay two`, `greeting`: the second says that there is another page.
    let (behind, looked, first) = search(ModelOrder::parse(&[]).unwrap(), &PageRequest::first(1));
    assert_eq!((behind, looked, first.items[0].model.name.as_str()), (None, 1, "Delay"));
    let page = PageRequest { limit: 2, after: first.next };
    let (behind, looked, rest) = search(ModelOrder::parse(&[]).unwrap(), &page);
    assert_eq!((behind, looked, rest.items.len(), rest.next), (Some(named("Delay")), 3, 2, None));
    let (behind, looked, newest) = search(ModelOrder::last_updated_first(), &PageRequest::first(1));
    assert_eq!((behind, looked, newest.items[0].model.name.as_str()), (None, 4, "Delay"));
}
