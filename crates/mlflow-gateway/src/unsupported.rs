//! What needs requests to providers, and is not offered yet: invocations, budgets of what they cost, guardrails
//! before and behind them. A budget or guardrail that is kept and not held to would be worse than none.

use mainstay_core::action::Action;

use crate::error::CallError;
use mainstay_api::route::Route;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::{Error, MlflowState};

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, manage) = (Action::GatewayRead, Action::GatewayManage);
    let mut rows = Table::v3()
        .get("gateway/budgets/{*call}", read, budgets)
        .post("gateway/budgets/{*call}", manage, budgets)
        .delete("gateway/budgets/{*call}", manage, budgets)
        .get("gateway/guardrails/{*call}", read, guardrails)
        .post("gateway/guardrails/{*call}", manage, guardrails)
        .patch("gateway/guardrails/{*call}", manage, guardrails)
        .delete("gateway/guardrails/{*call}", manage, guardrails)
        .rows();
    let invocations = Table::plain().get("gateway/{*call}", read, invocations).post(
        "gateway/{*call}",
        Action::EndpointInvoke,
        invocations,
    );
    rows.extend(invocations.rows());
    rows
}

async fn budgets() -> Result<(), Error> {
    Err(CallError::NoDataPlane("budgets of the gateway").into())
}

async fn guardrails() -> Result<(), Error> {
    Err(CallError::NoDataPlane("guardrails of the gateway").into())
}

async fn invocations() -> Result<(), Error> {
    Err(CallError::NoDataPlane("sending requests to models").into())
}
