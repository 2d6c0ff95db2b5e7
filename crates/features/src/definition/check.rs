//! From what is written to what is meant: every name is checked and every reference resolved.

use std::collections::BTreeMap;

use super::raw;
use super::types::{
    Aggregate, Content, Dtype, Feature, FeatureRef, FeatureService, FeatureView, Function, JoinKey, Label,
    RequestFeature, Source,
};
use super::{CREATED_TIMESTAMP, DefinitionError, Definitions, EVENT_TIMESTAMP, ROW_ID};
use crate::span::Span;

/// Longest name of a definition or feature, in bytes.
const MAX_IDENTIFIER: usize = 120;
/// Longest SQL expression, in bytes.
const MAX_EXPRESSION: usize = 4_096;
/// Most features in one view, and most features in one service.
const MAX_FEATURES: usize = 4_096;

type Checked<T> = Result<T, DefinitionError>;

fn refuse<T>(place: &str, problem: impl Into<String>) -> Checked<T> {
    Err(DefinitionError::Invalid { place: place.to_owned(), problem: problem.into() })
}

/// A name that can be a column: letters, digits and `_`, not starting with a digit or `__`.
fn identifier(place: &str, name: &str) -> Checked<String> {
    let shape = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if !shape || name.len() > MAX_IDENTIFIER {
        let shown: String = name.chars().take(40).collect();
        return refuse(
            place,
            format!(
                "a name holds ASCII letters, digits and _, at most {MAX_IDENTIFIER}, and starts with no digit; {shown:?} does not"
            ),
        );
    }
    if name.contains("__") || [EVENT_TIMESTAMP, CREATED_TIMESTAMP, ROW_ID].contains(&name) {
        return refuse(place, format!("{name:?} is reserved, as is every name with '__' in it"));
    }
    Ok(name.to_owned())
}

fn expression(place: &str, text: &str) -> Checked<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_EXPRESSION {
        return refuse(place, format!("an SQL expression has 1 to {MAX_EXPRESSION} bytes"));
    }
    Ok(text.to_owned())
}

fn dtype(place: &str, text: &str) -> Checked<Dtype> {
    Dtype::named(text).map_or_else(
        || refuse(place, format!("a dtype is one of bool, int64, float64, string, timestamp; not {text:?}")),
        Ok,
    )
}

fn span(place: &str, text: &str) -> Checked<Span> {
    text.parse::<Span>().or_else(|error| refuse(place, error.to_string()))
}

/// Adds under a name that must be new.
fn insert<T>(map: &mut BTreeMap<String, T>, place: &str, name: String, value: T) -> Checked<()> {
    if map.contains_key(&name) {
        return refuse(place, format!("{name:?} is defined twice"));
    }
    map.insert(name, value);
    Ok(())
}

fn lookup<'a, T>(map: &'a BTreeMap<String, T>, place: &str, kind: &str, name: &str) -> Checked<&'a T> {
    let known = || map.keys().take(20).map(String::as_str).collect::<Vec<_>>().join(", ");
    map.get(name)
        .map_or_else(|| refuse(place, format!("there is no {kind} {name:?}; there is: {}", known())), Ok)
}

pub(super) fn resolve(file: raw::File) -> Checked<Definitions> {
    let mut all = Definitions {
        entities: BTreeMap::new(),
        sources: BTreeMap::new(),
        feature_views: BTreeMap::new(),
        feature_services: BTreeMap::new(),
    };
    for (at, raw) in file.entities.into_iter().enumerate() {
        let place = format!("entities[{at}] {}", raw.name);
        let name = identifier(&place, &raw.name)?;
        insert(&mut all.entities, &place, name, join_keys(&place, &raw.join_keys)?)?;
    }
    for (at, raw) in file.sources.into_iter().enumerate() {
        let place = format!("sources[{at}] {}", raw.name);
        let source = source(&place, raw)?;
        insert(&mut all.sources, &place, source.name.clone(), source)?;
    }
    for (at, raw) in file.feature_views.into_iter().enumerate() {
        let place = format!("feature_views[{at}] {}", raw.name);
        let view = view(&all, &place, raw)?;
        insert(&mut all.feature_views, &place, view.name.clone(), view)?;
    }
    for (at, raw) in file.feature_services.into_iter().enumerate() {
        let place = format!("feature_services[{at}] {}", raw.name);
        let service = service(&all, &place, raw)?;
        insert(&mut all.feature_services, &place, service.name.clone(), service)?;
    }
    Ok(all)
}

fn join_keys(place: &str, raw: &[String]) -> Checked<Vec<JoinKey>> {
    let place = format!("{place}.join_keys");
    if raw.is_empty() || raw.len() > 16 {
        return refuse(&place, "an entity has 1 to 16 join keys");
    }
    let mut keys: Vec<JoinKey> = Vec::with_capacity(raw.len());
    for text in raw {
        let (name, type_name) = text.split_once(':').unwrap_or((text, "string"));
        let (name, dtype) = (identifier(&place, name.trim())?, dtype(&place, type_name.trim())?);
        if matches!(dtype, Dtype::Float64 | Dtype::Timestamp) {
            return refuse(&place, format!("a key is a string, int64 or bool; {name:?} is a {dtype}"));
        }
        if keys.iter().any(|key| key.name == name) {
            return refuse(&place, format!("{name:?} stands there twice"));
        }
        keys.push(JoinKey { expression: format!("\"{name}\""), name, dtype });
    }
    Ok(keys)
}

fn source(place: &str, raw: raw::Source) -> Checked<Source> {
    if raw.dataset.is_empty() {
        return refuse(&format!("{place}.dataset"), "a source names the dataset that it reads");
    }
    let optional = |field: &str, text: Option<String>| {
        text.map(|text| expression(&format!("{place}.{field}"), &text)).transpose()
    };
    Ok(Source {
        name: identifier(place, &raw.name)?,
        dataset: raw.dataset,
        timestamp: expression(&format!("{place}.timestamp"), &raw.timestamp)?,
        created: optional("created", raw.created)?,
        filter: optional("filter", raw.filter)?,
    })
}

fn view(all: &Definitions, place: &str, raw: raw::View) -> Checked<FeatureView> {
    let mut keys: Vec<JoinKey> = Vec::new();
    for entity in &raw.entities {
        for key in lookup(&all.entities, &format!("{place}.entities"), "entity", entity)? {
            match keys.iter().find(|known| known.name == key.name) {
                None => keys.push(key.clone()),
                Some(known) if known.dtype == key.dtype => {}
                Some(_) => {
                    return refuse(
                        &format!("{place}.entities"),
                        format!("two entities give the join key {:?} different types", key.name),
                    );
                }
            }
        }
    }
    for (name, text) in &raw.keys {
        let at = format!("{place}.keys.{name}");
        let Some(key) = keys.iter_mut().find(|key| key.name == *name) else {
            return refuse(&at, "none of the view's entities has this join key");
        };
        key.expression = expression(&at, text)?;
    }
    let content = match (raw.features, raw.aggregates) {
        (Some(features), None) => Content::Features(features_of(place, "features", features)?),
        (None, Some(aggregates)) => Content::Aggregates(aggregates_of(place, aggregates)?),
        _ => return refuse(place, "a feature view has either 'features' or 'aggregates'"),
    };
    let view = FeatureView {
        name: identifier(place, &raw.name)?,
        keys,
        source: lookup(&all.sources, &format!("{place}.source"), "source", &raw.source)?.clone(),
        ttl: raw.ttl.map(|text| span(&format!("{place}.ttl"), &text)).transpose()?,
        content,
    };
    let names: Vec<&str> = view.schema().iter().map(|(name, _)| *name).collect();
    distinct(place, view.keys.iter().map(|key| key.name.as_str()).chain(names))?;
    Ok(view)
}

/// Column names of one frame, of which there are at least one and at most [`MAX_FEATURES`].
fn distinct<'a>(place: &str, names: impl Iterator<Item = &'a str>) -> Checked<()> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return refuse(place, format!("{name:?} names two columns"));
        }
    }
    if seen.len() > MAX_FEATURES {
        return refuse(place, format!("there are more than {MAX_FEATURES} columns"));
    }
    Ok(())
}

fn features_of(place: &str, field: &str, raw: Vec<raw::Feature>) -> Checked<Vec<Feature>> {
    if raw.is_empty() {
        return refuse(&format!("{place}.{field}"), "the list is empty");
    }
    raw.into_iter()
        .enumerate()
        .map(|(at, raw)| {
            let place = format!("{place}.{field}[{at}] {}", raw.name);
            let name = identifier(&place, &raw.name)?;
            let dtype = dtype(&format!("{place}.dtype"), &raw.dtype)?;
            let text = raw.expression.unwrap_or_else(|| format!("\"{name}\""));
            Ok(Feature { expression: expression(&format!("{place}.expression"), &text)?, name, dtype })
        })
        .collect()
}

fn aggregates_of(place: &str, raw: Vec<raw::Aggregate>) -> Checked<Vec<Aggregate>> {
    if raw.is_empty() {
        return refuse(&format!("{place}.aggregates"), "the list is empty");
    }
    raw.into_iter()
        .enumerate()
        .map(|(at, raw)| aggregate(&format!("{place}.aggregates[{at}] {}", raw.name), raw))
        .collect()
}

fn aggregate(place: &str, raw: raw::Aggregate) -> Checked<Aggregate> {
    let Some(function) = Function::named(&raw.function) else {
        return refuse(
            &format!("{place}.function"),
            format!("a function is one of count, sum, mean, min, max, rate; not {:?}", raw.function),
        );
    };
    if raw.column.is_none() && function != Function::Count {
        return refuse(&format!("{place}.column"), format!("{} needs a column", function.as_str()));
    }
    let chosen = raw.dtype.map(|text| dtype(&format!("{place}.dtype"), &text)).transpose()?;
    let whole = matches!(function, Function::Sum | Function::Min | Function::Max);
    let dtype = match chosen {
        None => function.default_dtype(),
        Some(dtype) if dtype == function.default_dtype() || (whole && dtype == Dtype::Int64) => dtype,
        Some(dtype) => {
            return refuse(&format!("{place}.dtype"), format!("{} cannot be a {dtype}", function.as_str()));
        }
    };
    Ok(Aggregate {
        name: identifier(place, &raw.name)?,
        function,
        column: raw.column.map(|text| expression(&format!("{place}.column"), &text)).transpose()?,
        window: span(&format!("{place}.window"), &raw.window)?,
        dtype,
    })
}

fn service(all: &Definitions, place: &str, raw: raw::Service) -> Checked<FeatureService> {
    let mut features = Vec::with_capacity(raw.features.len());
    let mut keys: Vec<JoinKey> = Vec::new();
    for (at, text) in raw.features.iter().enumerate() {
        let place = format!("{place}.features[{at}]");
        let Some((view, feature)) = text.split_once(':') else {
            return refuse(&place, format!("a feature is written view:feature; this is {text:?}"));
        };
        let view = lookup(&all.feature_views, &place, "feature view", view)?;
        if view.feature(feature).is_none() {
            return refuse(&place, format!("the view {:?} has no feature {feature:?}", view.name));
        }
        for key in &view.keys {
            if !keys.iter().any(|known| known.name == key.name) {
                keys.push(JoinKey { expression: format!("\"{}\"", key.name), ..key.clone() });
            }
        }
        features.push(FeatureRef { view: view.name.clone(), feature: feature.to_owned() });
    }
    let request = if raw.request.is_empty() {
        Vec::new()
    } else {
        features_of(place, "request", raw.request)?
            .into_iter()
            .map(|f| RequestFeature { name: f.name, dtype: f.dtype, expression: f.expression })
            .collect()
    };
    if features.is_empty() && request.is_empty() {
        return refuse(place, "a feature service reads at least one feature");
    }
    let columns: Vec<String> = features.iter().map(FeatureRef::column).collect();
    let computed = request.iter().map(|f: &RequestFeature| f.name.as_str());
    distinct(place, columns.iter().map(String::as_str).chain(computed))?;
    let label = raw.label.map(|raw| label(all, &format!("{place}.label"), &raw)).transpose()?;
    Ok(FeatureService { name: identifier(place, &raw.name)?, label, features, request, keys })
}

fn label(all: &Definitions, place: &str, raw: &raw::Label) -> Checked<Label> {
    Ok(Label {
        source: lookup(&all.sources, &format!("{place}.source"), "source", &raw.source)?.clone(),
        expression: expression(&format!("{place}.expression"), &raw.expression)?,
        dtype: dtype(&format!("{place}.dtype"), &raw.dtype)?,
    })
}
