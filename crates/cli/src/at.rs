//! Which Mainstay a command talks to.

use std::path::PathBuf;

use clap::Args;

use crate::client::{Client, Place};
use crate::credential::Credential;
use crate::{Failed, Missing, Session};

/// Where the data is.
#[derive(Debug, Clone, Args)]
pub struct DataArgs {
    /// The data directory; 'up', 'run' and what lets somebody in create it if it does not exist.
    #[arg(long, env = "MAINSTAY_DATA", default_value = "./mainstay-data")]
    pub data: PathBuf,
    /// A PostgreSQL database instead of the SQLite file in the data directory:
    /// `postgresql://user:password@host/name`
    #[arg(long, env = "MAINSTAY_DB", hide_env_values = true)]
    pub db: Option<String>,
}

/// A server, or a data directory: the server that has it open is asked, and where there is none the
/// directory is opened by the command itself.
#[derive(Debug, Clone, Args)]
pub(crate) struct At {
    /// A server, such as <http://127.0.0.1:5000>; it is shown the token in `MAINSTAY_TOKEN`, or the name and password
    /// in `MAINSTAY_USERNAME` and `MAINSTAY_PASSWORD`.
    #[arg(long, env = "MAINSTAY_SERVER", value_name = "URL", hide_env_values = true)]
    server: Option<String>,
    #[command(flatten)]
    data: DataArgs,
    /// The workspace.
    #[arg(long, env = "MAINSTAY_WORKSPACE", default_value = "default")]
    workspace: String,
}

impl At {
    pub(crate) async fn connect(self, session: Session<'_>) -> Result<Client, Failed> {
        self.find(session, Missing::Refuse).await
    }

    /// The same for what may be the first that is done to a data directory.
    pub(crate) async fn connect_or_make(self, session: Session<'_>) -> Result<Client, Failed> {
        self.find(session, Missing::Make).await
    }

    async fn find(self, session: Session<'_>, missing: Missing) -> Result<Client, Failed> {
        let Self { server, data: DataArgs { data, db }, workspace } = self;
        let credential = Credential::of_environment();
        Client::connect(Place { server, credential, workspace, data, db, missing }, session.local).await
    }
}

/// What a server is shown. Never an argument: those can be read by everybody on the machine.
pub fn token() -> Option<String> {
    std::env::var("MAINSTAY_TOKEN").ok().filter(|token| !token.is_empty())
}
