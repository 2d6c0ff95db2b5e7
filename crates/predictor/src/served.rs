//! What the predictor serves, as the routes on endpoints show it.

use mainstay_api::native::endpoint::{EndpointServing, Served, Trouble};
use mainstay_core::name::Name;

use crate::Predictor;

impl EndpointServing for Predictor {
    fn served(&self, workspace: &Name, endpoint: &Name) -> Served {
        let snapshot = self.snapshot();
        let place = (workspace.clone(), endpoint.clone());
        let trouble = snapshot.troubles.get(&place);
        let found = snapshot.find(workspace.as_str(), endpoint.as_str()).ok();
        Served {
            revision: found.map(|served| served.revision.number),
            reads: found.map_or_else(Vec::new, |served| served.reads()),
            trouble: trouble.map(|known| Trouble { revision: known.revision, reason: known.reason.clone() }),
            watermark: self.watermark(workspace, endpoint),
        }
    }
}
