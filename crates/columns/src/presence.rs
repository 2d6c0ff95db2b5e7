//! Which runs of an experiment have a value: a list where few have one, bits where many do.

use std::io::{self, Read, Write};

use crate::codec::{In, Out, damaged};

/// From how many slots on bits are considered.
const MANY: usize = 64;

/// The position of a slot that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was not there.
    New(usize),
    /// It was there already.
    Known(usize),
}

/// Ascending slots, each with its position among them: the place of its value.
#[derive(Debug, Clone)]
pub enum Presence {
    /// The slots.
    Few(Vec<u32>),
    /// A bit for each slot.
    Many(Bits),
}

impl Default for Presence {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Presence {
    /// The position of a slot, if it is there.
    pub fn position(&self, slot: u32) -> Option<usize> {
        match self {
            Self::Few(slots) => slots.binary_search(&slot).ok(),
            Self::Many(bits) => bits.position(slot),
        }
    }

    /// Adds a slot, if it is not there.
    pub fn insert(&mut self, slot: u32) -> Added {
        let at = match self {
            Self::Few(slots) => match slots.binary_search(&slot) {
                Ok(at) => return Added::Known(at),
                Err(at) => {
                    slots.insert(at, slot);
                    at
                }
            },
            Self::Many(bits) => return bits.insert(slot),
        };
        self.widen();
        Added::New(at)
    }

    /// Takes a slot away; its position was this.
    pub fn remove(&mut self, slot: u32) -> Option<usize> {
        match self {
            Self::Few(slots) => {
                let at = slots.binary_search(&slot).ok()?;
                slots.remove(at);
                Some(at)
            }
            Self::Many(bits) => bits.remove(slot),
        }
    }

    /// How many of the slots of a set are there.
    pub fn count(&self, among: &Bits) -> usize {
        match self {
            Self::Few(slots) => slots.iter().filter(|slot| among.has(**slot)).count(),
            Self::Many(bits) => {
                let both = bits.words.iter().zip(&among.words).map(|(a, b)| (a & b).count_ones() as usize);
                both.sum()
            }
        }
    }

    /// Writes which slots there are.
    pub fn write(&self, out: &mut Out<impl Write>) -> io::Result<()> {
        match self {
            Self::Few(slots) => {
                out.byte(0)?;
                out.list(slots, |slot| slot.to_le_bytes())
            }
            Self::Many(bits) => {
                out.byte(1)?;
                out.list(&bits.words, |word| word.to_le_bytes())
            }
        }
    }

    /// Reads slots below `runs`, of which there are as many as values.
    pub fn read(input: &mut In<impl Read>, runs: usize, values: usize) -> io::Result<Self> {
        let (presence, count, end) = match input.byte()? {
            0 => {
                let slots = input.list(u32::from_le_bytes)?;
                let (count, end) = (slots.len(), slots.last().map_or(0, |last| *last as usize + 1));
                if !slots.is_sorted_by(|a, b| a < b) {
                    return Err(damaged());
                }
                (Self::Few(slots), count, end)
            }
            1 => {
                let bits = Bits::of(input.list(u64::from_le_bytes)?);
                let last = bits.words.last().map_or(0, |word| 64 - word.leading_zeros() as usize);
                let end = bits.words.len().saturating_sub(1) * 64 + last;
                let count = bits.count as usize;
                (Self::Many(bits), count, end)
            }
            _ => return Err(damaged()),
        };
        if count == values && end <= runs { Ok(presence) } else { Err(damaged()) }
    }

    /// Bits cost 3/16 of a byte for each slot up to the last, a list 4 for each that is there.
    fn widen(&mut self) {
        let Self::Few(slots) = self else { return };
        let last = slots.last().map_or(0, |last| *last as usize);
        if slots.len() >= MANY && slots.len() * 10 > last {
            let mut bits = Bits::default();
            for slot in std::mem::take(slots) {
                bits.insert(slot);
            }
            *self = Self::Many(bits);
        }
    }
}

/// A bit for each slot, with counts by which a slot's position is found at once.
#[derive(Debug, Clone, Default)]
pub struct Bits {
    words: Vec<u64>,
    /// How many bits are set before each word.
    before: Vec<u32>,
    count: u32,
}

impl Bits {
    /// The set of these slots, which are ascending.
    pub fn set(slots: &[u32]) -> Self {
        let mut words = vec![0; slots.last().map_or(0, |last| *last as usize / 64 + 1)];
        for slot in slots {
            let (at, bit) = Self::place(*slot);
            if let Some(word) = words.get_mut(at) {
                *word |= bit;
            }
        }
        Self::of(words)
    }

    fn has(&self, slot: u32) -> bool {
        let (at, bit) = Self::place(slot);
        self.words.get(at).is_some_and(|word| word & bit != 0)
    }

    fn of(words: Vec<u64>) -> Self {
        let mut count = 0;
        let before = words.iter().map(|word| {
            let so_far = count;
            count += word.count_ones();
            so_far
        });
        Self { before: before.collect(), words, count }
    }

    fn place(slot: u32) -> (usize, u64) {
        ((slot / 64) as usize, 1 << (slot % 64))
    }

    fn position(&self, slot: u32) -> Option<usize> {
        let (at, bit) = Self::place(slot);
        let word = self.words.get(at).filter(|word| **word & bit != 0)?;
        Some((self.before.get(at)? + (word & (bit - 1)).count_ones()) as usize)
    }

    fn insert(&mut self, slot: u32) -> Added {
        if let Some(at) = self.position(slot) {
            return Added::Known(at);
        }
        let (at, bit) = Self::place(slot);
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
            self.before.resize(at + 1, self.count);
        }
        if let Some(word) = self.words.get_mut(at) {
            *word |= bit;
        }
        self.before.iter_mut().skip(at + 1).for_each(|before| *before += 1);
        self.count += 1;
        Added::New(self.position(slot).unwrap_or_default())
    }

    fn remove(&mut self, slot: u32) -> Option<usize> {
        let position = self.position(slot)?;
        let (at, bit) = Self::place(slot);
        if let Some(word) = self.words.get_mut(at) {
            *word &= !bit;
        }
        self.before.iter_mut().skip(at + 1).for_each(|before| *before -= 1);
        self.count -= 1;
        Some(position)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slots_have_the_positions_of_a_sorted_list(
            steps in prop::collection::vec((0..600_u32, prop::bool::weighted(0.8)), 0..900),
        ) {
            let (mut presence, mut model) = (Presence::default(), BTreeSet::new());
            for (slot, is_added) in steps {
                let at = model.range(..slot).count();
                if is_added {
                    let expected = if model.insert(slot) { Added::New(at) } else { Added::Known(at) };
                    prop_assert_eq!(presence.insert(slot), expected);
                } else {
                    prop_assert_eq!(presence.remove(slot), model.remove(&slot).then_some(at));
                }
            }
            for (at, slot) in model.iter().enumerate() {
                prop_assert_eq!(presence.position(*slot), Some(at));
            }
            prop_assert_eq!(presence.position(601), None);
            let even: Vec<u32> = (0..600).step_by(2).collect();
            let expected = model.iter().filter(|slot| slot.is_multiple_of(2)).count();
            prop_assert_eq!(presence.count(&Bits::set(&even)), expected);
            prop_assert_eq!(presence.count(&Bits::set(&[])), 0);
        }
    }

    #[test]
    fn many_slots_become_bits_and_scattered_ones_stay_a_list() {
        let (mut dense, mut scattered) = (Presence::default(), Presence::default());
        for slot in 0..1_000 {
            dense.insert(slot);
            scattered.insert(slot * 1_000);
        }
        assert!(matches!(dense, Presence::Many(_)));
        assert!(matches!(scattered, Presence::Few(_)));
    }
}
