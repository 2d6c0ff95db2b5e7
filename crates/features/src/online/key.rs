//! The canonical encoding of join key values: one byte string per entity, the same offline and online.

use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error;

use super::Value;

/// Longest key, in bytes.
const MAX_KEY: usize = 4_096;

const TAG_BOOL: u8 = 1;
const TAG_INT: u8 = 2;
const TAG_TEXT: u8 = 3;

/// Why values cannot be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// A float or an instant.
    #[error("a join key is text, a whole number or a boolean")]
    Type,
    /// The encoding would exceed the limit.
    #[error("the join keys of an entity have at most {MAX_KEY} bytes together")]
    TooLong,
}

impl Coded for KeyError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// The values of an entity's join keys, in the order of the view's keys: per value a tag byte, then for
/// a boolean one byte, for a whole number eight big-endian bytes with the sign bit flipped, for text its
/// length as four big-endian bytes and the text. No two different lists of values encode alike. The key
/// of a view that joins on time alone is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityKey(Box<[u8]>);

impl EntityKey {
    /// Encodes; `None` if a value is NULL, because a NULL key matches nothing.
    pub fn of(values: &[Value]) -> Result<Option<Self>, KeyError> {
        let mut bytes = Vec::with_capacity(9 * values.len());
        for value in values {
            if !Self::append(&mut bytes, value)? {
                return Ok(None);
            }
        }
        Ok(Some(Self(bytes.into_boxed_slice())))
    }

    /// Appends one value's encoding; `false`, and nothing appended, if it is NULL.
    pub fn append(bytes: &mut Vec<u8>, value: &Value) -> Result<bool, KeyError> {
        match value {
            Value::Null => return Ok(false),
            Value::Bool(b) => bytes.extend([TAG_BOOL, u8::from(*b)]),
            Value::Int(i) => Self::append_int(bytes, *i),
            Value::Text(text) => Self::append_text(bytes, text)?,
            Value::Float(_) | Value::Time(_) => return Err(KeyError::Type),
        }
        if bytes.len() > MAX_KEY { Err(KeyError::TooLong) } else { Ok(true) }
    }

    /// Appends a whole number.
    pub fn append_int(bytes: &mut Vec<u8>, value: i64) {
        bytes.push(TAG_INT);
        bytes.extend((value.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    }

    /// Appends text.
    pub fn append_text(bytes: &mut Vec<u8>, text: &str) -> Result<(), KeyError> {
        let length = u32::try_from(text.len()).map_err(|_| KeyError::TooLong)?;
        if bytes.len() + text.len() + 5 > MAX_KEY {
            return Err(KeyError::TooLong);
        }
        bytes.push(TAG_TEXT);
        bytes.extend(length.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// Takes bytes that [`EntityKey::of`] or the query layer made.
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_fixed() {
        let key = EntityKey::of(&[Value::Text("JFK".to_owned()), Value::Int(-1), Value::Bool(true)])
            .unwrap()
            .unwrap();
        let text: &[u8] = &[3, 0, 0, 0, 3, b'J', b'F', b'K'];
        let int: &[u8] = &[2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(key.as_bytes(), [text, int, &[1, 1]].concat());
    }

    #[test]
    fn boundaries_between_values_count_and_null_is_no_key() {
        let texts = |a: &str, b: &str| {
            EntityKey::of(&[Value::Text(a.to_owned()), Value::Text(b.to_owned())]).unwrap().unwrap()
        };
        assert_ne!(texts("a", "bc"), texts("ab", "c"));
        assert_eq!(EntityKey::of(&[Value::Int(1), Value::Null]), Ok(None));
        assert_eq!(EntityKey::of(&[]).unwrap().unwrap().as_bytes(), b"");
        assert_eq!(EntityKey::of(&[Value::Float(1.0)]), Err(KeyError::Type));
        assert_eq!(EntityKey::of(&[Value::Text("x".repeat(5_000))]), Err(KeyError::TooLong));
    }
}
