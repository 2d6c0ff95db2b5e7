//! Ids with `MLflow`'s prefixes.

use std::fmt;
use std::str::FromStr;

use mainstay_core::entropy::Entropy;
use mainstay_core::id::{InvalidId, parse_bytes, write_hex};

macro_rules! prefixed_id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Wraps 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Draws a new id.
            pub fn draw(entropy: &dyn Entropy) -> Self {
                Self(entropy.bytes16())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                write_hex(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix($prefix).ok_or(InvalidId).and_then(parse_bytes).map(Self)
            }
        }
    };
}

prefixed_id! {
    /// The id of an evaluation dataset: `d-` and 32 hexadecimal characters.
    DatasetId, "d-"
}
prefixed_id! {
    /// The id of a record of an evaluation dataset: `dr-` and 32 hexadecimal characters.
    RecordId, "dr-"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_with_their_prefix() {
        let (dataset, record) = (DatasetId::from_bytes([0xab; 16]), RecordId::from_bytes([1; 16]));
        assert_eq!(dataset.to_string(), format!("d-{}", "ab".repeat(16)));
        assert_eq!(dataset.to_string().parse(), Ok(dataset));
        assert_eq!(record.to_string().parse(), Ok(record));
        assert_eq!(record.to_string().parse::<DatasetId>(), Err(InvalidId));
        assert_eq!("ab".repeat(16).parse::<DatasetId>(), Err(InvalidId));
    }
}
