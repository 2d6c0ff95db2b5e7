//! The tables that follow from the log: compared with it, and built anew from it.

use std::sync::Arc;

use mainstay_core::command::{Command, Commands, Journal, Unit};
use mainstay_core::digest::Digest;
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::error::Coded;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::default_workspace;
use mainstay_core::time::MachineTime;
use mainstay_governance::audit::StateDifference;
use mainstay_governance::command::{
    CreateToken, CreateWorkspace, GrantRole, RebuildProjections, RecordGates, RevokeRole, RevokeToken,
};
use mainstay_governance::gate::{Figure, GateReport, GateResult, Verdict};
use mainstay_governance::port::{GovernanceTx, ProjectionTx};
use mainstay_governance::token::ApiToken;
use mainstay_pipelines::conformance::CHECKS;
use mainstay_registry::command::{
    CreateModel, DeleteAlias, DeleteModel, DeleteVersion, RegisterVersion, RenameModel, SetAlias,
};
use mainstay_registry::name::{Alias, ModelName, VersionNumber};
use mainstay_serving::command::ChangeEndpoint;
use mainstay_store::writer::Writer;

use crate::both;
use crate::databases::Fresh;
use crate::pipelines::bench;
use crate::registry::governed_endpoint;
use crate::writer::AllowAll;

pub(crate) fn commands(fresh: &Fresh) -> Commands<dyn GovernanceTx> {
    on(fresh)
}

fn on<Tx: ?Sized + Journal + 'static>(fresh: &Fresh) -> Commands<Tx>
where
    Writer: Unit<Tx>,
{
    Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll))
}

pub(crate) fn grant(name: &str) -> GrantRole {
    let actor = Actor::user(Name::new(name).unwrap());
    GrantRole { workspace: default_workspace(), actor, role: Role::Approver }
}

/// Runs a command as somebody who may.
async fn run<C, Tx: ?Sized + Journal + 'static>(fresh: &Fresh, command: C) -> C::Out
where
    C: Command<Tx = Tx>,
    C::Error: Coded,
    Writer: Unit<Tx>,
{
    on::<Tx>(fresh).run(&Principal::system("test"), command).await.unwrap()
}

fn model(name: &str) -> ModelName {
    ModelName::new(name).unwrap()
}

async fn register(fresh: &Fresh, name: &str, versions: usize) {
    let (workspace, description) = (default_workspace(), String::new());
    run(fresh, CreateModel { workspace, name: model(name), description, tags: Vec::new() }).await;
    for _ in 0..versions {
        let register = RegisterVersion {
            workspace: default_workspace(),
            name: model(name),
            source: "mlflow-artifacts:/0/models/m/artifacts".into(),
            location: None,
            run: None,
            run_link: String::new(),
            logged_model: None,
            description: String::new(),
            tags: Vec::new(),
            digest: Some(Digest::of(b"model")),
        };
        run(fresh, register).await;
    }
}

async fn set_alias(fresh: &Fresh, name: &str, alias: &str, number: u32) {
    let (workspace, alias) = (default_workspace(), Alias::new(alias).unwrap());
    run(fresh, SetAlias { workspace, name: model(name), alias, number: VersionNumber(number) }).await;
}

/// Aliases that were set, moved, renamed with their model, and lost in each of the ways there are.
async fn aliases(fresh: &Fresh) {
    register(fresh, "flight-delay", 3).await;
    for (alias, number) in [("champion", 1), ("champion", 2), ("shadow", 3), ("old", 1), ("older", 1)] {
        set_alias(fresh, "flight-delay", alias, number).await;
    }
    let (workspace, alias) = (default_workspace(), Alias::new("old").unwrap());
    run(fresh, DeleteAlias { workspace, name: model("flight-delay"), alias }).await;
    let (workspace, number) = (default_workspace(), VersionNumber(3));
    run(fresh, DeleteVersion { workspace, name: model("flight-delay"), number }).await;
    let (workspace, from, to) = (default_workspace(), model("flight-delay"), model("delays"));
    run(fresh, RenameModel { workspace, from, to }).await;
    register(fresh, "gone", 1).await;
    set_alias(fresh, "gone", "champion", 1).await;
    run(fresh, DeleteModel { workspace: default_workspace(), name: model("gone") }).await;
}

fn report(value: f64) -> GateReport {
    let figure = Figure { value, interval: Some((value - 0.1, value + 1e-9)), limit: None };
    GateReport {
        model: "delays".into(),
        version: Some(2),
        digest: Digest::of(b"model"),
        gates: vec![GateResult {
            name: "incumbent".into(),
            verdict: Verdict::Passed,
            figures: [("auc".to_owned(), figure)].into(),
            sentence: "no worse, “surely”".into(),
        }],
        data: [("flights".to_owned(), "v7".to_owned())].into(),
        evaluated: MachineTime::from_micros(77),
    }
}

/// Grants that were given and taken, a workspace, and tokens.
async fn access(fresh: &Fresh) {
    run(fresh, grant("ann")).await;
    run(fresh, grant("bob")).await;
    let GrantRole { workspace, actor, role } = grant("bob");
    run(fresh, RevokeRole { workspace, actor: actor.clone(), role }).await;
    let team = Name::new("team").unwrap();
    run(fresh, CreateWorkspace { workspace: default_workspace(), name: team, admin: actor }).await;
    for (seed, expires) in [(1, None), (2, Some(MachineTime::MAX))] {
        let token = ApiToken::draw(&SeededEntropy::new(seed));
        let create = CreateToken {
            workspace: default_workspace(),
            id: token.id(),
            label: Name::new("ci").unwrap(),
            digest: token.digest(),
            grants: vec![Grant { workspace: Some(default_workspace()), role: Role::Developer }],
            expires,
        };
        run(fresh, create).await;
        if expires.is_some() {
            run(fresh, RevokeToken { workspace: default_workspace(), id: token.id() }).await;
        }
    }
}

/// A record with rows in every projection, and with rows that came and went.
async fn record(fresh: &Fresh) {
    aliases(fresh).await;
    for value in [0.71, 0.1 + 0.2] {
        run(fresh, RecordGates { workspace: default_workspace(), report: report(value) }).await;
    }
    let create = governed_endpoint();
    let endpoint = create.endpoint.clone();
    run(fresh, create).await;
    let change = ChangeEndpoint { workspace: default_workspace(), expected: 1, governed: true, endpoint };
    run(fresh, change).await;
    access(fresh).await;
    crate::people::some(fresh).await;
    crate::purges::some(fresh).await;
    crate::retention::some(fresh).await;
    crate::quotas::some(fresh).await;
    for (number, check) in (1..).zip(CHECKS).filter(|(_, check)| check.name.contains("approv")) {
        (check.run)(bench(fresh, number)).await.unwrap();
    }
}

/// A change behind Mainstay's back to a cell of each table, and what is said of it.
const TAMPERED: &[(&str, &str, &str)] = &[
    (
        "UPDATE model_aliases SET number = 1 WHERE alias = 'champion'",
        "model_aliases [workspace=default model=delays alias=champion]: the events say number=2",
        "the table says number=1",
    ),
    (
        "UPDATE gate_reports SET document = REPLACE(document, 'passed', 'failed') WHERE number = 2",
        "gate_reports [workspace=default digest=sha256:",
        "failed",
    ),
    (
        "UPDATE approvals SET state = 'approved' WHERE id = (SELECT MIN(id) FROM approvals WHERE state = 'expired')",
        "the events say state=expired",
        "the table says state=approved",
    ),
    (
        "UPDATE endpoints SET governed = 0",
        "endpoints [workspace=default name=delays]: the events say governed=1",
        "the table says governed=0",
    ),
    (
        "UPDATE endpoint_revisions SET number = 3 WHERE number = 2",
        "endpoint_revisions [workspace=default endpoint=delays number=2]: the events say it is there",
        "the table has no such row",
    ),
    (
        "INSERT INTO role_grants (workspace, actor, role) VALUES ('default', 'user:eve', 'admin')",
        "role_grants [workspace=default actor=user:eve role=admin]: no event says it is there",
        "the table has it",
    ),
    (
        "UPDATE api_tokens SET revoked = NULL WHERE revoked IS NOT NULL",
        "the events say revoked=",
        "the table says revoked=null",
    ),
    ("UPDATE users SET admin = 1 WHERE name = 'ann'", "the events say admin=0", "the table says admin=1"),
    (
        "UPDATE permissions SET level = 'MANAGE'",
        "permissions [workspace=default user_name=ann kind=experiment pattern=7]: the events say level=READ",
        "the table says level=MANAGE",
    ),
    (
        "UPDATE custom_roles SET workspace = 'team'",
        "custom_roles [id=3]: the events say workspace=default",
        "the table says workspace=team",
    ),
    (
        "UPDATE custom_role_permissions SET pattern = 'm'",
        "custom_role_permissions [id=4]: the events say pattern=*",
        "the table says pattern=m",
    ),
    (
        "UPDATE custom_role_members SET user_name = 'eve'",
        "custom_role_members [id=5]: the events say user_name=ann",
        "the table says user_name=eve",
    ),
    (
        "UPDATE workspaces SET created = 5",
        "workspaces [name=team]: the events say created=1000000",
        "the table says created=5",
    ),
    (
        "UPDATE quotas SET document = REPLACE(document, '1000', '2000')",
        "quotas [workspace=default]: the events say document=",
        "2000",
    ),
    ("UPDATE purges SET finished = 5", "the events say finished=null", "the table says finished=5"),
    (
        "UPDATE retention_rules SET document = REPLACE(document, 'days\":30', 'days\":31')",
        "retention_rules [workspace=default name=old-runs]: the events say document=",
        "31",
    ),
];

/// Every row of every projection, as text.
async fn rows(fresh: &Fresh) -> Vec<String> {
    mainstay_store::testing::projections(&fresh.database.reader).await.unwrap()
}

both!(a_changed_cell_is_named_and_a_rebuild_gives_equal_tables, async |fresh: Fresh| {
    record(&fresh).await;
    let good = fresh.database.reader.check_state().await.unwrap();
    assert!(good.is_good(), "{good:#?}");
    assert!(good.rows.iter().all(|(_, rows)| *rows > 0), "{:?}", good.rows);
    let before = rows(&fresh).await;

    for (number, (sql, expected, found)) in (1..).zip(TAMPERED) {
        fresh.tamper(sql).await;
        let state = fresh.database.reader.check_state().await.unwrap();
        let said = state.differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(said.contains(expected) && said.contains(found), "{sql}\n{said}");
        // Each table that was changed is named; a moved revision is one missing and one unknown.
        let tables: std::collections::BTreeSet<_> = state.differences.iter().map(table).collect();
        assert_eq!(tables.len(), number, "{said}");
    }

    let rebuild = RebuildProjections { workspace: default_workspace() };
    let found = run::<_, dyn ProjectionTx>(&fresh, rebuild.clone()).await;
    assert_eq!(found.difference_count, TAMPERED.len() as u64 + 1);
    assert_eq!(rows(&fresh).await, before);
    assert!(run::<_, dyn ProjectionTx>(&fresh, rebuild).await.is_good());
    assert_eq!(rows(&fresh).await, before);
    assert!(fresh.database.reader.check_state().await.unwrap().is_good());
});

fn table(difference: &StateDifference) -> &'static str {
    match difference {
        StateDifference::Changed { table, .. }
        | StateDifference::Missing { table, .. }
        | StateDifference::Unknown { table, .. } => table,
        StateDifference::Silent { .. } => "events",
    }
}

both!(an_erased_body_is_named_and_nothing_is_rebuilt_without_it, async |fresh: Fresh| {
    run(&fresh, grant("ann")).await;
    fresh.tamper("UPDATE events SET body = NULL, salt = NULL WHERE seq = 1").await;
    let state = fresh.database.reader.check_state().await.unwrap();
    assert_eq!(
        state.differences[0].to_string(),
        "event 1 (role.granted): its body was erased; what it did cannot be compared"
    );
    let before = rows(&fresh).await;
    let rebuild = RebuildProjections { workspace: default_workspace() };
    let commands: Commands<dyn ProjectionTx> = on(&fresh);
    let refused = commands.run(&Principal::system("test"), rebuild).await.unwrap_err();
    assert!(refused.to_string().contains("event 1"), "{refused}");
    assert_eq!(rows(&fresh).await, before);
});
