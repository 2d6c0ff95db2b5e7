//! `GET /api/3.0/mlflow/server-info`: what a client may use (`build_server_info_payload`).

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use serde::Serialize;

use crate::MlflowState;
use crate::table::Table;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::v3().get("server-info", Action::ServerProbe, server_info).rows()
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the message has a flag for each ability")]
struct ServerInfo {
    store_type: &'static str,
    artifact_serving_enabled: bool,
    workspaces_enabled: bool,
    trace_archival_enabled: bool,
    multipart_uploads_enabled: bool,
    multipart_downloads_enabled: bool,
    presigned_upload_run_id_supported: bool,
    presigned_upload_model_id_supported: bool,
    model_artifact_presigned_downloads_supported: bool,
    artifacts_presigned_only: bool,
    tracking_auth: &'static str,
    features_enabled: Features,
}

/// Further parts of a server.
#[derive(Debug, Serialize)]
struct Features {
    gateway: bool,
    scheduled_issue_detection: bool,
}

async fn server_info(State(state): State<MlflowState>) -> Json<ServerInfo> {
    let can_sign = state.objects.direct().is_some();
    // Clients that cannot reach the store would fail, and not turn to this server: so it is for the operator to say.
    let is_direct = can_sign && state.people.options.direct_artifacts;
    Json(ServerInfo {
        store_type: "SqlStore",
        artifact_serving_enabled: true,
        workspaces_enabled: state.people.options.offers_workspaces,
        trace_archival_enabled: false,
        multipart_uploads_enabled: is_direct,
        multipart_downloads_enabled: is_direct,
        presigned_upload_run_id_supported: state.artifact_root.can_sign(),
        presigned_upload_model_id_supported: state.artifact_root.can_sign(),
        model_artifact_presigned_downloads_supported: can_sign || state.artifact_root.can_sign(),
        artifacts_presigned_only: false,
        tracking_auth: "",
        features_enabled: Features { gateway: false, scheduled_issue_detection: false },
    })
}
