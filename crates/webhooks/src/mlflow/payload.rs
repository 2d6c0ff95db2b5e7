//! Which events of the record are events of MLflow's, and what is told of them.

use mainstay_core::event::RecordedEvent;
use mainstay_governance::webhook::mlflow::MlflowEvent;
use mainstay_registry::prompt::{IS_PROMPT, PROMPT_TEXT, PROMPT_TYPE, says_prompt};
use serde_json::{Map, Value, json};

use super::Told;

/// What MLflow's server would tell of an event; `None` if nothing, or if its body was erased.
pub(crate) fn payload(event: &RecordedEvent) -> Option<Told> {
    let body = event.body.as_ref()?;
    let id = event.subject.id.as_str();
    let (event_of_theirs, data) = match event.kind.as_str() {
        "model.created" => model_created(id, body),
        "model_version.registered" => version_created(id, body)?,
        "model.tagged" if was_prompt(body) => (MlflowEvent::PromptTagSet, tag(json!({"name": id}), body)),
        "model.untagged" if was_prompt(body) => {
            (MlflowEvent::PromptTagDeleted, tag(json!({"name": id}), body))
        }
        "model_version.tagged" => {
            let which = either(body, MlflowEvent::PromptVersionTagSet, MlflowEvent::VersionTagSet);
            (which, tag(version(id)?, body))
        }
        "model_version.untagged" => {
            let which = either(body, MlflowEvent::PromptVersionTagDeleted, MlflowEvent::VersionTagDeleted);
            (which, tag(version(id)?, body))
        }
        "alias.moved" => {
            let which = either(body, MlflowEvent::PromptAliasCreated, MlflowEvent::AliasCreated);
            let to = body.get("to")?.as_u64()?.to_string();
            (which, json!({"name": id, "alias": body.get("alias")?, "version": to}))
        }
        "alias.deleted" => {
            let which = either(body, MlflowEvent::PromptAliasDeleted, MlflowEvent::AliasDeleted);
            (which, json!({"name": id, "alias": body.get("alias")?}))
        }
        _ => return None,
    };
    Some(Told { event: event_of_theirs, at: event.at, data })
}

/// Whether the model was a prompt when it happened; the commands on tags and aliases say so.
fn was_prompt(body: &Value) -> bool {
    body.get("prompt") == Some(&Value::Bool(true))
}

fn either(body: &Value, of_prompts: MlflowEvent, of_models: MlflowEvent) -> MlflowEvent {
    if was_prompt(body) { of_prompts } else { of_models }
}

fn model_created(name: &str, body: &Value) -> (MlflowEvent, Value) {
    let mut tags = tags(body);
    let event = if is_prompt(&tags) {
        leave_out(&mut tags, &[IS_PROMPT, PROMPT_TYPE]);
        MlflowEvent::PromptCreated
    } else {
        MlflowEvent::ModelCreated
    };
    let description = body.get("description").unwrap_or(&Value::Null);
    (event, json!({"name": name, "tags": tags, "description": description}))
}

fn version_created(id: &str, body: &Value) -> Option<(MlflowEvent, Value)> {
    let (name, number) = id.rsplit_once('/')?;
    let mut tags = tags(body);
    let description = filled(body, "description");
    if !is_prompt(&tags) {
        let data = json!({
            "name": name, "version": number, "source": body.get("source"), "run_id": filled(body, "run"),
            "tags": tags, "description": description,
        });
        return Some((MlflowEvent::VersionCreated, data));
    }
    let template = tags.get(PROMPT_TEXT).cloned();
    leave_out(&mut tags, &[IS_PROMPT, PROMPT_TYPE, PROMPT_TEXT]);
    let data = json!({
        "name": name, "version": number, "template": template, "tags": tags, "description": description,
    });
    Some((MlflowEvent::PromptVersionCreated, data))
}

fn version(id: &str) -> Option<Value> {
    let (name, number) = id.rsplit_once('/')?;
    Some(json!({"name": name, "version": number}))
}

/// What is told of a tag, behind what it is a tag of.
fn tag(mut data: Value, body: &Value) -> Value {
    for member in ["key", "value"] {
        if let (Some(data), Some(value)) = (data.as_object_mut(), body.get(member)) {
            data.insert(member.to_owned(), value.clone());
        }
    }
    data
}

/// The tags that came with a request; of equal keys the last one counts.
fn tags(body: &Value) -> Map<String, Value> {
    let tags = body.get("tags").and_then(Value::as_array).into_iter().flatten();
    tags.filter_map(|tag| Some((tag.get("key")?.as_str()?.to_owned(), tag.get("value")?.clone()))).collect()
}

fn is_prompt(tags: &Map<String, Value>) -> bool {
    tags.get(IS_PROMPT).and_then(Value::as_str).is_some_and(says_prompt)
}

fn leave_out(tags: &mut Map<String, Value>, keys: &[&str]) {
    tags.retain(|key, _| !keys.contains(&key.as_str()));
}

/// A text; an empty one is none.
fn filled<'a>(body: &'a Value, member: &str) -> Option<&'a str> {
    body.get(member).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use mainstay_core::event::EventSeq;
    use mainstay_core::principal::Actor;
    use mainstay_core::scope::{ResourceKind, Subject, default_workspace};
    use mainstay_core::time::MachineTime;

    use super::*;

    fn told(kind: &str, id: &str, body: Value) -> Option<(String, Value)> {
        let event = RecordedEvent {
            seq: EventSeq(1),
            at: MachineTime::from_micros(0),
            kind: kind.to_owned(),
            actor: Actor::local(),
            workspace: default_workspace(),
            subject: Subject::new(ResourceKind::Model, id),
            body: Some(body),
        };
        payload(&event).map(|told| (told.event.to_string(), told.data))
    }

    fn tag_of(key: &str, value: &str) -> Value {
        json!({"key": key, "value": value})
    }

    #[test]
    fn what_is_created_is_a_model_or_a_prompt_by_its_tags() {
        let tags = json!([tag_of("k", "old"), tag_of("k", "v"), tag_of(IS_PROMPT, "false")]);
        let (event, data) = told("model.created", "m", json!({"description": "", "tags": tags})).unwrap();
        assert_eq!(event, "registered_model.created");
        assert_eq!(
            data,
            json!({"name": "m", "tags": {"k": "v", "mlflow.prompt.is_prompt": "false"}, "description": ""})
        );

        let tags =
            json!([tag_of(IS_PROMPT, "false"), tag_of(IS_PROMPT, "True"), tag_of(PROMPT_TYPE, "text")]);
        let (event, data) = told("model.created", "p", json!({"description": "d", "tags": tags})).unwrap();
        assert_eq!(
            (event.as_str(), data),
            ("prompt.created", json!({"name": "p", "tags": {}, "description": "d"}))
        );
    }

    #[test]
    fn what_is_not_said_of_a_version_is_null() {
        let body = json!({
            "source": "s3://b/m", "location": "x", "run": null, "run_link": "", "description": "",
            "tags": [tag_of("k", "v")],
        });
        let (event, data) = told("model_version.registered", "a/12", body).unwrap();
        assert_eq!(event, "model_version.created");
        let expected = json!({
            "name": "a", "version": "12", "source": "s3://b/m", "run_id": null, "tags": {"k": "v"},
            "description": null,
        });
        assert_eq!(data, expected);

        let tags = json!([tag_of(IS_PROMPT, "true"), tag_of(PROMPT_TEXT, "Hi"), tag_of("k", "v")]);
        let body = json!({"source": "dummy-source", "run": "r", "description": "d", "tags": tags});
        let (event, data) = told("model_version.registered", "p/1", body).unwrap();
        assert_eq!(event, "prompt_version.created");
        let expected = json!({
            "name": "p", "version": "1", "template": "Hi", "tags": {"k": "v"}, "description": "d",
        });
        assert_eq!(data, expected);
    }

    #[test]
    fn tags_and_aliases_are_those_of_what_the_model_was() {
        let (set, gone) =
            (|prompt: bool| json!({"key": "k", "value": "v", "prompt": prompt}), json!({"key": "k"}));
        let tag = json!({"name": "m", "version": "3", "key": "k", "value": "v"});
        assert_eq!(
            told("model_version.tagged", "m/3", set(false)),
            Some(("model_version_tag.set".to_owned(), tag.clone()))
        );
        assert_eq!(
            told("model_version.tagged", "m/3", set(true)),
            Some(("prompt_version_tag.set".to_owned(), tag))
        );
        assert_eq!(
            told("model_version.untagged", "m/3", gone.clone()),
            Some(("model_version_tag.deleted".to_owned(), json!({"name": "m", "version": "3", "key": "k"})))
        );
        assert_eq!(told("model.tagged", "m", set(false)), None);
        assert_eq!(told("model.untagged", "m", gone), None);
        assert_eq!(
            told("model.tagged", "p", set(true)),
            Some(("prompt_tag.set".to_owned(), json!({"name": "p", "key": "k", "value": "v"})))
        );
        let moved =
            |prompt| json!({"alias": "live", "from": null, "to": 2, "digest": null, "prompt": prompt});
        let alias = json!({"name": "m", "alias": "live", "version": "2"});
        assert_eq!(
            told("alias.moved", "m", moved(false)),
            Some(("model_version_alias.created".to_owned(), alias.clone()))
        );
        assert_eq!(told("alias.moved", "m", moved(true)), Some(("prompt_alias.created".to_owned(), alias)));
        let deleted = json!({"alias": "live", "from": 2, "prompt": true});
        assert_eq!(
            told("alias.deleted", "m", deleted),
            Some(("prompt_alias.deleted".to_owned(), json!({"name": "m", "alias": "live"})))
        );
    }

    #[test]
    fn the_rest_of_the_record_is_not_told() {
        for kind in ["model.renamed", "model.deleted", "model_version.deleted", "role.granted"] {
            assert_eq!(told(kind, "m", json!({})), None, "{kind}");
        }
    }
}
