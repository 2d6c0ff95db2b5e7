//! The keys that sign heads of the log, as files.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use mainstay_core::entropy::Entropy;
use mainstay_core::failed::Failed;
use mainstay_governance::audit::{PublicKey, SigningKey};

/// The private key; readable to its owner only.
const SECRET_FILE: &str = "audit.key";
/// The public one, to be given to whoever checks.
const PUBLIC_FILE: &str = "audit.pub";

/// Reads the key in the directory of keys; makes one if there is none.
pub fn signing_key(keys: &Path, entropy: &dyn Entropy) -> Result<SigningKey, Failed> {
    read_or_make(keys, entropy).map_err(|error| Failed::file(keys, error))
}

fn read_or_make(keys: &Path, entropy: &dyn Entropy) -> io::Result<SigningKey> {
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

pub(crate) fn write_durably(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let draft = path.with_extension("new");
    let removed = fs::remove_file(&draft);
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

/// The public keys in a directory: every `*.pub`, so that heads of an older key can be checked too.
pub fn public_keys(keys: &Path) -> Result<Vec<PublicKey>, Failed> {
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
pub fn public_key(path: &Path) -> Result<PublicKey, Failed> {
    let text = fs::read_to_string(path).map_err(|error| Failed::file(path, error))?;
    Ok(text.parse()?)
}
