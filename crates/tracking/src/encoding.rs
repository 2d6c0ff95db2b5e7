//! How numbers lie in the checksummed bytes of [`block`](crate::block) and [`series`](crate::series): columns of
//! integers as varints of their differences, floats as they are, CRC-32C at the end.
//!
//! A varint is LEB128 of at most 64 bits, as in Protocol Buffers; zigzag likewise.

use std::ops::RangeInclusive;

use mainstay_columns::varint::{put_varint, take_varint, unzigzag, zigzag};

/// Bytes that do not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Of a later version.
    Version(u8),
    /// Cut, changed, or something else.
    Damaged,
}

/// Begins to write: four bytes that say what it is, and a version.
pub(crate) fn begin(magic: [u8; 4], version: u8, capacity: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(capacity);
    bytes.extend_from_slice(&magic);
    bytes.push(version);
    bytes
}

/// Ends what [`begin`] began.
pub(crate) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The version, and what lies between it and the checksum, which is right.
pub(crate) fn open<'a>(
    bytes: &'a [u8],
    magic: [u8; 4],
    versions: &RangeInclusive<u8>,
) -> Result<(u8, &'a [u8]), Unreadable> {
    let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(Unreadable::Damaged)?;
    let (found, rest) = body.split_first_chunk::<4>().ok_or(Unreadable::Damaged)?;
    let (version, rest) = rest.split_first().ok_or(Unreadable::Damaged)?;
    if *found != magic || crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return Err(Unreadable::Damaged);
    }
    if versions.contains(version) { Ok((*version, rest)) } else { Err(Unreadable::Version(*version)) }
}

/// Adds a column of integers: the first, then differences, wrapping, zigzag.
pub(crate) fn put_column(bytes: &mut Vec<u8>, column: impl Iterator<Item = i64>) {
    let mut last = 0_i64;
    for value in column {
        put_varint(bytes, zigzag(value.wrapping_sub(last)));
        last = value;
    }
}

/// Takes a column of so many integers.
pub(crate) fn take_column(rest: &mut &[u8], count: usize) -> Result<Vec<i64>, Unreadable> {
    let mut column = Vec::with_capacity(count);
    let mut last = 0_i64;
    for _ in 0..count {
        last = last.wrapping_add(unzigzag(take_varint(rest).ok_or(Unreadable::Damaged)?));
        column.push(last);
    }
    Ok(column)
}

/// Adds floats: their IEEE 754 bits, little-endian, so that NaN and infinities survive.
pub(crate) fn put_floats(bytes: &mut Vec<u8>, column: impl Iterator<Item = f64>) {
    for value in column {
        bytes.extend_from_slice(&value.to_bits().to_le_bytes());
    }
}

/// Takes so many floats.
pub(crate) fn take_floats<'a>(
    rest: &mut &'a [u8],
    count: usize,
) -> Result<impl Iterator<Item = f64> + use<'a>, Unreadable> {
    let length = count.checked_mul(8).ok_or(Unreadable::Damaged)?;
    let (floats, after) = rest.split_at_checked(length).ok_or(Unreadable::Damaged)?;
    *rest = after;
    Ok(floats.as_chunks::<8>().0.iter().map(|bits| f64::from_bits(u64::from_le_bytes(*bits))))
}

/// Takes a varint that counts something in memory.
pub(crate) fn take_count(rest: &mut &[u8]) -> Result<usize, Unreadable> {
    take_varint(rest).and_then(|count| usize::try_from(count).ok()).ok_or(Unreadable::Damaged)
}
