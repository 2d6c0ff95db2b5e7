//! The key that wraps the keys of the gateway's secrets, as a file, where no passphrase is given.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use mainstay_core::entropy::Entropy;
use mainstay_core::failed::Failed;
use mainstay_gateway::sealing::{KEY_BYTES, KeyEncryptionKey};
use zeroize::Zeroizing;

use crate::keys::write_durably;

/// Readable to its owner only; left out of backups with the other keys unless asked for.
const FILE: &str = "gateway.key";
/// What stands in front of the 64 hexadecimal characters, so that nobody takes it for another key.
const FORM: &str = "mainstay-gateway-key-1:";

/// Reads the key in the directory of keys; makes one if there is none.
pub fn gateway_key(keys: &Path, entropy: &dyn Entropy) -> Result<KeyEncryptionKey, Failed> {
    read_or_make(keys, entropy).map_err(|error| Failed::file(&keys.join(FILE), error))
}

fn read_or_make(keys: &Path, entropy: &dyn Entropy) -> io::Result<KeyEncryptionKey> {
    let path = keys.join(FILE);
    match fs::read_to_string(&path).map(Zeroizing::new) {
        Ok(text) => return parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let key = KeyEncryptionKey::draw(entropy);
    fs::set_permissions(keys, Permissions::from_mode(0o700))?;
    let digits = Zeroizing::new(hex::encode(key.as_bytes()));
    let text = Zeroizing::new(format!("{FORM}{}\n", *digits));
    write_durably(&path, &text, 0o600)?;
    fs::File::open(keys)?.sync_all()?;
    Ok(key)
}

fn parse(text: &str) -> io::Result<KeyEncryptionKey> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    let digits = text.trim_end().strip_prefix(FORM);
    let read = digits.map(|digits| hex::decode_to_slice(digits, &mut *bytes));
    match read {
        Some(Ok(())) => Ok(KeyEncryptionKey::from_bytes(*bytes)),
        // What stands there is not repeated.
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no key of the gateway")),
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_the_owners_alone() {
        let keys = tempfile::tempdir().unwrap();
        let made = gateway_key(keys.path(), &SeededEntropy::new(1)).unwrap();
        let read = gateway_key(keys.path(), &SeededEntropy::new(2)).unwrap();
        assert_eq!(made.as_bytes(), read.as_bytes());
        let bits = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((bits(&keys.path().join(FILE)), bits(keys.path())), (0o600, 0o700));
    }

    #[test]
    fn a_damaged_file_is_told_without_what_it_holds() {
        let keys = tempfile::tempdir().unwrap();
        for bad in ["", "mainstay-gateway-key-1:", "mainstay-gateway-key-1:00ff", "00ff00ff"] {
            fs::write(keys.path().join(FILE), bad).unwrap();
            let told = gateway_key(keys.path(), &SeededEntropy::new(1)).unwrap_err().to_string();
            assert!(told.ends_with("gateway.key: it holds no key of the gateway"), "{told}");
        }
    }
}
