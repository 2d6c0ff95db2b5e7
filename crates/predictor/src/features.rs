//! Features for requests that carry entity keys: stored ones at the request's data time, and those
//! computed from the request itself. Nothing here waits for a database.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use mainstay_api::native::endpoint::ViewReads;
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::name::Name;
use mainstay_core::time::DataTime;
use mainstay_data::schema::DataType;
use mainstay_features::definition::{
    DefinitionError, Definitions, Dtype, EVENT_TIMESTAMP, FeatureService, FeatureView, JoinKey,
};
use mainstay_features::online::{EntityKey, KeyError, Value};
use mainstay_query::features::{FeatureError, RequestFields};
use mainstay_segments::online::{OnlineError, OnlineStore, OnlineView};
use mainstay_serving::endpoint::ServiceRef;
use mainstay_serving::record::{RowStamp, ViewRead};
use mainstay_serving::schema::{FeatureKind, InputSchema};
use mainstay_serving::value::FeatureValue;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a snapshot keeps of the definitions that an endpoint's feature service stands in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptFeatures {
    /// The definitions file.
    pub(super) definitions: String,
    /// The fields that a request may carry besides the keys: the columns of the service's examples.
    pub(super) fields: Vec<(String, Dtype)>,
}

/// Why an endpoint's feature service cannot be used.
#[derive(Debug, Error)]
pub(super) enum ServiceError {
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    #[error("the definitions of {project} have no feature service '{service}'")]
    NoService { project: Name, service: String },
    #[error("the feature service does not fit: {0}")]
    Expression(#[from] FeatureError),
}

/// Why a request cannot be completed.
#[derive(Debug, Error)]
pub enum LookUpError {
    /// Neither a key nor a field of the service.
    #[error("the endpoint knows no entity or field '{name}'; it knows {known}")]
    UnknownField {
        /// What was sent.
        name: String,
        /// What there is.
        known: String,
    },
    /// A key is missing.
    #[error("the request must give the entity '{0}', whose features the model reads")]
    MissingKey(String),
    /// A value of another type.
    #[error("'{name}' must be of type {expected}")]
    Type {
        /// Which key or field.
        name: String,
        /// Its type.
        expected: Dtype,
    },
    /// A key that cannot be one.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store cannot answer for that data time.
    #[error(transparent)]
    Store(#[from] OnlineError),
    /// An expression failed on the values.
    #[error(transparent)]
    Expression(#[from] FeatureError),
}

impl Coded for LookUpError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownField { .. } | Self::MissingKey(_) | Self::Type { .. } => {
                ErrorCode::SignatureMismatch
            }
            Self::Key(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Expression(error) => error.code(),
        }
    }
}

/// The name under which the online store keeps a view.
pub fn online_name(workspace: &Name, project: &Name, view: &str) -> String {
    format!("{workspace}/{project}/{view}")
}

/// A feature service, ready to complete rows in the order of one schema.
pub(super) struct ServiceFeatures {
    store: Arc<OnlineStore>,
    views: Vec<ReadView>,
    request: RequestFields,
    /// Positions of the request features in the schema.
    computed: Vec<Option<usize>>,
    /// Every key and field that a request may carry.
    known: Vec<(String, Dtype)>,
}

impl fmt::Debug for ServiceFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceFeatures").field("views", &self.views).finish_non_exhaustive()
    }
}

/// A view that the service reads.
#[derive(Debug)]
struct ReadView {
    name: String,
    online: String,
    /// The digest of its definition. The values of stored rows have no names: rows of another definition
    /// may hold others at the same positions.
    definition: Digest,
    /// What was read last: it goes on answering when the store takes over another definition.
    last: ArcSwapOption<OnlineView>,
    keys: Vec<JoinKey>,
    /// Position among the view's values, and in the schema.
    picks: Vec<(usize, usize)>,
    /// Rows of requests that were looked up, and those of them beyond what had been materialised.
    reads: AtomicU64,
    beyond: AtomicU64,
}

impl ServiceFeatures {
    /// Compiles a service.
    pub(super) fn new(
        workspace: &Name,
        reference: &ServiceRef,
        kept: &KeptFeatures,
        schema: &InputSchema,
        store: Arc<OnlineStore>,
    ) -> Result<Self, ServiceError> {
        let definitions = Definitions::parse(&kept.definitions)?;
        let ServiceRef { project, service } = reference;
        let missing = || ServiceError::NoService { project: project.clone(), service: service.clone() };
        let service = definitions.service(service).ok_or_else(missing)?;
        let views = views_of(&definitions, service)
            .map(|view| ReadView::new(workspace, project, view, service, schema))
            .collect();
        let instant = (EVENT_TIMESTAMP.to_owned(), Dtype::Timestamp);
        let mut known: Vec<(String, Dtype)> =
            service.keys.iter().map(|key| (key.name.clone(), key.dtype)).collect();
        for field in &kept.fields {
            if field.0 != EVENT_TIMESTAMP && known.iter().all(|(name, _)| *name != field.0) {
                known.push(field.clone());
            }
        }
        let fields = std::iter::once(instant).chain(known.iter().cloned()).collect();
        let request = RequestFields::new(&service.request, fields);
        let computed = service.request.iter().map(|feature| schema.position(&feature.name).ok()).collect();
        Ok(Self { store, views, request, computed, known })
    }

    /// The first view of which the store has rows of another definition, and none of this one.
    pub(super) fn outdated(&self) -> Option<&str> {
        let is_outdated =
            |view: &&ReadView| view.online(&self.store).is_none() && self.store.view(&view.online).is_some();
        self.views.iter().find(is_outdated).map(|view| view.name.as_str())
    }

    /// How far each view is materialised, and how it was read since this was made.
    pub(super) fn reads(&self) -> Vec<ViewReads> {
        let of_view = |view: &ReadView| ViewReads {
            view: view.name.clone(),
            until: view.online(&self.store).and_then(|online| online.coverage()).map(|known| known.until),
            reads: view.reads.load(Ordering::Relaxed),
            beyond: view.beyond.load(Ordering::Relaxed),
        };
        self.views.iter().map(of_view).collect()
    }

    /// Fills what is still null in the rows: the stored features of the entities at each row's data time,
    /// and the computed ones. `given` yields a row's value of a key or field by name. Tells which row of
    /// each view was read.
    pub(super) fn complete<'r>(
        &self,
        given: &Given<'_>,
        times: &[DataTime],
        rows: impl Iterator<Item = &'r mut [FeatureValue]>,
    ) -> Result<Vec<Vec<ViewRead>>, LookUpError> {
        let fields = self.read(given, times)?;
        let computed = self.request.evaluate(&fields)?;
        let mut reads = Vec::with_capacity(times.len());
        for (number, ((row, values), at)) in rows.zip(&fields).zip(times).enumerate() {
            let mut seen = Vec::with_capacity(self.views.len());
            for view in &self.views {
                seen.push(self.look_up(view, values, *at, row)?);
            }
            for (position, column) in self.computed.iter().zip(&computed) {
                if let (Some(position), Some(value)) = (position, column.get(number)) {
                    fill(row, *position, value);
                }
            }
            reads.push(seen);
        }
        Ok(reads)
    }

    /// The keys and fields of every row, typed, behind the row's instant.
    fn read(&self, given: &Given<'_>, times: &[DataTime]) -> Result<Vec<Vec<Value>>, LookUpError> {
        for name in given.names {
            if self.known.iter().all(|(known, _)| known != name) {
                let known: Vec<&str> = self.known.iter().map(|(name, _)| name.as_str()).take(50).collect();
                let name = name.chars().take(250).collect();
                return Err(LookUpError::UnknownField { name, known: known.join(", ") });
            }
        }
        for key in self.views.iter().flat_map(|view| &view.keys) {
            if !given.names.iter().any(|name| *name == key.name) {
                return Err(LookUpError::MissingKey(key.name.clone()));
            }
        }
        let row = |(number, at): (usize, &DataTime)| {
            let fields = self.known.iter().map(|(name, dtype)| {
                let value = (given.value)(name, number);
                typed(*dtype, value).ok_or_else(|| LookUpError::Type { name: name.clone(), expected: *dtype })
            });
            std::iter::once(Ok(Value::Time(*at))).chain(fields).collect()
        };
        times.iter().enumerate().map(row).collect()
    }

    fn look_up(
        &self,
        view: &ReadView,
        fields: &[Value],
        at: DataTime,
        row: &mut [FeatureValue],
    ) -> Result<ViewRead, LookUpError> {
        let value = |key: &JoinKey| {
            let position = self.known.iter().position(|(name, _)| *name == key.name);
            position.and_then(|position| fields.get(position + 1)).cloned().unwrap_or(Value::Null)
        };
        let keys: Vec<Value> = view.keys.iter().map(value).collect();
        let mut read = ViewRead { view: view.name.clone(), row: None, beyond: false };
        // A key that is null matches no row, however far the view is materialised.
        let Some(key) = EntityKey::of(&keys)? else { return Ok(read) };
        view.reads.fetch_add(1, Ordering::Relaxed);
        let reading = view.online(&self.store).map(|online| online.get(&key, at)).transpose()?;
        read.beyond = reading.as_ref().is_none_or(|reading| !reading.complete);
        view.beyond.fetch_add(read.beyond.into(), Ordering::Relaxed);
        let Some(reading) = reading else { return Ok(read) };
        read.row = reading.stamp.map(|stamp| RowStamp { ts: stamp.ts, created: stamp.created });
        for (from, to) in &view.picks {
            if let Some(value) = reading.values.get(*from) {
                fill(row, *to, value);
            }
        }
        Ok(read)
    }
}

/// What a request gives: names of keys and fields, and the value of one in a row.
pub(super) struct Given<'a> {
    pub(super) names: &'a [&'a str],
    pub(super) value: &'a dyn Fn(&str, usize) -> FeatureValue,
}

impl ReadView {
    fn new(
        workspace: &Name,
        project: &Name,
        view: &FeatureView,
        service: &FeatureService,
        schema: &InputSchema,
    ) -> Self {
        let own = service.features.iter().filter(|feature| feature.view == view.name);
        let picks = own.filter_map(|feature| {
            let (from, _) = view.feature(&feature.feature)?;
            Some((from, schema.position(&feature.column()).ok()?))
        });
        Self {
            name: view.name.clone(),
            online: online_name(workspace, project, &view.name),
            definition: view.digest(),
            last: ArcSwapOption::empty(),
            keys: view.keys.clone(),
            picks: picks.collect(),
            reads: AtomicU64::new(0),
            beyond: AtomicU64::new(0),
        }
    }

    /// The stored rows of this definition, if there are any.
    fn online(&self, store: &OnlineStore) -> Option<Arc<OnlineView>> {
        let last = self.last.load();
        let stored = store.view(&self.online).filter(|online| online.spec().definition == self.definition);
        let Some(online) = stored else { return last.clone() };
        if last.as_ref().is_none_or(|last| !Arc::ptr_eq(last, &online)) {
            self.last.store(Some(Arc::clone(&online)));
        }
        Some(online)
    }
}

/// The views that a service reads, each once, by name.
pub fn views_of<'d>(
    definitions: &'d Definitions,
    service: &'d FeatureService,
) -> impl Iterator<Item = &'d FeatureView> {
    let reads = |view: &&FeatureView| service.features.iter().any(|feature| feature.view == view.name);
    definitions.views().filter(reads)
}

/// Types of a table's columns as fields; dates, which requests do not carry, are left out.
pub(super) fn field_type(data_type: DataType) -> Option<Dtype> {
    match data_type {
        DataType::Bool => Some(Dtype::Bool),
        DataType::Int64 => Some(Dtype::Int64),
        DataType::Float64 => Some(Dtype::Float64),
        DataType::Utf8 => Some(Dtype::String),
        DataType::Timestamp => Some(Dtype::Timestamp),
        DataType::Date => None,
    }
}

/// The kind of an endpoint's feature that has a type.
pub const fn kind_of(dtype: Dtype) -> FeatureKind {
    match dtype {
        Dtype::Bool => FeatureKind::Boolean,
        Dtype::Int64 => FeatureKind::Integer,
        Dtype::Float64 | Dtype::Timestamp => FeatureKind::Float,
        Dtype::String => FeatureKind::Text,
    }
}

fn typed(dtype: Dtype, value: FeatureValue) -> Option<Value> {
    Some(match (dtype, value) {
        (_, value) if value.is_missing() => Value::Null,
        (Dtype::Bool, FeatureValue::Boolean(flag)) => Value::Bool(flag),
        (Dtype::Int64, FeatureValue::Integer(int)) => Value::Int(int),
        (Dtype::Float64, FeatureValue::Float(number)) => Value::Float(number),
        (Dtype::Float64, FeatureValue::Integer(int)) => Value::Float(int as f64),
        (Dtype::String, FeatureValue::Text(text)) => Value::Text(text),
        (Dtype::Timestamp, FeatureValue::Text(text)) => Value::Time(DataTime::parse(&text)?),
        _ => return None,
    })
}

/// Puts a value where the request gave none. An instant is seconds since 1970, as in training.
fn fill(row: &mut [FeatureValue], position: usize, value: &Value) {
    let Some(place) = row.get_mut(position).filter(|place| place.is_missing()) else { return };
    *place = match value {
        Value::Null => FeatureValue::Null,
        Value::Bool(flag) => FeatureValue::Boolean(*flag),
        Value::Int(int) => FeatureValue::Integer(*int),
        Value::Float(number) => FeatureValue::Float(*number),
        Value::Text(text) => FeatureValue::Text(text.clone()),
        Value::Time(at) => FeatureValue::Float(at.micros() as f64 / 1e6),
    };
}
