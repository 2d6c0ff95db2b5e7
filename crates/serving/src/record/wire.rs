//! Bounded reading and writing of little binary values.
//!
//! Lengths and counts are LEB128 varints; times are zigzag varints; ids and floats are little-endian
//! bytes. A reader never allocates more than the input is long, and never panics.

use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error;

use crate::value::FeatureValue;

/// Longest encoded record, in bytes.
pub const MAX_ENCODED: usize = 1 << 20;
/// Items of a list for which memory is taken before they are read.
const RESERVED: usize = 64;

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CodecError {
    /// It ends too early, or a count promises more than there is.
    #[error("a logged record ends too early")]
    Truncated,
    /// Bytes are left over.
    #[error("a logged record is followed by bytes that do not belong to it")]
    Trailing,
    /// A format that this version does not know.
    #[error("a logged record has format {0}, which this version does not know; upgrade to read it")]
    Version(u8),
    /// A field holds what it cannot hold.
    #[error("a logged record has a bad {0}")]
    Field(&'static str),
    /// Longer than [`MAX_ENCODED`].
    #[error("a prediction of {0} bytes is too large to be logged; at most {MAX_ENCODED} are")]
    TooLarge(usize),
}

impl Coded for CodecError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge(_) => ErrorCode::TooLarge,
            Self::Version(_) => ErrorCode::Unsupported,
            _ => ErrorCode::Corrupt,
        }
    }
}

/// Appends values to a buffer that the caller reuses.
pub(super) struct Writer<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
}

impl<'b> Writer<'b> {
    /// Begins an item behind what the buffer holds, with the number of its format.
    pub(super) fn begin(out: &'b mut Vec<u8>, format: u8) -> Self {
        let start = out.len();
        out.push(format);
        Self { out, start }
    }

    /// Ends the item; one that is too large is taken back.
    pub(super) fn finish(self) -> Result<(), CodecError> {
        let length = self.out.len() - self.start;
        if length > MAX_ENCODED {
            self.out.truncate(self.start);
            return Err(CodecError::TooLarge(length));
        }
        Ok(())
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.byte((value & 0x7f) as u8);
    }

    pub(super) fn signed(&mut self, value: i64) {
        self.unsigned(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    pub(super) fn float(&mut self, value: f64) {
        self.raw(&value.to_bits().to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.raw(text.as_bytes());
    }

    pub(super) fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.unsigned(items.len() as u64);
        for one in items {
            item(self, one);
        }
    }

    pub(super) fn value(&mut self, value: &FeatureValue) {
        match value {
            FeatureValue::Null => self.byte(0),
            FeatureValue::Boolean(false) => self.byte(1),
            FeatureValue::Boolean(true) => self.byte(2),
            FeatureValue::Integer(number) => {
                self.byte(3);
                self.signed(*number);
            }
            FeatureValue::Float(number) => {
                self.byte(4);
                self.float(*number);
            }
            FeatureValue::Text(text) => {
                self.byte(5);
                self.text(text);
            }
        }
    }
}

/// Takes values from the front of a slice.
pub(super) struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    /// Begins to read an item, whose format must be one of 1 to `newest`; tells which it is.
    pub(super) fn begin(bytes: &'b [u8], newest: u8) -> Result<(Self, u8), CodecError> {
        if bytes.len() > MAX_ENCODED {
            return Err(CodecError::TooLarge(bytes.len()));
        }
        let mut reader = Self { rest: bytes };
        let found = reader.byte()?;
        if (1..=newest).contains(&found) { Ok((reader, found)) } else { Err(CodecError::Version(found)) }
    }

    pub(super) fn raw(&mut self, count: usize) -> Result<&'b [u8], CodecError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn unsigned(&mut self) -> Result<u64, CodecError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(CodecError::Field("number"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, CodecError> {
        let zigzag = self.unsigned()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    pub(super) fn small<T: TryFrom<u64>>(&mut self, field: &'static str) -> Result<T, CodecError> {
        T::try_from(self.unsigned()?).map_err(|_| CodecError::Field(field))
    }

    pub(super) fn float(&mut self) -> Result<f64, CodecError> {
        self.array().map(|bytes| f64::from_bits(u64::from_le_bytes(bytes)))
    }

    pub(super) fn text(&mut self) -> Result<String, CodecError> {
        let length = self.small("length")?;
        let bytes = self.raw(length)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| CodecError::Field("text"))
    }

    /// A counted list. Every item takes at least a byte, so a count beyond what is left is a lie and
    /// nothing is reserved for it.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let count: usize = self.small("count")?;
        if count > self.rest.len() {
            return Err(CodecError::Truncated);
        }
        let mut items = Vec::with_capacity(count.min(RESERVED));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    pub(super) fn value(&mut self) -> Result<FeatureValue, CodecError> {
        Ok(match self.byte()? {
            0 => FeatureValue::Null,
            1 => FeatureValue::Boolean(false),
            2 => FeatureValue::Boolean(true),
            3 => FeatureValue::Integer(self.signed()?),
            4 => FeatureValue::Float(self.float()?),
            5 => FeatureValue::Text(self.text()?),
            _ => return Err(CodecError::Field("value")),
        })
    }

    pub(super) fn finish(self) -> Result<(), CodecError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CodecError::Trailing) }
    }
}
