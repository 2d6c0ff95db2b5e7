//! Signed heads of the log: the key that signs them, and when they are signed.
//!
//! A head says how many events there are and what the root of their tree is. Kept elsewhere, it shows
//! later that nothing before it was changed: see `mainstay audit verify --head`.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mainstay_core::command::{Authorizer, Commands};
use mainstay_core::entropy::Entropy;
use mainstay_core::event::{EventLog as _, EventSeq};
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::Clock;
use mainstay_governance::audit::{Head, PublicKey, SignedHead, SigningKey};
use mainstay_governance::command::KeepHead;
use mainstay_governance::port::AuditTx;
use mainstay_store::Database;
use tokio::sync::watch;

use crate::Failed;

/// The private key; readable to its owner only.
const SECRET_FILE: &str = "audit.key";
/// The public one, to be given to whoever checks.
const PUBLIC_FILE: &str = "audit.pub";
/// So many new events are signed at once.
const EVENTS: u64 = 1_000;
/// So long after a new event a head is signed, however few there are.
const EVERY: Duration = Duration::from_mins(10);
/// How long to wait after a head could not be kept.
const RETRY: Duration = Duration::from_secs(5);

/// Reads the key in the directory of keys; makes one if there is none.
fn signing_key(keys: &Path, entropy: &dyn Entropy) -> io::Result<SigningKey> {
    let path = keys.join(SECRET_FILE);
    let damaged = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    match fs::read_to_string(&path) {
        Ok(text) => return SigningKey::from_file(&text).map_err(damaged),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let key = SigningKey::generate(entropy);
    fs::set_permissions(keys, Permissions::from_mode(0o700))?;
    // The public half first: whoever finds the private one finds both.
    write_durably(&keys.join(PUBLIC_FILE), &key.public().to_file(), 0o644)?;
    write_durably(&path, &key.to_file(), 0o600)?;
    fs::File::open(keys)?.sync_all()?;
    Ok(key)
}

fn write_durably(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let draft = path.with_extension("new");
    let removed = fs::remove_file(&draft);
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

/// The public keys in a directory: every `*.pub`, so that heads of an older key can be checked too.
pub(crate) fn public_keys(keys: &Path) -> Result<Vec<PublicKey>, Failed> {
    let entries = match fs::read_dir(keys) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failed::file(keys, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Failed::file(keys, error))?.path();
        if path.extension().is_some_and(|extension| extension == "pub") {
            found.push(public_key(&path)?);
        }
    }
    Ok(found)
}

/// Reads a public key.
pub(crate) fn public_key(path: &Path) -> Result<PublicKey, Failed> {
    let text = fs::read_to_string(path).map_err(|error| Failed::file(path, error))?;
    Ok(text.parse()?)
}

/// Signs heads, and keeps them beside the log.
pub struct HeadKeeper {
    database: Database,
    commands: Commands<dyn AuditTx>,
    key: SigningKey,
    clock: Arc<dyn Clock>,
}

impl HeadKeeper {
    /// Opens the key in `keys`, or makes one.
    pub fn open(
        keys: &Path,
        entropy: &dyn Entropy,
        database: &Database,
        clock: Arc<dyn Clock>,
        policy: Arc<dyn Authorizer>,
    ) -> Result<Self, Failed> {
        let key = signing_key(keys, entropy).map_err(|error| Failed::file(keys, error))?;
        let commands = Commands::new(Arc::new(database.writer.clone()), policy);
        Ok(Self { database: database.clone(), commands, key, clock })
    }

    /// Signs the log as it stands, unless the newest head covers it already.
    pub async fn sign(&self) -> Result<SignedHead, Failed> {
        let newest = self.database.reader.signed_heads(1).await?.pop();
        let frontier = self.database.reader.frontier().await?;
        if let Some(newest) = newest
            && newest.head.size == frontier.size()
        {
            return Ok(newest);
        }
        let head = Head { size: frontier.size(), root: frontier.root(), time: self.clock.now() };
        let head = self.key.sign(head);
        let keep = KeepHead { workspace: default_workspace(), head: head.clone() };
        self.commands.run(&Principal::system("heads"), keep).await?;
        Ok(head)
    }

    /// Signs every thousand events, and ten minutes after one, until `stop` turns true.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut log = self.database.head();
        let mut signed = EventSeq(0);
        loop {
            let due = async {
                // An error says that the writer is gone, and nothing more will come.
                log.wait_for(|last| *last > signed).await.map_err(drop)?;
                let many = log.wait_for(|last| last.0 >= signed.0 + EVENTS);
                tokio::time::timeout(EVERY, many).await.map_or(Ok(()), |many| many.map(drop).map_err(drop))
            };
            tokio::select! {
                due = due => if due.is_err() { return },
                _ = stop.wait_for(|stop| *stop) => return,
            }
            match self.sign().await {
                Ok(head) => signed = EventSeq(head.head.size),
                Err(error) => {
                    tracing::warn!(%error, "a head could not be kept");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}
