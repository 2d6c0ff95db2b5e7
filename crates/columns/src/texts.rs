//! Different texts, one after the other in one string.

use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read, Write};

use hashbrown::HashTable;

use crate::codec::{In, Out, damaged};

/// Texts by a number, which is given in the order of their arrival.
#[derive(Debug, Clone, Default)]
pub(crate) struct Texts {
    all: String,
    /// Where each text ends.
    ends: Vec<usize>,
    /// The numbers, by the hash of their text; made when it is first needed.
    numbers: Option<HashTable<u32>>,
    hasher: RandomState,
}

impl Texts {
    /// How many different texts there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of a number.
    pub(crate) fn get(&self, number: u32) -> Option<&str> {
        text(&self.all, &self.ends, number)
    }

    /// Writes all texts.
    pub(crate) fn write(&self, out: &mut Out<impl Write>) -> io::Result<()> {
        out.text(&self.all)?;
        out.list(&self.ends, |end| (*end as u64).to_le_bytes())
    }

    /// Reads what [`write`](Self::write) wrote.
    pub(crate) fn read(input: &mut In<impl Read>) -> io::Result<Self> {
        let all = input.text()?;
        let ends =
            input.checked(|bytes| usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| damaged()))?;
        let whole = ends.last().copied().unwrap_or_default() == all.len();
        if !whole || !ends.is_sorted() || ends.iter().any(|end| !all.is_char_boundary(*end)) {
            return Err(damaged());
        }
        Ok(Self { all, ends, ..Self::default() })
    }

    /// The number of a text, which is kept if it is new.
    pub(crate) fn code(&mut self, wanted: &str) -> u32 {
        let Self { all, ends, numbers, hasher } = self;
        let numbers = numbers.get_or_insert_with(|| table(all, ends, hasher));
        let hash = hasher.hash_one(wanted);
        if let Some(number) = numbers.find(hash, |number| text(all, ends, *number) == Some(wanted)) {
            return *number;
        }
        let number = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        all.push_str(wanted);
        ends.push(all.len());
        numbers.insert_unique(hash, number, |number| {
            hasher.hash_one(text(all, ends, *number).unwrap_or_default())
        });
        number
    }
}

/// The table of all texts, which differ.
fn table(all: &str, ends: &[usize], hasher: &RandomState) -> HashTable<u32> {
    let hash = |number: &u32| hasher.hash_one(text(all, ends, *number).unwrap_or_default());
    let mut table = HashTable::with_capacity(ends.len());
    for number in (0..).take(ends.len()) {
        table.insert_unique(hash(&number), number, hash);
    }
    table
}

fn text<'a>(all: &'a str, ends: &[usize], number: u32) -> Option<&'a str> {
    let at = number as usize;
    let from = if at == 0 { 0 } else { *ends.get(at - 1)? };
    all.get(from..*ends.get(at)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_number() {
        let mut texts = Texts::default();
        let words = ["", "a", "ab", "", "b", "ab", "ü"];
        let numbers: Vec<u32> = words.iter().map(|word| texts.code(word)).collect();
        assert_eq!(numbers, [0, 1, 2, 0, 3, 2, 4]);
        assert_eq!(texts.len(), 5);
        for (word, number) in words.iter().zip(numbers) {
            assert_eq!(texts.get(number), Some(*word));
        }
        assert_eq!(texts.get(5), None);
        (0..1_000).for_each(|n| assert_eq!(texts.code(&format!("w{n}")), n + 5));
        assert_eq!(texts.code("w500"), 505);
    }
}
