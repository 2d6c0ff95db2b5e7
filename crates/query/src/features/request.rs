//! Features of the request itself, computed by one implementation in training and serving.

use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::logical_expr::cast;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::SessionContext;
use mainstay_features::definition::{Dtype, RequestFeature};
use mainstay_features::online::Value;

use super::column::{Builder, Reader, arrow_of};
use super::error::{FeatureError, missing};

/// The compiled request features of a service, for inputs of one schema.
#[derive(Debug)]
pub struct RequestEvaluator {
    input: SchemaRef,
    features: Vec<(RequestFeature, Arc<dyn PhysicalExpr>)>,
}

impl RequestEvaluator {
    /// Compiles the expressions against the columns of entity frames or requests.
    pub fn new(
        session: &SessionContext,
        features: &[RequestFeature],
        input: &SchemaRef,
    ) -> Result<Self, FeatureError> {
        let schema = DFSchema::try_from(input.as_ref().clone())?;
        let compile = |feature: &RequestFeature| {
            let parsed = session.parse_sql_expr(&feature.expression, &schema);
            let typed = parsed.map(|expr| cast(expr, arrow_of(feature.dtype)));
            let compiled = typed.and_then(|expr| session.create_physical_expr(expr, &schema));
            compiled.map(|compiled| (feature.clone(), compiled)).map_err(|error| FeatureError::Expression {
                place: format!("feature_services.request.{}", feature.name),
                expression: feature.expression.clone(),
                problem: error.strip_backtrace().lines().next().unwrap_or_default().to_owned(),
            })
        };
        let features = features.iter().map(compile).collect::<Result<_, _>>()?;
        Ok(Self { input: Arc::clone(input), features })
    }

    /// The columns that are added, in order.
    pub fn fields(&self) -> Vec<Field> {
        self.features
            .iter()
            .map(|(feature, _)| Field::new(&feature.name, arrow_of(feature.dtype), true))
            .collect()
    }

    /// The features of each row of a batch whose first columns are those of the input schema.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, FeatureError> {
        let columns = batch.columns().iter().take(self.input.fields().len()).cloned().collect();
        let input = RecordBatch::try_new(Arc::clone(&self.input), columns)?;
        let evaluate = |(_, expr): &(RequestFeature, Arc<dyn PhysicalExpr>)| {
            Ok(expr.evaluate(&input)?.into_array(input.num_rows())?)
        };
        self.features.iter().map(evaluate).collect()
    }

    /// The batch with the features added at its end.
    pub fn extend(&self, batch: &RecordBatch) -> Result<RecordBatch, FeatureError> {
        let mut fields: Vec<Field> = batch.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
        fields.extend(self.fields());
        let columns = batch.columns().iter().cloned().chain(self.evaluate(batch)?).collect();
        Ok(RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns)?)
    }
}

/// The request features of a service over single values, for a predictor that has no frames. Compiled when the
/// first row is to be completed: many endpoints are never asked by keys, and the compiler is a large part of
/// the program, which would lie in memory for nothing.
#[derive(Debug)]
pub struct RequestFields {
    fields: Vec<(String, Dtype)>,
    features: Vec<RequestFeature>,
    evaluator: OnceLock<RequestEvaluator>,
}

impl RequestFields {
    /// The expressions over named fields.
    pub fn new(features: &[RequestFeature], fields: Vec<(String, Dtype)>) -> Self {
        Self { fields, features: features.to_vec(), evaluator: OnceLock::new() }
    }

    fn evaluator(&self) -> Result<&RequestEvaluator, FeatureError> {
        if let Some(compiled) = self.evaluator.get() {
            return Ok(compiled);
        }
        let columns = self.fields.iter().map(|(name, dtype)| Field::new(name, arrow_of(*dtype), true));
        let schema: SchemaRef = Arc::new(ArrowSchema::new(columns.collect::<Vec<_>>()));
        let compiled = RequestEvaluator::new(&SessionContext::new(), &self.features, &schema)?;
        Ok(self.evaluator.get_or_init(|| compiled))
    }

    /// Names and types of the fields, in the order in which rows give them.
    pub fn fields(&self) -> &[(String, Dtype)] {
        &self.fields
    }

    /// For each request feature the values of all rows. A row gives one value for each field; one of
    /// another type counts as NULL.
    pub fn evaluate(&self, rows: &[Vec<Value>]) -> Result<Vec<Vec<Value>>, FeatureError> {
        let evaluator = self.evaluator()?;
        let columns = self.fields.iter().enumerate().map(|(position, (_, dtype))| {
            let mut column = Builder::new(*dtype);
            for row in rows {
                column.append(row.get(position));
            }
            column.finish()
        });
        let batch = RecordBatch::try_new(Arc::clone(&evaluator.input), columns.collect())?;
        let values = evaluator.evaluate(&batch)?;
        let read = |(array, (feature, _)): (&ArrayRef, &(RequestFeature, Arc<dyn PhysicalExpr>))| {
            let reader = Reader::of(array).ok_or_else(|| missing(&feature.name))?;
            Ok((0..array.len()).map(|row| reader.value(row)).collect())
        };
        values.iter().zip(&evaluator.features).map(read).collect()
    }
}
