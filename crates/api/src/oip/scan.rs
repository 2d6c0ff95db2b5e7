//! JSON (RFC 8259) read from the front, as far as it is written plainly: whatever is unusual or wrong is `None`.

use std::str::FromStr;

use serde::Deserialize;

/// Longest part that is given to the general reader, in bytes.
const SHORT: usize = 1 << 16;
/// As many digits always make a number below 2⁵³.
const EXACT_DIGITS: usize = 15;
/// Powers of ten, each exact.
const TENS: [f64; EXACT_DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A number as it is written.
pub(super) struct Number<'t> {
    letters: &'t [u8],
    is_negative: bool,
    /// Its digits without the point, if there are at most [`EXACT_DIGITS`] and no exponent.
    digits: Option<u64>,
    /// How many of them stand behind the point.
    fraction: usize,
    is_whole: bool,
}

impl Number<'_> {
    /// As the general reader has it.
    pub(super) fn parse<T: FromStr>(&self) -> Option<T> {
        std::str::from_utf8(self.letters).ok()?.parse().ok()
    }
}

/// Reads JSON (RFC 8259) from the front.
pub(super) struct Scan<'t> {
    text: &'t str,
    /// What is left of it.
    pub(super) rest: &'t [u8],
}

impl<'t> Scan<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, rest: text.as_bytes() }
    }

    /// The next byte that is no space.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\n' | b'\t' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> Option<()> {
        self.peek()?;
        let (first, rest) = self.rest.split_first()?;
        (*first == byte).then(|| self.rest = rest)
    }

    /// Passes over `name`, if it comes next.
    #[inline]
    pub(super) fn pass<const LENGTH: usize>(&mut self, name: &[u8; LENGTH]) -> bool {
        let Some((first, rest)) = self.rest.split_first_chunk() else { return false };
        let is_next = first == name;
        if is_next {
            self.rest = rest;
        }
        is_next
    }

    /// What stands between two brackets, parted by commas.
    #[inline]
    pub(super) fn items(
        &mut self,
        [open, close]: [u8; 2],
        mut item: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        if self.take(close).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.take(b',').is_none() {
                return self.take(close);
            }
        }
    }

    #[inline]
    pub(super) fn list(&mut self, item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.items([b'[', b']'], item)
    }

    /// How far the reading has come.
    const fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// A text without escapes.
    pub(super) fn string(&mut self) -> Option<&'t str> {
        self.take(b'"')?;
        let (start, length) = (self.at(), plain_length(self.rest));
        let [b'"', rest @ ..] = self.rest.get(length..)? else { return None };
        self.rest = rest;
        self.text.get(start..start + length)
    }

    #[inline]
    pub(super) fn number(&mut self) -> Option<Number<'t>> {
        self.peek()?;
        let start = self.rest;
        let is_negative = self.pass(b"-");
        let has_zero = self.rest.first() == Some(&b'0');
        let (whole, mut digits) = self.run(0);
        (whole == 1 || whole > 1 && !has_zero).then_some(())?;
        let mut fraction = 0;
        if self.pass(b".") {
            (fraction, digits) = self.run(digits);
            (fraction > 0).then_some(())?;
        }
        let has_exponent = self.pass(b"e") || self.pass(b"E");
        if has_exponent {
            let _ = self.pass(b"+") || self.pass(b"-");
            let (exponent, _) = self.run(0);
            (exponent > 0).then_some(())?;
        }
        Some(Number {
            letters: start.get(..start.len() - self.rest.len())?,
            is_negative,
            digits: (whole + fraction <= EXACT_DIGITS && !has_exponent).then_some(digits),
            fraction,
            is_whole: fraction == 0 && !has_exponent,
        })
    }

    /// How many digits come, and what number they make behind others; what does not fit is not used.
    #[inline]
    fn run(&mut self, mut number: u64) -> (usize, u64) {
        let before = self.rest.len();
        while let [figure @ b'0'..=b'9', rest @ ..] = self.rest {
            number = number.wrapping_mul(10).wrapping_add(u64::from(figure - b'0'));
            self.rest = rest;
        }
        (before - self.rest.len(), number)
    }

    /// A list or an object, by the general reader.
    pub(super) fn general<T: Deserialize<'t>>(&mut self) -> Option<T> {
        self.peek()?;
        let (start, mut depth) = (self.at(), 0_usize);
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                byte => {
                    self.take(byte)?;
                    match byte {
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth = depth.checked_sub(1)?,
                        _ => {}
                    }
                }
            }
            if depth == 0 {
                break;
            }
        }
        let part = self.text.get(start..self.at()).filter(|part| part.len() <= SHORT)?;
        serde_json::from_str(part).ok()
    }

    pub(super) fn float(&mut self) -> Option<f64> {
        if self.peek()? == b'n' {
            return self.pass(b"null").then_some(f64::NAN);
        }
        let number = self.number()?;
        let Some((digits, ten)) = number.digits.zip(TENS.get(number.fraction)) else {
            return number.parse().filter(|number: &f64| number.is_finite());
        };
        // Both are exact, so that their quotient is rounded once (Clinger, "How to Read Floating Point Numbers
        // Accurately", 1990).
        let size = digits as f64 / ten;
        Some(if number.is_negative { -size } else { size })
    }

    #[expect(clippy::cast_possible_truncation, reason = "rounding to FP32 is what was declared")]
    pub(super) fn single(&mut self) -> Option<f32> {
        let number = self.float()?;
        let single = number as f32;
        // Beyond its range.
        (!single.is_infinite()).then_some(single)
    }

    pub(super) fn integer(&mut self) -> Option<i64> {
        let number = self.number()?;
        number.is_whole.then_some(())?;
        match number.digits.and_then(|digits| i64::try_from(digits).ok()) {
            // Minus zero is no integer.
            Some(0) if number.is_negative => None,
            Some(size) => Some(if number.is_negative { -size } else { size }),
            None => number.parse(),
        }
    }
}

/// Bytes in front of the first one that ends a text, begins an escape or may not stand there; all, if there
/// is none. Eight at a time: in a word less a constant in each byte, a byte's high bit is set that was not set
/// before, if it was less than the constant (Warren, "Hacker's Delight", 2nd ed., § 6-1).
fn plain_length(bytes: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let less = |word: u64, than: u64| word.wrapping_sub(EACH * than) & !word & (EACH * 0x80);
    let equal = |word: u64, byte: u8| less(word ^ (EACH * u64::from(byte)), 1);
    let (words, rest) = bytes.as_chunks();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = less(word, 0x20) | equal(word, b'"') | equal(word, b'\\');
        if found != 0 {
            // Only what lies behind the first one may be found wrongly.
            return 8 * number + found.trailing_zeros() as usize / 8;
        }
    }
    let is_end = |byte: &u8| matches!(byte, b'"' | b'\\' | ..=0x1f);
    8 * words.len() + rest.iter().position(is_end).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_text_is_found_wherever_it_lies() {
        for byte in 0..=255_u8 {
            let is_end = matches!(byte, b'"' | b'\\' | ..=0x1f);
            for (before, behind) in (0..20).flat_map(|before| (0..20).map(move |behind| (before, behind))) {
                let bytes = [vec![b'a'; before], vec![byte], vec![0xc3; behind]].concat();
                let expected = if is_end { before } else { bytes.len() };
                assert_eq!(plain_length(&bytes), expected, "{byte:#x} at {before} of {}", bytes.len());
            }
        }
    }
}
