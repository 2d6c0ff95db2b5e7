//! Typed 128-bit ids, written as 32 lower-case hexadecimal characters (the form that `MLflow`
//! clients expect of a run id).

use std::fmt;

use thiserror::Error;

use crate::error::{Coded, ErrorCode};

/// The text was not 32 lower-case hexadecimal characters.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("an id is 32 lower-case hexadecimal characters; this one is not")]
pub struct InvalidId;

impl Coded for InvalidId {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// Parses 32 lower-case hexadecimal characters; used by [`id_type!`](crate::id_type).
pub fn parse_bytes(text: &str) -> Result<[u8; 16], InvalidId> {
    if text.len() != 32 || text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(InvalidId);
    }
    let mut bytes = [0; 16];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidId)?;
    Ok(bytes)
}

/// Writes bytes as lower-case hexadecimal; used by [`id_type!`](crate::id_type).
pub fn write_hex(bytes: [u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let digit = |value: u8| value + if value < 10 { b'0' } else { b'a' - 10 };
    let pairs = bytes.map(|byte| [digit(byte >> 4), digit(byte & 0xf)]);
    f.write_str(std::str::from_utf8(pairs.as_flattened()).map_err(|_| fmt::Error)?)
}

/// Declares an id type: 16 bytes drawn from [`Entropy`](crate::entropy::Entropy), shown as hex.
#[macro_export]
macro_rules! id_type {
    ($(#[$meta:meta])* $vis:vis struct $name:ident;) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name([u8; 16]);

        impl $name {
            /// Wraps 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Draws a new id.
            #[must_use]
            pub fn draw(entropy: &dyn $crate::entropy::Entropy) -> Self {
                Self(entropy.bytes16())
            }

            /// The 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::id::write_hex(self.0, f)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::id::InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::id::parse_bytes(text).map(Self)
            }
        }

        impl $crate::__serde::Serialize for $name {
            fn serialize<S: $crate::__serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> $crate::__serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::__serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <::std::string::String as $crate::__serde::Deserialize>::deserialize(d)?;
                text.parse().map_err($crate::__serde::de::Error::custom)
            }
        }
    };
}

id_type! {
    /// Names one training run (a tracking run, in `MLflow`'s sense).
    pub struct RunId;
}
id_type! {
    /// Names one execution of a pipeline.
    pub struct PipelineRunId;
}
id_type! {
    /// Names one prediction; the key that joins explanation, label and metric to it.
    pub struct PredictionId;
}
id_type! {
    /// Names one API token; the secret is separate and never stored.
    pub struct TokenId;
}
id_type! {
    /// Names one rollout of a model version on an endpoint.
    pub struct RolloutId;
}
id_type! {
    /// Names one alarm.
    pub struct AlarmId;
}
id_type! {
    /// Names one request for a person's approval.
    pub struct ApprovalId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_refuses_other_spellings() {
        let id = RunId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string(), "ab".repeat(16));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("AB".repeat(16).parse::<RunId>(), Err(InvalidId));
        assert_eq!("ab".repeat(15).parse::<RunId>(), Err(InvalidId));
        assert_eq!("zz".repeat(16).parse::<RunId>(), Err(InvalidId));
    }
}
