//! How far the watch is, as the routes on endpoints show it.

use mainstay_api::native::endpoint::{EndpointProgress, Progress};
use mainstay_core::name::Name;

use crate::watch::Decisions;

impl EndpointProgress for Decisions {
    fn progress(&self, workspace: &Name, endpoint: &Name) -> Option<Progress> {
        let known = Self::progress(self, workspace, endpoint)?;
        Some(Progress {
            watermark: Some(known.watermark),
            folded_until: Some(known.folded_until),
            late: known.late,
            busy: known.is_deciding,
        })
    }
}
