//! Features of the request itself, computed by one implementation in training and serving.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::logical_expr::cast;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::SessionContext;
use mainstay_features::definition::RequestFeature;

use super::column::arrow_of;
use super::error::FeatureError;

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
