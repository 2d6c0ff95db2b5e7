//! Users, levels, custom roles and workspaces: the rules of their commands, and what is left of them in the tables.

use std::sync::Arc;

use mainstay_core::action::Action;
use mainstay_core::command::{Authorizer, Command, Commands, Journal, Unit, Verdict};
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::event::EventSeq;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::permission::{Level, Pattern, Permissions};
use mainstay_core::principal::{Grant, Principal, Role};
use mainstay_core::scope::{ResourceKind, Scope, default_workspace};
use mainstay_governance::command::{
    AddRolePermission, AssignRole, Before, ChangeCustomRole, ChangeOwnPassword, ChangeRolePermission,
    CreateCustomRole, CreateUser, CreateWebhook, CreateWorkspace, DeleteCustomRole, DeleteUser,
    DeleteWebhook, DeleteWorkspace, DescribeWorkspace, GrantPermission, GrantRole, RemoveRolePermission,
    RevokePermission, SetAdmin, SetPassword, UnassignRole,
};
use mainstay_governance::people::{CustomRole, Member, Number, People, RolePermission, Target};
use mainstay_governance::policy::{CedarPolicy, Mode};
use mainstay_governance::port::PeopleReader as _;
use mainstay_governance::user::{Password, PasswordHash, UserName};
use mainstay_governance::webhook::{Definition, Dialect, WebhookId, WebhookSecret};
use mainstay_registry::command::{CreateModel, DeleteModel, RenameModel};
use mainstay_registry::name::ModelName;
use mainstay_store::writer::Writer;
use mainstay_tracking::batch::Batch;
use mainstay_tracking::command::{ArtifactLocation, CreateExperiment, CreateRun, DeleteRun, LogBatch};
use mainstay_tracking::experiment::{ExperimentId, ExperimentName};
use mainstay_tracking::port::TrackingReader as _;
use mainstay_tracking::text::{Overlong, Pair};

use crate::both;
use crate::databases::Fresh;

/// The policy of a server.
struct Policy(CedarPolicy);

impl Authorizer for Policy {
    fn allows(&self, principal: &Principal, action: Action, scope: &Scope) -> bool {
        self.0.allows(principal, action, scope)
    }
    fn judges(&self, principal: &Principal, action: Action, scope: &Scope) -> Verdict {
        self.0.judges(principal, action, scope)
    }
    fn refused(&self, _: &Principal, _: Action, _: &Scope) {}
}

fn name(text: &str) -> UserName {
    UserName::new(text).unwrap()
}

fn admin() -> Principal {
    Principal::new(name("root").actor(), Principal::system("x").grants)
}

/// Runs a command as a server would.
async fn run_as<C, Tx: ?Sized + Journal + 'static>(
    fresh: &Fresh,
    caller: &Principal,
    command: C,
) -> Result<C::Out, ErrorCode>
where
    C: Command<Tx = Tx>,
    C::Error: Coded,
    Writer: Unit<Tx>,
{
    let policy = Arc::new(Policy(CedarPolicy::new(Mode::Required).unwrap()));
    let commands = Commands::new(Arc::new(fresh.database.writer.clone()), policy);
    commands.run(caller, command).await.map_err(|error| error.code())
}

async fn run<C, Tx: ?Sized + Journal + 'static>(fresh: &Fresh, command: C) -> Result<C::Out, ErrorCode>
where
    C: Command<Tx = Tx>,
    C::Error: Coded,
    Writer: Unit<Tx>,
{
    run_as(fresh, &admin(), command).await
}

fn hash(seed: u64) -> PasswordHash {
    let password = Password::new(format!("a long password {seed}")).unwrap();
    PasswordHash::of(&password, &SeededEntropy::new(seed)).unwrap()
}

fn create(who: &str, id: i64, admin: bool) -> CreateUser {
    CreateUser { name: name(who), id: Number::new(id), admin, password: hash(id.unsigned_abs()) }
}

fn model(text: &str) -> ModelName {
    ModelName::new(text).unwrap()
}

fn on(kind: ResourceKind, pattern: &str) -> Target {
    Target::new(kind, pattern).unwrap()
}

fn grant(who: &str, on: Target, level: Level, before: Before) -> GrantPermission {
    GrantPermission { workspace: default_workspace(), user: name(who), on, level, before }
}

fn role(id: i64, workspace: &Name, text: &str) -> CreateCustomRole {
    let (id, workspace) = (Number::new(id), workspace.clone());
    let role = CustomRole { id, workspace, name: text.to_owned(), description: Some("why".to_owned()) };
    CreateCustomRole { role, permissions: Vec::new() }
}

fn level_of_role(id: i64, role: i64, on: Target, level: Level) -> AddRolePermission {
    let permission = RolePermission { id: Number::new(id), role: Number::new(role), on, level };
    AddRolePermission { workspace: default_workspace(), permission }
}

async fn people(fresh: &Fresh) -> People {
    fresh.database.reader.people().await.unwrap()
}

/// What a user holds by itself, as texts.
async fn held(fresh: &Fresh, who: &str) -> Vec<String> {
    let people = people(fresh).await;
    let own = people.permissions.iter().filter(|held| held.user == name(who));
    own.map(|held| format!("{} {} {}", held.on.kind_name(), held.on.pattern(), held.level)).collect()
}

async fn is_good(fresh: &Fresh) {
    let state = fresh.database.reader.check_state().await.unwrap();
    assert!(state.is_good(), "{state:#?}");
}

/// Rows in each of these tables, for the test of the projections.
pub(crate) async fn some(fresh: &Fresh) {
    run(fresh, create("root", 1, true)).await.unwrap();
    run(fresh, create("ann", 2, false)).await.unwrap();
    run(fresh, grant("ann", on(ResourceKind::Experiment, "7"), Level::Read, Before::Absent)).await.unwrap();
    run(fresh, role(3, &default_workspace(), "readers")).await.unwrap();
    run(fresh, level_of_role(4, 3, on(ResourceKind::Model, "*"), Level::Read)).await.unwrap();
    let member = Member { id: Number::new(5), role: Number::new(3), user: name("ann") };
    run(fresh, AssignRole { workspace: default_workspace(), member }).await.unwrap();
}

both!(users_come_change_and_go, async |fresh: Fresh| {
    run(&fresh, create("root", 1, true)).await.unwrap();
    run(&fresh, create("ann", 2, false)).await.unwrap();
    assert_eq!(run(&fresh, create("ann", 3, false)).await.err(), Some(ErrorCode::AlreadyExists));
    let ann = Principal::new(name("ann").actor(), Vec::new());
    for denied in [
        run_as(&fresh, &ann, create("eve", 9, true)).await.map(drop),
        run_as(&fresh, &ann, SetAdmin { name: name("ann"), admin: true }).await,
        run_as(&fresh, &ann, SetPassword { name: name("root"), password: hash(9) }).await,
        run_as(&fresh, &ann, DeleteUser { name: name("root") }).await,
        run_as(&fresh, &ann, ChangeOwnPassword { name: name("root"), password: hash(9) }).await,
    ] {
        assert_eq!(denied, Err(ErrorCode::PermissionDenied));
    }
    run_as(&fresh, &ann, ChangeOwnPassword { name: name("ann"), password: hash(7) }).await.unwrap();
    let kept = fresh.database.reader.password(&name("ann")).await.unwrap().unwrap();
    assert_eq!((kept.digest(), people(&fresh).await.user(&name("ann")).unwrap().password), {
        let digest = hash(7).digest();
        (digest, digest)
    });
    // Somebody must be left who can manage the server.
    let demote = |who: &str| SetAdmin { name: name(who), admin: false };
    assert_eq!(run(&fresh, demote("root")).await, Err(ErrorCode::WrongState));
    assert_eq!(run(&fresh, DeleteUser { name: name("root") }).await, Err(ErrorCode::InvalidArgument));
    run(&fresh, SetAdmin { name: name("ann"), admin: true }).await.unwrap();
    run(&fresh, demote("root")).await.unwrap();
    run(&fresh, SetAdmin { name: name("root"), admin: true }).await.unwrap();
    // A new user of the same name inherits nothing.
    let viewer = GrantRole { workspace: default_workspace(), actor: name("ann").actor(), role: Role::Viewer };
    run(&fresh, viewer).await.unwrap();
    run(&fresh, grant("ann", on(ResourceKind::Model, "m"), Level::Edit, Before::Absent)).await.unwrap();
    run(&fresh, DeleteUser { name: name("ann") }).await.unwrap();
    assert_eq!(run(&fresh, DeleteUser { name: name("ann") }).await, Err(ErrorCode::NotFound));
    assert!(fresh.database.reader.password(&name("ann")).await.unwrap().is_none());
    run(&fresh, create("ann", 12, false)).await.unwrap();
    let people = people(&fresh).await;
    let ann = people.user(&name("ann")).unwrap();
    assert!(people.grants_of(ann).is_empty() && people.permissions_of(&ann.name, None).is_empty());
    is_good(&fresh).await;

    // Nothing of a password but a digest is in the log.
    for event in fresh.database.reader.events_after(EventSeq(0), 1_000).await.unwrap() {
        let body = event.body.unwrap().to_string();
        assert!(!body.contains("argon2id") && !body.contains("a long password"), "{body}");
    }
    fresh.tamper("UPDATE users SET admin = 1 WHERE name = 'ann'").await;
    assert!(!fresh.database.reader.check_state().await.unwrap().is_good());
});

both!(levels_follow_the_model_that_they_are_on, async |fresh: Fresh| {
    run(&fresh, create("root", 1, true)).await.unwrap();
    run(&fresh, create("ann", 2, false)).await.unwrap();
    let everybody = Arc::new(Permissions::new(Some(Level::NoPermissions)));
    let ann = Principal::new(name("ann").actor(), Vec::new()).with_permissions(everybody);
    let register = |text: &str| CreateModel {
        workspace: default_workspace(),
        name: model(text),
        description: String::new(),
        tags: Vec::new(),
    };
    // Who creates something manages it, in the same transaction; only users do.
    run_as(&fresh, &ann, register("hers")).await.unwrap();
    run_as(&fresh, &Principal::system("test"), register("nobodys")).await.unwrap();
    let experiment = CreateExperiment {
        workspace: default_workspace(),
        name: ExperimentName::new("hers").unwrap(),
        location: ArtifactLocation::Under("mlflow-artifacts:/".into()),
        tags: Vec::new(),
    };
    run_as(&fresh, &ann, experiment).await.unwrap();
    assert_eq!(held(&fresh, "ann").await, ["experiment 1 MANAGE", "registered_model hers MANAGE"]);
    assert!(held(&fresh, "root").await.is_empty());
    assert_eq!(run(&fresh, register("*")).await.err(), Some(ErrorCode::InvalidName));

    let rename = |from: &str, to: &str| RenameModel {
        workspace: default_workspace(),
        from: model(from),
        to: model(to),
    };
    let target = |text: &str| on(ResourceKind::Model, text);
    run(&fresh, rename("hers", "renamed")).await.unwrap();
    assert_eq!(held(&fresh, "ann").await, ["experiment 1 MANAGE", "registered_model renamed MANAGE"]);
    // Nobody gets something by a name that another thing takes.
    run(&fresh, grant("ann", target("taken"), Level::Read, Before::Absent)).await.unwrap();
    assert_eq!(run(&fresh, rename("renamed", "taken")).await.err(), Some(ErrorCode::WrongState));
    run(&fresh, role(3, &default_workspace(), "readers")).await.unwrap();
    run(&fresh, level_of_role(4, 3, target("free"), Level::Read)).await.unwrap();
    assert_eq!(run(&fresh, rename("renamed", "free")).await.err(), Some(ErrorCode::WrongState));
    // Whoever holds what is known in memory is told.
    let changes = fresh.database.writer.access_changes();
    let before = *changes.borrow();
    run(&fresh, DeleteModel { workspace: default_workspace(), name: model("renamed") }).await.unwrap();
    assert!(*changes.borrow() > before);
    assert_eq!(held(&fresh, "ann").await, ["experiment 1 MANAGE", "registered_model taken READ"]);

    let held_before = || grant("ann", target("taken"), Level::Edit, Before::Present);
    run(&fresh, held_before()).await.unwrap();
    let absent = grant("ann", target("taken"), Level::Edit, Before::Absent);
    assert_eq!(run(&fresh, absent).await, Err(ErrorCode::AlreadyExists));
    let revoke =
        || RevokePermission { workspace: default_workspace(), user: name("ann"), on: target("taken") };
    run(&fresh, revoke()).await.unwrap();
    assert_eq!(run(&fresh, revoke()).await, Err(ErrorCode::NotFound));
    assert_eq!(run(&fresh, held_before()).await, Err(ErrorCode::NotFound));
    let to_nobody = grant("eve", target("m"), Level::Read, Before::Any);
    assert_eq!(run(&fresh, to_nobody).await, Err(ErrorCode::NotFound));
    is_good(&fresh).await;
});

both!(custom_roles_and_workspaces_come_change_and_go, async |fresh: Fresh| {
    some(&fresh).await;
    let here = default_workspace();
    let other = Name::new("other").unwrap();
    let create_other =
        CreateWorkspace { workspace: default_workspace(), name: other.clone(), admin: name("ann").actor() };
    run(&fresh, create_other).await.unwrap();
    assert_eq!(run(&fresh, role(6, &here, "readers")).await.err(), Some(ErrorCode::AlreadyExists));
    run(&fresh, role(6, &other, "readers")).await.unwrap();
    run(&fresh, role(7, &here, "writers")).await.unwrap();
    let change = |id: i64, text: &str| ChangeCustomRole {
        workspace: default_workspace(),
        id: Number::new(id),
        name: Some(text.to_owned()),
        description: None,
    };
    assert_eq!(run(&fresh, change(7, "readers")).await, Err(ErrorCode::AlreadyExists));
    assert_eq!(run(&fresh, change(7, "__user_1__")).await, Err(ErrorCode::InvalidArgument));
    // A role of another workspace is not to be reached from here.
    assert_eq!(run(&fresh, change(6, "x")).await, Err(ErrorCode::NotFound));
    run(&fresh, change(7, "authors")).await.unwrap();
    let again = level_of_role(8, 3, on(ResourceKind::Model, "*"), Level::Edit);
    assert_eq!(run(&fresh, again).await, Err(ErrorCode::AlreadyExists));
    let (role_, id) = (Number::new(3), Number::new(4));
    let raise = ChangeRolePermission { workspace: here.clone(), role: role_, id, level: Level::Edit };
    assert_eq!(run(&fresh, raise).await.unwrap().level, Level::Edit);
    let deny = level_of_role(9, 3, Target::workspace(), Level::Deny);
    assert_eq!(run(&fresh, deny).await, Err(ErrorCode::InvalidArgument));
    let assign = |id: i64, role: i64, who: &str| AssignRole {
        workspace: default_workspace(),
        member: Member { id: Number::new(id), role: Number::new(role), user: name(who) },
    };
    assert_eq!(run(&fresh, assign(10, 3, "ann")).await, Err(ErrorCode::AlreadyExists));
    assert_eq!(run(&fresh, assign(10, 99, "ann")).await, Err(ErrorCode::NotFound));
    assert_eq!(run(&fresh, assign(10, 7, "eve")).await, Err(ErrorCode::NotFound));
    run(&fresh, assign(10, 7, "root")).await.unwrap();
    assert_eq!(people(&fresh).await.roles_of(&name("ann")).count(), 1);
    is_good(&fresh).await;

    let unassign = UnassignRole { workspace: here.clone(), role: role_, user: name("ann") };
    run(&fresh, unassign.clone()).await.unwrap();
    assert_eq!(run(&fresh, unassign).await, Err(ErrorCode::NotFound));
    let remove = RemoveRolePermission { workspace: here.clone(), role: role_, id };
    run(&fresh, remove.clone()).await.unwrap();
    assert_eq!(run(&fresh, remove).await, Err(ErrorCode::NotFound));
    run(&fresh, DeleteCustomRole { workspace: here.clone(), id: Number::new(7) }).await.unwrap();
    assert!(people(&fresh).await.members.is_empty());

    let describe = DescribeWorkspace { name: other.clone(), description: "of others".to_owned() };
    run(&fresh, describe).await.unwrap();
    for bad in ["x".repeat(1_025), "\0".to_owned()] {
        let describe = DescribeWorkspace { name: other.clone(), description: bad };
        assert_eq!(run(&fresh, describe).await, Err(ErrorCode::InvalidArgument));
    }
    assert_eq!(people(&fresh).await.workspaces, [(other.clone(), "of others".to_owned())]);
    let model = CreateModel {
        workspace: other.clone(),
        name: model("m"),
        description: String::new(),
        tags: Vec::new(),
    };
    run(&fresh, model.clone()).await.unwrap();
    let delete = || DeleteWorkspace { name: Name::new("other").unwrap() };
    assert_eq!(run(&fresh, delete()).await, Err(ErrorCode::WrongState));
    run(&fresh, DeleteModel { workspace: other.clone(), name: model.name }).await.unwrap();
    // A webhook that was left would be told what happens in a new workspace of that name.
    let secret = WebhookSecret::draw(&SeededEntropy::new(1));
    let (id, url) = (WebhookId::from_bytes([4; 16]), "https://chat.example/".to_owned());
    let kinds = vec!["role.granted".to_owned()];
    let definition = Definition::native(Name::new("chat").unwrap(), url, kinds, secret).unwrap();
    run(&fresh, CreateWebhook { workspace: other.clone(), id, definition }).await.unwrap();
    assert_eq!(run(&fresh, delete()).await, Err(ErrorCode::WrongState));
    run(&fresh, DeleteWebhook { workspace: other, id, dialect: Dialect::Native }).await.unwrap();
    run(&fresh, delete()).await.unwrap();
    assert_eq!(run(&fresh, delete()).await, Err(ErrorCode::NotFound));
    assert_eq!(run(&fresh, DeleteWorkspace { name: here }).await, Err(ErrorCode::InvalidArgument));
    let people = people(&fresh).await;
    assert_eq!((people.workspaces.len(), people.roles.len(), people.grants.len()), (0, 1, 0));
    is_good(&fresh).await;
});

both!(a_run_is_written_by_who_may_write_its_experiment, async |fresh: Fresh| {
    let create_in = |name: &str| CreateExperiment {
        workspace: default_workspace(),
        name: ExperimentName::new(name).unwrap(),
        location: ArtifactLocation::Under("mlflow-artifacts:/".into()),
        tags: Vec::new(),
    };
    let run_in = |id: RunId, experiment: u64| CreateRun {
        workspace: default_workspace(),
        id,
        experiment: ExperimentId(experiment),
        name: "r".to_owned(),
        user: String::new(),
        start_ms: 0,
        tags: Vec::new(),
    };
    let log = |run: RunId| {
        let param = Pair::param("k".to_owned(), "v".to_owned(), Overlong::Refuse).unwrap();
        let batch = Batch::new(Vec::new(), vec![param], Vec::new()).unwrap();
        LogBatch { workspace: default_workspace(), run, batch }
    };
    let [one, two, new] = [1, 2, 3].map(|n| RunId::from_bytes([n; 16]));
    for (id, experiment) in [(one, 1), (two, 2)] {
        run(&fresh, create_in(&format!("e{experiment}"))).await.unwrap();
        run(&fresh, run_in(id, experiment)).await.unwrap();
    }
    let mut levels = Permissions::default();
    let here = default_workspace();
    levels.add(&here, ResourceKind::Experiment, &Pattern::new("1"), Level::Edit);
    levels.add(&here, ResourceKind::Experiment, &Pattern::new("2"), Level::Deny);
    let levels = Arc::new(levels);
    let editor = || Principal::new(name("ann").actor(), Vec::new()).with_permissions(levels.clone());
    let role = vec![Grant { workspace: Some(here.clone()), role: Role::Developer }];
    let developer = || Principal::new(name("bob").actor(), role.clone()).with_permissions(levels.clone());
    for caller in [editor(), developer()] {
        run_as(&fresh, &caller, log(one)).await.unwrap();
        assert!(caller.reach.as_ref().unwrap().was_asked());
        assert_eq!(run_as(&fresh, &caller, log(two)).await, Err(ErrorCode::PermissionDenied));
        let into = run_as(&fresh, &caller, run_in(new, 2)).await;
        assert_eq!(into.err(), Some(ErrorCode::PermissionDenied));
        // What is not there is not denied: a run's id tells nobody anything.
        assert_eq!(run_as(&fresh, &caller, log(new)).await, Err(ErrorCode::NotFound));
    }
    let delete = |id| DeleteRun { workspace: default_workspace(), id };
    assert_eq!(run_as(&fresh, &editor(), delete(one)).await, Err(ErrorCode::PermissionDenied));
    run_as(&fresh, &developer(), delete(one)).await.unwrap();
    let runs = fresh.database.reader.runs(&here, &[one, two, new]).await.unwrap();
    assert_eq!(runs.iter().map(|found| found.params.len()).collect::<Vec<_>>(), [1, 0]);
});
