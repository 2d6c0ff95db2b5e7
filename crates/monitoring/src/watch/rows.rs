//! The predictions of an open hour, held in a fraction of the memory that they take unpacked: all that a
//! busy endpoint gets in an hour lies here until the hour is folded.

use mainstay_core::id::{PredictionId, RolloutId};
use mainstay_core::time::DataTime;

use super::observation::{ArmScore, FeatureValue, Observation};

/// A block is not begun anew before it holds this many bytes. In blocks, because one allocation that doubles
/// needs three times its size while it grows.
const BLOCK: usize = 1 << 18;

/// Tags of a feature's value.
const MISSING: u8 = 0;
const NUMBER: u8 = 1;
const CATEGORY: u8 = 2;

/// Bits of an arm's flags.
const FAILED: u8 = 1;
const SCORED: u8 = 2;

/// Packed predictions.
#[derive(Debug, Default)]
pub(super) struct Rows {
    places: Vec<Place>,
    blocks: Vec<Vec<u8>>,
}

/// Where the rest of a prediction is.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: DataTime,
    id: PredictionId,
    block: usize,
    start: usize,
}

impl Rows {
    pub(super) fn push(&mut self, row: &Observation) {
        if self.blocks.last().is_none_or(|block| block.len() >= BLOCK) {
            self.blocks.push(Vec::new());
        }
        let number = self.blocks.len().saturating_sub(1);
        let Some(block) = self.blocks.last_mut() else { return };
        self.places.push(Place { at: row.at, id: row.id, block: number, start: block.len() });
        pack(row, block);
    }

    /// Puts them into the order of (data time, id), in which they are folded.
    pub(super) fn sort(&mut self) {
        self.places.sort_unstable_by_key(|place| (place.at, place.id));
    }

    /// The predictions, unpacked one by one.
    pub(super) fn iter(&self) -> impl Iterator<Item = Observation> {
        self.places.iter().filter_map(|place| {
            let rest = self.blocks.get(place.block)?.get(place.start..)?;
            unpack(place, &mut Bytes { rest })
        })
    }
}

fn pack(row: &Observation, out: &mut Vec<u8>) {
    count(out, row.features.len());
    for feature in &row.features {
        match feature {
            FeatureValue::Missing => out.push(MISSING),
            FeatureValue::Number(number) => {
                out.push(NUMBER);
                out.extend_from_slice(&number.to_le_bytes());
            }
            FeatureValue::Category(category) => {
                out.push(CATEGORY);
                count(out, category.len());
                out.extend_from_slice(category.as_bytes());
            }
        }
    }
    count(out, row.arms.len());
    for arm in &row.arms {
        let scored = if arm.score.is_some() { SCORED } else { 0 };
        out.push(scored | if arm.failed { FAILED } else { 0 });
        unsigned(out, arm.version);
        unsigned(out, arm.latency_micros.into());
        if let Some(score) = arm.score {
            out.extend_from_slice(&score.to_le_bytes());
        }
    }
    unsigned(out, row.assigned);
    option(out, row.answered, unsigned);
    unsigned(out, row.out_of_range.into());
    option(out, row.under, |out, id| out.extend_from_slice(id.as_bytes()));
}

fn option<T>(out: &mut Vec<u8>, value: Option<T>, pack: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        pack(out, value);
    }
}

fn count(out: &mut Vec<u8>, count: usize) {
    unsigned(out, count as u64);
}

/// LEB128: seven bits a byte, the low ones first.
fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// `None` where [`pack`] did not write: never, of bytes that stay in this memory.
fn unpack(place: &Place, bytes: &mut Bytes<'_>) -> Option<Observation> {
    let features = bytes.list(|bytes| {
        Some(match bytes.byte()? {
            MISSING => FeatureValue::Missing,
            NUMBER => FeatureValue::Number(f64::from_le_bytes(bytes.array()?)),
            _ => {
                let length = bytes.count()?;
                FeatureValue::Category(std::str::from_utf8(bytes.take(length)?).ok()?.into())
            }
        })
    })?;
    let arms = bytes.list(|bytes| {
        let flags = bytes.byte()?;
        Some(ArmScore {
            failed: flags & FAILED != 0,
            version: bytes.unsigned()?,
            latency_micros: bytes.unsigned()?.try_into().ok()?,
            score: if flags & SCORED == 0 { None } else { Some(f64::from_le_bytes(bytes.array()?)) },
        })
    })?;
    Some(Observation {
        id: place.id,
        at: place.at,
        features,
        arms,
        assigned: bytes.unsigned()?,
        answered: if bytes.byte()? == 0 { None } else { Some(bytes.unsigned()?) },
        out_of_range: bytes.unsigned()?.try_into().ok()?,
        under: if bytes.byte()? == 0 { None } else { Some(RolloutId::from_bytes(bytes.array()?)) },
    })
}

struct Bytes<'b> {
    rest: &'b [u8],
}

impl<'b> Bytes<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn count(&mut self) -> Option<usize> {
        self.unsigned()?.try_into().ok()
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.count()?;
        let mut items = Vec::with_capacity(count.min(self.rest.len()));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observation(number: u8) -> Observation {
        let score = |version: u64| ArmScore {
            version,
            score: (!number.is_multiple_of(3)).then(|| f64::from(number) / 256.0),
            latency_micros: u32::from(number) * 1_000,
            failed: number.is_multiple_of(5),
        };
        Observation {
            id: PredictionId::from_bytes([255 - number; 16]),
            at: DataTime::from_micros(i64::from(number / 4)),
            features: vec![
                FeatureValue::Number(f64::from(number) - 0.1),
                FeatureValue::Missing,
                FeatureValue::Number(f64::NEG_INFINITY),
                FeatureValue::Category("ü".repeat(usize::from(number)).into()),
            ],
            arms: (0..u64::from(number % 4)).map(|version| score(version << 40)).collect(),
            assigned: u64::from(number),
            answered: number.is_multiple_of(2).then_some(u64::MAX),
            out_of_range: u32::from(number),
            under: number.is_multiple_of(7).then(|| RolloutId::from_bytes([number; 16])),
        }
    }

    #[test]
    fn what_is_packed_comes_back_in_order() {
        let mut given: Vec<Observation> = (0..=255).rev().map(observation).collect();
        let mut rows = Rows::default();
        for _ in 0..30 {
            for row in &given {
                rows.push(row);
            }
        }
        assert!(rows.blocks.len() > 5 && rows.blocks.iter().all(|block| block.len() < 2 * BLOCK));
        assert!(rows.iter().take(256).eq(given.iter().cloned()));
        assert_eq!(rows.iter().count(), 30 * 256);
        rows.sort();
        given.sort_by_key(|row| (row.at, row.id));
        assert!(rows.iter().step_by(30).eq(given));
    }
}
