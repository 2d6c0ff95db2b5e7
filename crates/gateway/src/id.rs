//! Ids: a letter that says of what, and 32 lower-case hexadecimal characters.

use std::fmt;
use std::str::FromStr;

use mainstay_core::entropy::Entropy;
use mainstay_core::id::{InvalidId, parse_bytes, write_hex};

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Draws a new id.
            #[must_use]
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
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_bytes(text.strip_prefix($prefix).ok_or(InvalidId)?).map(Self)
            }
        }
    )*};
}

ids! {
    /// Names a secret.
    SecretId = "s-";
    /// Names a model definition.
    ModelDefinitionId = "d-";
    /// Names an endpoint.
    EndpointId = "e-";
    /// Names the attachment of a model to an endpoint.
    MappingId = "m-";
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;

    use super::*;

    #[test]
    fn the_letter_belongs_to_the_id() {
        let id = SecretId::draw(&SeededEntropy::new(1));
        let text = id.to_string();
        assert!(text.starts_with("s-") && text.len() == 34);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.replace("s-", "e-").parse::<SecretId>(), Err(InvalidId));
        assert_eq!(text.trim_start_matches("s-").parse::<SecretId>(), Err(InvalidId));
    }
}
