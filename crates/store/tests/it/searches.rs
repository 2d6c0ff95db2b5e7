//! Searches that are shown the rows of a table a chunk at a time.

use std::sync::Arc;
use std::time::Duration;

use mainstay_core::command::Commands;
use mainstay_core::id::RunId;
use mainstay_core::page::PageRequest;
use mainstay_core::permission::Readable;
use mainstay_core::principal::Principal;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::default_workspace;
use mainstay_registry::command::{CreateModel, DeleteVersion, RegisterVersion, SetAlias};
use mainstay_registry::model::VersionDetail;
use mainstay_registry::name::{Alias, ModelName, Tag, VersionNumber};
use mainstay_registry::port::{RegistryReader as _, RegistryTx};
use mainstay_registry::search::{
    ModelFilter, ModelOrder, ModelSearch, VersionFilter, VersionOrder, VersionSearch,
};
use mainstay_tracking::command::{CreateLoggedModel, DeleteLoggedModel};
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::logged_model::LoggedModelId;
use mainstay_tracking::port::{TrackingReader as _, TrackingTx};
use mainstay_tracking::search::{LoggedModelFilter, LoggedModelOrder, LoggedModelSearch};
use mainstay_tracking::text::{Overlong, Pair};

use crate::both;
use crate::databases::Fresh;
use crate::tracking::{create_default, create_run};
use crate::writer::AllowAll;

/// More than a chunk of versions.
const VERSIONS: u32 = 520;
/// More than two chunks of logged models.
const MODELS: u8 = 120;

fn named(name: &str) -> ModelName {
    ModelName::new(name).unwrap()
}

fn version(name: &str, number: u32) -> RegisterVersion {
    RegisterVersion {
        workspace: default_workspace(),
        name: named(name),
        source: "s3://bucket/model".into(),
        location: None,
        run: Some(RunRef::from(RunId::from_bytes([(number % 4) as u8; 16]))),
        run_link: String::new(),
        logged_model: None,
        description: String::new(),
        tags: vec![Tag::new("half", if number.is_multiple_of(2) { "even" } else { "odd" }).unwrap()],
        digest: None,
    }
}

fn labels(found: &[VersionDetail]) -> Vec<(&str, u32)> {
    found.iter().map(|VersionDetail { version, .. }| (version.model.as_str(), version.number.0)).collect()
}

both!(versions_and_models_are_found_over_chunks, async |fresh: Fresh| {
    let commands: Commands<dyn RegistryTx> =
        Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll));
    let (caller, workspace) = (Principal::system("test"), default_workspace());
    let create = |name: &str| CreateModel {
        workspace: default_workspace(),
        name: named(name),
        description: String::new(),
        tags: Vec::new(),
    };
    for name in ["a", "big", "c"] {
        commands.run(&caller, create(name)).await.unwrap();
        for number in 1..=(if name == "big" { VERSIONS } else { 2 }) {
            commands.run(&caller, version(name, number)).await.unwrap();
        }
    }
    let name = named("big");
    let gone = DeleteVersion { workspace: workspace.clone(), name: name.clone(), number: VersionNumber(8) };
    commands.run(&caller, gone).await.unwrap();
    let alias = Alias::new("champion").unwrap();
    let (last, workspace_of) = (VersionNumber(VERSIONS), workspace.clone());
    commands.run(&caller, SetAlias { workspace: workspace_of, name, alias, number: last }).await.unwrap();

    let reader = &fresh.database.reader;
    let find = |filter: &str, orders: &[&str], readable: Readable, limit: usize| {
        let orders: Vec<String> = orders.iter().map(|text| (*text).to_owned()).collect();
        let (filter, order) = (VersionFilter::parse(filter).unwrap(), VersionOrder::parse(&orders).unwrap());
        let search = VersionSearch::new(filter, order, readable, &PageRequest::first(limit)).unwrap();
        reader.search_versions(&workspace, search)
    };
    let all = find("", &["name", "version_number"], Readable::All, 1_000).await.unwrap();
    assert_eq!((all.items.len(), all.next), (VERSIONS as usize - 1 + 4, None));
    assert_eq!(labels(&all.items[..3]), [("a", 1), ("a", 2), ("big", 1)]);
    let last = all.items.iter().find(|detail| detail.version.number.0 == VERSIONS).unwrap();
    assert_eq!((last.aliases[0].as_str(), last.tags["half"].as_str()), ("champion", "even"));
    let newest = find("name = 'big' AND tags.half = 'even'", &["version_number DESC"], Readable::All, 2);
    let newest = newest.await.unwrap();
    assert_eq!(labels(&newest.items), [("big", VERSIONS), ("big", VERSIONS - 2)]);
    assert!(newest.next.is_some());
    let some = Readable::Except(std::iter::once("big".to_owned()).collect());
    let others = find("", &["name", "version_number"], some, 1_000).await.unwrap();
    assert_eq!(labels(&others.items), [("a", 1), ("a", 2), ("c", 1), ("c", 2)]);
    assert!(find("name = 'no:name/'", &[], Readable::All, 1).await.unwrap().items.is_empty());

    let run = RunId::from_bytes([0; 16]).to_string();
    let of_run = reader.versions_of_runs(&workspace, &[run, "none".into()]).await.unwrap();
    // Each fourth, without the deleted one.
    assert_eq!(of_run.len(), VERSIONS as usize / 4 - 1);
    assert_eq!(labels(&of_run[..2]), [("big", 4), ("big", 12)]);

    let models = |order: ModelOrder, limit: usize| {
        let (filter, page) = (ModelFilter::default(), PageRequest::first(limit));
        reader.search_models(&workspace, ModelSearch::new(filter, order, Readable::All, &page).unwrap())
    };
    let page = models(ModelOrder::parse(&[]).unwrap(), 2).await.unwrap();
    assert_eq!((page.items[1].model.name.as_str(), page.next.is_some()), ("big", true));
    let page = models(ModelOrder::last_updated_first(), 5).await.unwrap();
    assert_eq!((page.items.len(), page.next), (3, None));
    let big = page.items.iter().find(|detail| detail.model.name.as_str() == "big").unwrap();
    assert_eq!(big.aliases.values().copied().collect::<Vec<_>>(), [VersionNumber(VERSIONS)]);
});

both!(logged_models_are_found_over_chunks, async |fresh: Fresh| {
    let commands: Commands<dyn TrackingTx> =
        Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll));
    let (caller, workspace) = (Principal::system("test"), default_workspace());
    commands.run(&caller, create_default()).await.unwrap();
    commands.run(&caller, create_run(1)).await.unwrap();
    let id = |n: u8| LoggedModelId::from_bytes([n; 16]);
    for n in 1..=MODELS {
        let create = CreateLoggedModel {
            workspace: workspace.clone(),
            id: id(n),
            experiment: ExperimentId::DEFAULT,
            name: format!("model-{}", n % 10),
            model_type: String::new(),
            source_run: None,
            params: vec![Pair::param("n", n.to_string(), Overlong::Refuse).unwrap()],
            tags: vec![Pair::tag("k", "v", Overlong::Refuse).unwrap()],
        };
        commands.run(&caller, create).await.unwrap();
        if n % 3 == 0 {
            fresh.clock.advance(Duration::from_millis(1));
        }
    }
    let gone = DeleteLoggedModel { workspace: workspace.clone(), id: id(MODELS) };
    commands.run(&caller, gone).await.unwrap();

    let reader = &fresh.database.reader;
    let of = |filter: &str, order: LoggedModelOrder, page: &PageRequest| {
        let filter = LoggedModelFilter::parse(filter, Vec::new()).unwrap();
        let search = LoggedModelSearch::new(filter, order, page).unwrap();
        // Named twice, looked at once.
        reader.search_logged_models(&workspace, &[ExperimentId::DEFAULT; 2], search)
    };
    // All pages of the default order, of seven each, show every model once.
    let (mut seen, mut request) = (Vec::new(), PageRequest::first(7));
    loop {
        let page = of("", LoggedModelOrder::default(), &request).await.unwrap();
        assert!(page.items.iter().all(|one| one.params.len() == 1 && one.tags["k"] == "v"));
        seen.extend(page.items.iter().map(|one| (one.model.created, one.model.id)));
        request.after = page.next;
        if request.after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), usize::from(MODELS) - 1);
    assert!(seen.is_sorted_by(|(a, x), (b, y)| a > b || (a == b && x < y)));
    let first = PageRequest::first(3);
    let by_name = LoggedModelOrder::default().then("name", true, None).unwrap();
    let page = of("params.n IN (11, 60, 110)", by_name, &first).await.unwrap();
    let names: Vec<_> = page.items.iter().map(|one| one.model.name.as_str()).collect();
    assert_eq!((names, page.next), (vec!["model-0", "model-0", "model-1"], None));
    let page = of("params.n = '1'", LoggedModelOrder::default(), &first).await.unwrap();
    assert_eq!(page.items[0].model.id, id(1));
    assert_eq!(reader.count_logged_models(&workspace, ExperimentId::DEFAULT).await.unwrap(), 119);
});
