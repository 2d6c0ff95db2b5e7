//! What the server answers: its routes, and what their handlers work on.

mod console;
mod process;
mod routes;
mod step_logs;

use mainstay_api::listen::{CONNECTIONS, HttpLimits};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub use routes::{router, table};

/// How this process treats its clients: as many descriptors as their connections take are left for its files. Takes
/// as many as it may have, where it may have more than it has.
pub fn limits() -> HttpLimits {
    let wanted = 2 * CONNECTIONS as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut most = current.unwrap_or(wanted);
    if most < wanted {
        let raised = maximum.unwrap_or(wanted).min(wanted);
        if setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_ok() {
            most = raised;
        }
    }
    HttpLimits::of_connections(CONNECTIONS.min(usize::try_from(most / 2).unwrap_or(CONNECTIONS)))
}
