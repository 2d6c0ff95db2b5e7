//! What the predictor serves, as the routes on endpoints show it.

use mainstay_api::native::endpoint::{EndpointServing, Served, Trouble};
use mainstay_core::name::Name;

use crate::Predictor;

impl EndpointServing for Predictor {
    fn served(&self, workspace: &Name, endpoint: &Name) -> Served {
        let snapshot = self.snapshot();
        let place = (workspace.clone(), endpoint.clone());
        let trouble = snapshot.troubles.get(&place);
        Served {
            revision: snapshot
                .find(workspace.as_str(), endpoint.as_str())
                .ok()
                .map(|served| served.revision.number),
            trouble: trouble.map(|known| Trouble { revision: known.revision, reason: known.reason.clone() }),
            watermark: self.watermark(workspace, endpoint),
        }
    }
}
