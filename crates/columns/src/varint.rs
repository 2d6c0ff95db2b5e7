//! Integers in the blocks at rest: LEB128 of at most 64 bits, and zigzag, as in Protocol Buffers.

/// A signed number as one that is small where it is near 0.
pub const fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)).cast_unsigned()
}

/// The number that [`zigzag`] took.
pub const fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -((n & 1).cast_signed())
}

/// Appends a number in as few bytes as it needs.
pub fn put_varint(bytes: &mut Vec<u8>, mut n: u64) {
    loop {
        let low = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

/// Takes a number off the front; `None` if there is none, or a longer one.
pub fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut n = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        let low = u64::from(byte & 0x7f);
        if shift == 63 && low > 1 {
            return None;
        }
        n |= low << shift;
        if byte & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}
