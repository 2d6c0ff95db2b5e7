//! The rows that are requests, in the order of their time.

use std::ops::Range;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use mainstay_core::failed::Failed;
use mainstay_core::time::DataTime;
use mainstay_query::files::query;
use serde_json::{Value, json};

use super::plan::Plan;

/// Requests and what became of them.
pub(super) struct Requests {
    /// When each is made, ascending.
    pub(super) times: Vec<DataTime>,
    /// What each turned out to be.
    pub(super) outcomes: Vec<bool>,
    /// Positions in the order in which their labels become known, with when.
    pub(super) known: Vec<(DataTime, usize)>,
    keys: ArrayRef,
    entity: Vec<(String, ArrayRef)>,
}

impl Requests {
    /// Reads them between the plan's instants.
    pub(super) async fn read(
        session: &mainstay_query::session::Session,
        plan: &Plan,
    ) -> Result<Self, Failed> {
        let rows = query(session, &sql(plan)).await?;
        let column = |name: &str| {
            rows.column_by_name(name).ok_or_else(|| Failed::Usage(format!("there is no column {name}")))
        };
        let times = instants(column("request_time")?, "requests.time")?;
        let outcomes = column("label_value")?;
        let outcomes = outcomes
            .as_boolean_opt()
            .ok_or_else(|| Failed::Usage("label.value must be a truth value".to_owned()))?;
        let known = instants(column("label_known")?, "label.known")?;
        let mut known: Vec<(DataTime, usize)> =
            known.into_iter().enumerate().map(|(position, at)| (at, position)).collect();
        known.sort_unstable();
        Ok(Self {
            times,
            outcomes: outcomes.iter().map(Option::unwrap_or_default).collect(),
            known,
            keys: cast(column("request_key")?, &DataType::Utf8)
                .map_err(|error| Failed::outside("requests.key", error))?,
            entity: entity(&rows, plan)?,
        })
    }

    /// The body of the request that asks for some of them.
    pub(super) fn body(&self, plan: &Plan, rows: &Range<usize>) -> Value {
        let times = self.times.get(rows.clone()).unwrap_or_default();
        let entity =
            self.entity.iter().map(|(name, column)| (name.clone(), Value::Array(values(column, rows))));
        json!({
            "inputs": [],
            "parameters": {
                "data_time": times.iter().map(DataTime::to_string).collect::<Vec<_>>(),
                "key": values(&self.keys, rows),
                "prediction_id": rows.clone().map(|row| format!("{row:032x}")).collect::<Vec<_>>(),
                "entity": entity.collect::<serde_json::Map<_, _>>(),
            },
            "outputs": [{ "name": plan.requests.output }],
        })
    }
}

/// The one query. What an expression may be is up to the engine.
fn sql(plan: &Plan) -> String {
    let requests = &plan.requests;
    let entities = requests.entity.values().enumerate();
    let entities: Vec<String> =
        entities.map(|(position, expression)| format!(", ({expression}) AS entity_{position}")).collect();
    format!(
        "SELECT CAST(({time}) AS BIGINT) AS request_time, ({}) AS request_key, ({}) AS label_value, \
         CAST(({}) AS BIGINT) AS label_known{} FROM {} WHERE CAST(({time}) AS BIGINT) >= {} \
         AND CAST(({time}) AS BIGINT) < {} ORDER BY 1, {}",
        requests.key,
        plan.label.value,
        plan.label.known,
        entities.concat(),
        requests.table,
        plan.from.micros(),
        plan.until.micros(),
        requests.order,
        time = requests.time,
    )
}

fn entity(rows: &RecordBatch, plan: &Plan) -> Result<Vec<(String, ArrayRef)>, Failed> {
    let names = plan.requests.entity.keys().enumerate();
    names
        .map(|(position, name)| {
            let column = rows.column_by_name(&format!("entity_{position}"));
            let column = column.ok_or_else(|| Failed::Usage(format!("there is no column {name}")))?;
            let wire = match column.data_type() {
                DataType::Boolean => DataType::Boolean,
                other if other.is_integer() => DataType::Int64,
                other if other.is_floating() => DataType::Float64,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
                other => {
                    return Err(Failed::Usage(format!(
                        "requests.entity.{name} is of type {other}; give text, a number or a truth value"
                    )));
                }
            };
            let column = cast(column, &wire);
            Ok((name.clone(), column.map_err(|error| Failed::outside("reading the requests", error))?))
        })
        .collect()
}

/// Microseconds as instants; each row must have one.
fn instants(column: &ArrayRef, what: &str) -> Result<Vec<DataTime>, Failed> {
    let micros = column.as_primitive_opt::<Int64Type>().filter(|column| column.null_count() == 0);
    let micros = micros.ok_or_else(|| Failed::Usage(format!("{what} must be an instant in every row")))?;
    Ok(micros.values().iter().map(|at| DataTime::from_micros(*at)).collect())
}

/// Some values of a column as JSON.
fn values(column: &ArrayRef, rows: &Range<usize>) -> Vec<Value> {
    let part = column.slice(rows.start, rows.len());
    if let Some(texts) = part.as_string_opt::<i32>() {
        texts.iter().map(Value::from).collect()
    } else if let Some(numbers) = part.as_primitive_opt::<Float64Type>() {
        numbers.iter().map(Value::from).collect()
    } else if let Some(numbers) = part.as_primitive_opt::<Int64Type>() {
        numbers.iter().map(Value::from).collect()
    } else if let Some(flags) = part.as_boolean_opt() {
        flags.iter().map(Value::from).collect()
    } else {
        vec![Value::Null; rows.len()]
    }
}
