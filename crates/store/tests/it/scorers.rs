//! Scorers, their versions, and how they are run on traces as they come.

use std::collections::BTreeSet;
use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_evaluation::scorer::command::{ConfigureScorer, DeleteScorer, RegisterScorer};
use mainstay_evaluation::scorer::port::{ScorerReader as _, ScorerTx};
use mainstay_evaluation::scorer::{OnlineConfigId, RegisteredScorer, ScorerId, SerializedScorer};
use mainstay_gateway::port::GatewayReader as _;
use mainstay_tracking::command::{ArtifactLocation, CreateExperiment, DeleteExperiment};
use mainstay_tracking::experiment::{ExperimentId, ExperimentName};
use mainstay_tracking::port::TrackingTx;

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

fn commands(fresh: &Fresh) -> (Commands<dyn ScorerTx>, Commands<dyn TrackingTx>) {
    let unit = Arc::new(fresh.database.writer.clone());
    (Commands::new(unit.clone(), Arc::new(AllowAll)), Commands::new(unit, Arc::new(AllowAll)))
}

fn caller() -> Principal {
    Principal::system("test")
}

async fn experiment(tracking: &Commands<dyn TrackingTx>, name: &str) -> ExperimentId {
    let create = CreateExperiment {
        workspace: default_workspace(),
        name: ExperimentName::new(name).unwrap(),
        location: ArtifactLocation::Under("mlflow-artifacts:/".into()),
        tags: Vec::new(),
    };
    tracking.run(&caller(), create).await.unwrap().id
}

fn register(seed: u64, experiment: ExperimentId, name: &str, text: &str) -> RegisterScorer {
    let id = ScorerId::draw(&SeededEntropy::new(seed));
    let scorer = SerializedScorer::new(text.to_owned()).unwrap();
    RegisterScorer::new(default_workspace(), id, experiment, name.to_owned(), scorer).unwrap()
}

fn delete(experiment: ExperimentId, name: &str, version: Option<i64>) -> DeleteScorer {
    DeleteScorer { workspace: default_workspace(), experiment, name: name.to_owned(), version }
}

fn shown(found: &[RegisteredScorer]) -> Vec<(u64, &str, i64)> {
    found.iter().map(|one| (one.scorer.experiment.0, one.scorer.name.as_str(), one.version.number)).collect()
}

both!(versions_count_on_from_the_highest_that_is_left, async |fresh: Fresh| {
    let ((scorers, tracking), workspace) = (commands(&fresh), default_workspace());
    let one = experiment(&tracking, "one").await;
    let first = scorers.run(&caller(), register(1, one, "tone", r#"{"v": 1}"#)).await.unwrap();
    let second = scorers.run(&caller(), register(2, one, "tone", r#"{"v": 2}"#)).await.unwrap();
    assert_eq!((first.version.number, second.version.number), (1, 2));
    assert_eq!(first.scorer, second.scorer);

    let reader = &fresh.database.reader;
    let get = async |number| reader.scorer_version(&workspace, one, "tone", number).await.unwrap();
    assert_eq!(get(None).await, Some(second.clone()));
    assert_eq!(get(Some(1)).await, Some(first.clone()));
    assert_eq!(get(Some(3)).await, None);
    assert_eq!(reader.scorer_versions(&workspace, one, "tone").await.unwrap(), [first, second]);
    assert!(reader.scorer_versions(&Name::new("other").unwrap(), one, "tone").await.unwrap().is_empty());

    // The newest is deleted: its number is given again.
    scorers.run(&caller(), delete(one, "tone", Some(2))).await.unwrap();
    let missing = scorers.run(&caller(), delete(one, "tone", Some(2))).await.unwrap_err();
    assert_eq!(missing.code(), ErrorCode::NotFound);
    assert!(missing.to_string().starts_with("Scorer with name 'tone' and version 2 not found"), "{missing}");
    let again = scorers.run(&caller(), register(3, one, "tone", r#"{"v": 3}"#)).await.unwrap();
    assert_eq!(again.version.number, 2);

    // Without versions the scorer is not seen, and keeps its id.
    for number in [1, 2] {
        scorers.run(&caller(), delete(one, "tone", Some(number))).await.unwrap();
    }
    assert_eq!(get(None).await, None);
    assert_eq!(
        scorers.run(&caller(), delete(one, "tone", None)).await.unwrap_err().code(),
        ErrorCode::NotFound
    );
    let back = scorers.run(&caller(), register(4, one, "tone", "{}")).await.unwrap();
    assert_eq!((back.version.number, back.scorer.id), (1, again.scorer.id));
    scorers.run(&caller(), delete(one, "tone", None)).await.unwrap();
    let new = scorers.run(&caller(), register(5, one, "tone", "{}")).await.unwrap();
    assert_ne!(new.scorer.id, again.scorer.id);
});

both!(the_newest_versions_of_active_experiments_are_listed, async |fresh: Fresh| {
    let ((scorers, tracking), workspace) = (commands(&fresh), default_workspace());
    let (one, two) = (experiment(&tracking, "one").await, experiment(&tracking, "two").await);
    for (seed, experiment, name) in [(1, two, "a"), (2, one, "z"), (3, one, "b"), (4, one, "z")] {
        scorers.run(&caller(), register(seed, experiment, name, "{}")).await.unwrap();
    }
    let reader = &fresh.database.reader;
    let all = reader.scorers(&workspace, None).await.unwrap();
    assert_eq!(shown(&all), [(1, "b", 1), (1, "z", 2), (2, "a", 1)]);
    let of = async |ids: &[u64]| {
        let ids: BTreeSet<ExperimentId> = ids.iter().map(|id| ExperimentId(*id)).collect();
        reader.scorers(&workspace, Some(&ids)).await.unwrap()
    };
    assert_eq!(shown(&of(&[2, 1]).await), shown(&all));
    assert_eq!(shown(&of(&[2, 9]).await), [(2, "a", 1)]);
    assert!(of(&[]).await.is_empty());

    tracking.run(&caller(), DeleteExperiment { workspace: workspace.clone(), id: one }).await.unwrap();
    assert_eq!(shown(&reader.scorers(&workspace, None).await.unwrap()), [(2, "a", 1)]);
    let refused = scorers.run(&caller(), register(9, one, "b", "{}")).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::WrongState);
    let unknown = scorers.run(&caller(), register(9, ExperimentId(7), "b", "{}")).await.unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::NotFound);
});

both!(a_scorer_is_configured_anew_each_time, async |fresh: Fresh| {
    let ((scorers, tracking), workspace) = (commands(&fresh), default_workspace());
    let one = experiment(&tracking, "one").await;
    let scorer = scorers.run(&caller(), register(1, one, "tone", "{}")).await.unwrap().scorer;
    let configure = |n: u8, name: &str, rate: f64, filter: Option<&str>| {
        let (id, filter) = (OnlineConfigId::from_bytes([n; 16]), filter.map(str::to_owned));
        ConfigureScorer::new(default_workspace(), id, one, name.to_owned(), rate, filter)
    };
    let ids: BTreeSet<ScorerId> = [scorer.id, ScorerId::draw(&SeededEntropy::new(99))].into();
    let configs = async || fresh.database.reader.online_configs(&workspace, &ids).await.unwrap();
    assert!(configs().await.is_empty());
    let first =
        scorers.run(&caller(), configure(1, "tone", 0.0, Some("status = 'OK'")).unwrap()).await.unwrap();
    assert_eq!(configs().await, [first]);
    let second = scorers.run(&caller(), configure(2, "tone", 0.0, None).unwrap()).await.unwrap();
    assert_eq!((second.id, &second.filter), (OnlineConfigId::from_bytes([2; 16]), &None));
    assert_eq!(configs().await, [second]);

    let refused = scorers.run(&caller(), configure(3, "tone", 0.5, None).unwrap()).await.unwrap_err();
    assert!(refused.to_string().starts_with("Scorer 'tone' does not use a gateway model."), "{refused}");
    let missing = scorers.run(&caller(), configure(3, "none", 0.0, None).unwrap()).await.unwrap_err();
    assert_eq!(missing.code(), ErrorCode::NotFound);
    for (rate, filter) in [(1.5, None), (-0.1, None), (f64::NAN, None), (0.0, Some("status ="))] {
        assert!(configure(4, "tone", rate, filter).is_err(), "{rate} {filter:?}");
    }
    scorers.run(&caller(), delete(one, "tone", None)).await.unwrap();
    assert!(configs().await.is_empty());
});

both!(a_judge_of_the_gateway_is_known_by_its_id, async |fresh: Fresh| {
    let ((scorers, tracking), workspace) = (commands(&fresh), default_workspace());
    let one = experiment(&tracking, "one").await;
    let judge =
        |name: &str| format!(r#"{{"instructions_judge_pydantic_data":{{"model":"gateway:/{name}"}}}}"#);
    let missing = scorers.run(&caller(), register(1, one, "tone", &judge("chat"))).await.unwrap_err();
    assert!(missing.to_string().starts_with("GatewayEndpoint not found (name='chat')"), "{missing}");

    let gateway = crate::gateway::Gateway::new(&fresh);
    let (endpoint, rename, remove) = gateway.endpoint("chat", "talk").await;
    scorers.run(&caller(), register(2, one, "tone", &judge("chat"))).await.unwrap();
    let reader = &fresh.database.reader;
    let bound = reader.bindings(&workspace).await.unwrap();
    assert_eq!((bound[0].key.endpoint, bound[0].display_name.as_deref()), (endpoint, Some("tone")));
    let configure = |rate| {
        let id = OnlineConfigId::draw(&SeededEntropy::new(9));
        ConfigureScorer::new(default_workspace(), id, one, "tone".to_owned(), rate, None).unwrap()
    };
    assert!(scorers.run(&caller(), configure(0.5)).await.unwrap().sample_rate > 0.4);

    gateway.commands.run(&caller(), rename).await.unwrap();
    let shown = async || {
        reader.scorer_version(&workspace, one, "tone", None).await.unwrap().unwrap().version.serialized
    };
    assert!(shown().await.contains("gateway:/talk"));
    gateway.commands.run(&caller(), remove).await.unwrap();
    assert!(shown().await.contains(r#""model":null"#));
    let refused = scorers.run(&caller(), configure(0.5)).await.unwrap_err();
    assert!(refused.to_string().starts_with("Scorer 'tone' does not use a gateway model."), "{refused}");
    scorers.run(&caller(), configure(0.0)).await.unwrap();
});
