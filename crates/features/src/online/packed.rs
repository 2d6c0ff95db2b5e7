//! A feature row as one byte string whose order is the order of rows.
//!
//! Layout, version 1:
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `ts`, big-endian microseconds with the sign bit flipped |
//! | 1 | 1 if `created` is known, else 0 |
//! | 8 | `created`, as `ts`; zero if it is not known |
//! | 1 | the version, 1 |
//! | 2 | the number of values, little-endian |
//! | … | per value a tag (0 NULL, 1 false, 2 true, 3 int64, 4 float64, 5 text, 6 instant), then eight little-endian bytes, or for text its length as four little-endian bytes and the text |
//!
//! Comparing two packed rows as bytes compares (`ts`, `created` with NULL lowest, values), so *the
//! greatest byte string is the newest row*, with no tie left between rows that differ. Every NaN is
//! written as the same bits.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::time::DataTime;
use thiserror::Error;

use super::{Stamp, Value};

/// The version that is written.
pub const PACKED_VERSION: u8 = 1;

/// Length of the two instants.
const ORDER: usize = 17;
/// Where the values begin.
const HEADER: usize = ORDER + 3;

/// Why bytes are not a packed row, or a row cannot be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PackError {
    /// Written by a later version of the program.
    #[error("the feature row has format version {0}; this program reads up to {PACKED_VERSION}")]
    Version(u8),
    /// The bytes end early, go on too long, or hold an unknown tag.
    #[error("a stored feature row is damaged")]
    Damaged,
    /// More values, or longer text, than the format holds.
    #[error("a feature row has at most 65,535 values and 4 GiB of text")]
    TooLarge,
}

impl Coded for PackError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Version(_) => ErrorCode::Unsupported,
            Self::Damaged => ErrorCode::Corrupt,
            Self::TooLarge => ErrorCode::TooLarge,
        }
    }
}

fn ordered(time: DataTime) -> [u8; 8] {
    (time.micros().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

fn instant(bytes: &[u8]) -> Option<DataTime> {
    let bits = u64::from_be_bytes(bytes.try_into().ok()?);
    Some(DataTime::from_micros((bits ^ (1 << 63)).cast_signed()))
}

/// Appends one packed row to `out`.
pub fn pack(
    out: &mut Vec<u8>,
    ts: DataTime,
    created: Option<DataTime>,
    values: &[Value],
) -> Result<(), PackError> {
    out.extend(ordered(ts));
    out.push(u8::from(created.is_some()));
    out.extend(created.map_or([0; 8], ordered));
    out.push(PACKED_VERSION);
    out.extend(u16::try_from(values.len()).map_err(|_| PackError::TooLarge)?.to_le_bytes());
    for value in values {
        match value {
            Value::Null => out.push(0),
            Value::Bool(b) => out.push(1 + u8::from(*b)),
            Value::Int(i) => {
                out.push(3);
                out.extend(i.to_le_bytes());
            }
            Value::Float(f) => {
                out.push(4);
                let canonical = if f.is_nan() { f64::NAN } else { *f };
                out.extend(canonical.to_bits().to_le_bytes());
            }
            Value::Text(text) => {
                out.push(5);
                out.extend(u32::try_from(text.len()).map_err(|_| PackError::TooLarge)?.to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
            Value::Time(time) => {
                out.push(6);
                out.extend(time.micros().to_le_bytes());
            }
        }
    }
    Ok(())
}

/// A packed row, looked at in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackedRow<'a>(&'a [u8]);

impl<'a> PackedRow<'a> {
    /// Checks length and version.
    pub fn new(bytes: &'a [u8]) -> Result<Self, PackError> {
        match bytes.get(ORDER) {
            Some(&PACKED_VERSION) if bytes.len() >= HEADER => Ok(Self(bytes)),
            None | Some(&PACKED_VERSION) => Err(PackError::Damaged),
            Some(&version) => Err(PackError::Version(version)),
        }
    }

    /// The instant from which the values hold.
    pub fn ts(self) -> DataTime {
        self.0.get(..8).and_then(instant).unwrap_or(DataTime::MIN)
    }

    /// When they became known.
    pub fn created(self) -> Option<DataTime> {
        if self.0.get(8) == Some(&1) { self.0.get(9..ORDER).and_then(instant) } else { None }
    }

    /// Both instants; `None` if `created` is not known.
    pub fn stamp(self) -> Option<Stamp> {
        Some(Stamp { ts: self.ts(), created: self.created()? })
    }

    /// The bytes.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Reads every value, in order.
    pub fn values(self) -> Result<Vec<Value>, PackError> {
        let mut rest = Rest(self.0.get(ORDER + 1..).ok_or(PackError::Damaged)?);
        let count = u16::from_le_bytes(rest.take::<2>()?);
        // A tag is at least one byte, so a damaged count cannot ask for more memory than the row has.
        let mut values = Vec::with_capacity(usize::from(count).min(rest.0.len()));
        for _ in 0..count {
            values.push(rest.value()?);
        }
        if rest.0.is_empty() { Ok(values) } else { Err(PackError::Damaged) }
    }
}

/// Reads a packed row whole.
pub fn unpack(bytes: &[u8]) -> Result<(DataTime, Option<DataTime>, Vec<Value>), PackError> {
    let row = PackedRow::new(bytes)?;
    Ok((row.ts(), row.created(), row.values()?))
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], PackError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(PackError::Damaged)?;
        self.0 = tail;
        Ok(*head)
    }

    fn value(&mut self) -> Result<Value, PackError> {
        let [tag] = self.take::<1>()?;
        Ok(match tag {
            0 => Value::Null,
            1 => Value::Bool(false),
            2 => Value::Bool(true),
            3 => Value::Int(i64::from_le_bytes(self.take()?)),
            4 => Value::Float(f64::from_bits(u64::from_le_bytes(self.take()?))),
            5 => Value::Text(self.text()?),
            6 => Value::Time(DataTime::from_micros(i64::from_le_bytes(self.take()?))),
            _ => return Err(PackError::Damaged),
        })
    }

    fn text(&mut self) -> Result<String, PackError> {
        let length = usize::try_from(u32::from_le_bytes(self.take()?)).map_err(|_| PackError::Damaged)?;
        let (text, tail) = self.0.split_at_checked(length).ok_or(PackError::Damaged)?;
        self.0 = tail;
        String::from_utf8(text.to_vec()).map_err(|_| PackError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(micros: i64) -> DataTime {
        DataTime::from_micros(micros)
    }

    fn packed(ts: i64, created: Option<i64>, values: &[Value]) -> Vec<u8> {
        let mut out = Vec::new();
        pack(&mut out, time(ts), created.map(time), values).unwrap();
        out
    }

    fn every_kind() -> Vec<Value> {
        vec![
            Value::Null,
            Value::Bool(false),
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::Float(-0.0),
            Value::Text("Ü".to_owned()),
            Value::Time(time(-5)),
        ]
    }

    /// Version 1 as it lies on disks: these bytes must stay readable for ever.
    const VERSION_1: &str = "80000000000000070180000000000000090107000001020300000000000000800400000000\
                             000000800502000000c39c06fbffffffffffffff";

    #[test]
    fn version_1_is_written_and_read_as_ever() {
        let bytes = packed(7, Some(9), &every_kind());
        let pairs = (0..VERSION_1.len()).step_by(2).map(|at| &VERSION_1[at..at + 2]);
        let fixture: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        assert_eq!(bytes, fixture);
        assert_eq!(unpack(&bytes), Ok((time(7), Some(time(9)), every_kind())));
    }

    #[test]
    fn bytes_order_as_rows_do() {
        let ordered = [
            packed(i64::MIN, None, &[]),
            packed(-1, Some(50), &[]),
            packed(0, None, &[Value::Int(9)]),
            packed(0, Some(i64::MIN), &[Value::Int(1)]),
            packed(0, Some(0), &[Value::Int(1)]),
            packed(0, Some(0), &[Value::Int(2)]),
            packed(0, Some(1), &[Value::Int(1)]),
            packed(1, None, &[]),
        ];
        assert!(ordered.is_sorted());
        assert!(ordered.iter().all(|bytes| PackedRow::new(bytes).is_ok()));
    }

    #[test]
    fn every_truncation_and_foreign_version_is_refused() {
        let bytes = packed(7, Some(9), &every_kind());
        for end in 0..bytes.len() {
            assert_eq!(unpack(&bytes[..end]), Err(PackError::Damaged), "cut at {end}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(unpack(&longer), Err(PackError::Damaged));
        let mut later = bytes;
        later[ORDER] = 2;
        assert_eq!(unpack(&later), Err(PackError::Version(2)));
    }

    #[test]
    fn every_nan_is_one_nan() {
        let odd = f64::from_bits(0xfff8_0000_0000_0001);
        assert_eq!(packed(0, None, &[Value::Float(odd)]), packed(0, None, &[Value::Float(f64::NAN)]));
    }
}
