//! `server.json` in a data directory: where the process that has it open listens.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

const NAME: &str = "server.json";
/// How often, and how many times, the file of a server that starts is looked for.
const PAUSE: Duration = Duration::from_millis(50);
const LOOKS: usize = 60;

/// The file, there as long as this is. It counts only while somebody holds the lock of the directory: a
/// process that was killed leaves it behind, and the next one that opens the directory takes it away.
#[derive(Debug)]
pub struct ServerFile(PathBuf);

impl ServerFile {
    /// Writes where this process listens.
    pub fn write(root: &Path, address: SocketAddr) -> io::Result<Self> {
        let path = root.join(NAME);
        let draft = root.join(format!("{NAME}.new"));
        let mut file = File::create(&draft)?;
        writeln!(
            file,
            "{}",
            json!({ "url": format!("http://{}", reachable(address)), "pid": std::process::id() })
        )?;
        std::fs::rename(&draft, &path)?;
        Ok(Self(path))
    }

    /// Takes away what a process left that was killed. Only who holds the lock may.
    pub fn clear(root: &Path) -> io::Result<()> {
        match std::fs::remove_file(root.join(NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The address in the file, of a directory whose lock somebody holds; a server that is just starting is
    /// given a moment. `None` if none listens.
    pub async fn wait_for(root: &Path) -> Option<String> {
        for _ in 0..LOOKS {
            if let Some(url) = Self::read(root) {
                return Some(url);
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    fn read(root: &Path) -> Option<String> {
        let text = std::fs::read_to_string(root.join(NAME)).ok()?;
        let file: Value = serde_json::from_str(&text).ok()?;
        Some(file.get("url")?.as_str()?.to_owned())
    }
}

impl Drop for ServerFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(%error, "{}", self.0.display());
        }
    }
}

/// Where a listener is reached from this machine: one on all addresses answers on loopback.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_lives_as_long_as_the_server() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(ServerFile::read(root.path()), None);
        let file = ServerFile::write(root.path(), "0.0.0.0:5000".parse().unwrap()).unwrap();
        assert_eq!(ServerFile::read(root.path()).as_deref(), Some("http://127.0.0.1:5000"));
        drop(file);
        assert_eq!(ServerFile::read(root.path()), None);
        ServerFile::clear(root.path()).unwrap();
    }
}
