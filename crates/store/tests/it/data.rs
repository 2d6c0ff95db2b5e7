//! Datasets and table versions.

use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_data::commands::{CommitTableVersion, CreateDataset};
use mainstay_data::dataset::Dataset;
use mainstay_data::ports::{DataReader as _, DataTx};
use mainstay_data::schema::{Column, DataType, Schema};
use mainstay_data::table::Manifest;

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn commands(fresh: &Fresh) -> Commands<dyn DataTx> {
    Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll))
}

fn flights() -> CreateDataset {
    let dataset = Dataset {
        name: name("flights"),
        description: "departures".into(),
        declared_types: std::iter::once(("carrier".to_owned(), DataType::Utf8)).collect(),
        time_column: None,
        created_column: None,
    };
    CreateDataset { workspace: default_workspace(), dataset }
}

fn version(columns: &[&str]) -> CommitTableVersion {
    let columns = columns.iter().map(|name| Column::new(*name, DataType::Utf8)).collect();
    let manifest = Manifest { schema: Schema::new(columns).unwrap(), files: Vec::new(), quarantine: None };
    CommitTableVersion {
        workspace: default_workspace(),
        dataset: name("flights"),
        manifest,
        source: "flights.csv".into(),
    }
}

both!(versions_follow_one_another_and_equal_bytes_are_one_version, async |fresh: Fresh| {
    let (commands, caller) = (commands(&fresh), Principal::system("test"));
    commands.run(&caller, flights()).await.unwrap();
    let again = commands.run(&caller, flights()).await.unwrap_err();
    assert_eq!(again.code(), ErrorCode::AlreadyExists);

    let first = commands.run(&caller, version(&["carrier"])).await.unwrap();
    let same = commands.run(&caller, version(&["carrier"])).await.unwrap();
    let second = commands.run(&caller, version(&["carrier", "origin"])).await.unwrap();
    assert_eq!((first.version, first.added), (1, true));
    assert_eq!((same.version, same.added, same.digest), (1, false, first.digest));
    assert_eq!((second.version, second.added), (2, true));

    let (reader, workspace) = (&fresh.database.reader, default_workspace());
    let listed = reader.versions(&workspace, &name("flights"), None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|v| v.version).collect::<Vec<_>>(), [2, 1]);
    let newest = reader.version(&workspace, &name("flights"), None).await.unwrap().unwrap();
    assert_eq!(newest.digest, second.digest);
    assert_eq!(newest.manifest, version(&["carrier", "origin"]).manifest);
    assert_eq!(reader.version(&workspace, &name("flights"), Some(3)).await.unwrap(), None);
    assert_eq!(reader.dataset(&workspace, &name("flights")).await.unwrap(), Some(flights().dataset));
    assert_eq!(reader.dataset(&name("other"), &name("flights")).await.unwrap(), None);
});
