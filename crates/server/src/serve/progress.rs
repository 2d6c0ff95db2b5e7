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

#[cfg(test)]
mod tests {
    use mainstay_core::scope::default_workspace;
    use mainstay_core::time::DataTime;

    use super::*;
    use crate::watch;

    #[test]
    fn what_came_too_late_is_told() {
        let (decisions, endpoint) = (Decisions::default(), Name::new("delays").unwrap());
        let (watermark, folded_until) = (DataTime::from_micros(9), DataTime::from_micros(7));
        let known =
            watch::Progress { began: watermark, watermark, folded_until, late: 3, is_deciding: false };
        decisions.note(&default_workspace(), &endpoint, known);
        let told = EndpointProgress::progress(&decisions, &default_workspace(), &endpoint);
        let expected =
            Progress { watermark: Some(watermark), folded_until: Some(folded_until), late: 3, busy: false };
        assert_eq!(told, Some(expected));
    }
}
