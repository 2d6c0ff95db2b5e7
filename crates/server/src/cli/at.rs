//! Which Mainstay a command talks to.

use clap::Args;

use super::DataArgs;
use crate::Failed;
use crate::client::{Client, Place};

/// A server, or a data directory: the server that has it open is asked, and where there is none the
/// directory is opened by the command itself.
#[derive(Debug, Clone, Args)]
pub(super) struct At {
    /// A server, such as <http://127.0.0.1:5000>; it is shown the token in `MAINSTAY_TOKEN`.
    #[arg(long, env = "MAINSTAY_SERVER", value_name = "URL")]
    server: Option<String>,
    #[command(flatten)]
    data: DataArgs,
    /// The workspace.
    #[arg(long, env = "MAINSTAY_WORKSPACE", default_value = "default")]
    workspace: String,
}

impl At {
    pub(super) async fn connect(self) -> Result<Client, Failed> {
        let Self { server, data: DataArgs { data, db }, workspace } = self;
        Client::connect(Place { server, token: token(), workspace, data, db }).await
    }
}

/// What a server is shown. Never an argument: those can be read by everybody on the machine.
pub(super) fn token() -> Option<String> {
    std::env::var("MAINSTAY_TOKEN").ok().filter(|token| !token.is_empty())
}
