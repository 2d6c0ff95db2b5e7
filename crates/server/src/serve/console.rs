//! What the console works on.

use std::sync::Arc;

use mainstay_demonstration::port::Demonstrations;
use mainstay_predictor::Predictor;
use mainstay_traces::port::TraceTable;
use mainstay_tracking::port::RunSearch;
use mainstay_ui::Console;

use super::routes::retention;
use super::step_logs::StepLogFiles;
use mainstay_platform::Platform;
use mainstay_platform::endpoint_commands::EndpointLoop;

/// The console over this platform; `runs`, `traces` and `demonstrations` are shared with the protocols that
/// find or record them too.
pub(super) fn console(
    platform: &Platform,
    predictor: &Predictor,
    runs: Arc<dyn RunSearch>,
    traces: Arc<dyn TraceTable>,
    demonstrations: Arc<dyn Demonstrations>,
) -> Console {
    let reader = Arc::new(platform.database.reader.clone());
    Console {
        events: Arc::new(platform.database.clone()),
        tracked: reader.clone(),
        runs,
        traced: reader.clone(),
        traces,
        registered: reader.clone(),
        governed: reader.clone(),
        pipelines: reader.clone(),
        served: reader.clone(),
        serving: Arc::new(predictor.clone()),
        progress: platform.decisions.clone(),
        monitored: reader.clone(),
        data: reader.clone(),
        features: reader.clone(),
        saved_views: reader.clone(),
        retention: retention(platform),
        series: reader,
        objects: platform.objects.clone(),
        locate: mainstay_mlflow::stored_location,
        logs: Arc::new(StepLogFiles(platform.layout.clone())),
        deciding: platform.pipelines.clone(),
        endpoints: Arc::new(EndpointLoop(platform.looped.clone())),
        demonstrations,
        clock: platform.clock.clone(),
    }
}
