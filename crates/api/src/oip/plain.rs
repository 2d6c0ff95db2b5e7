//! Bodies as clients write them, read without detours: on the way of every prediction the general reader of
//! JSON costs more than all else that this server does with it.
//!
//! Whatever is unusual (an escape in a text, a field that is not known, a rare datatype, anything wrong) is
//! `None` here and left to the general reader, which also finds the words for what is wrong. So this gives
//! what that one gives, or nothing; a test holds them side by side.

use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;

use super::binary;
use super::request::{Body, MAX_NAMES};
use super::tensor::{Data, Datatype, Dimensions, MAX_RANK, Tensor, elements};

/// Longest part that is given to the general reader, in bytes.
const SHORT: usize = 1 << 16;
/// Elements for which memory is taken before they are read.
const RESERVED: usize = 1 << 10;
/// Inputs for which memory is taken before they are read.
const FEW_INPUTS: usize = 16;
/// As many digits always make a number below 2⁵³.
const EXACT_DIGITS: usize = 15;
/// Powers of ten, each exact.
const TENS: [f64; EXACT_DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Reads a body whose JSON is `text`. Tensors in binary form are taken from the front of `tail`, which stays as
/// it is where nothing is given.
pub(super) fn read(text: &str, tail: &mut &[u8]) -> Option<Body> {
    let (mut id, mut parameters, mut inputs, mut outputs) = (None, None, None, None);
    let (mut scan, mut rest) = (Scan::new(text), *tail);
    scan.object(|scan, field| match field {
        Field::Id => once(&mut id, scan.string()?.to_owned()),
        Field::Parameters => once(&mut parameters, scan.general()?),
        Field::Inputs => {
            let mut all = Vec::with_capacity(FEW_INPUTS);
            scan.list(|scan| {
                all.push(input(scan, &mut rest)?);
                (all.len() <= MAX_NAMES).then_some(())
            })?;
            once(&mut inputs, all)
        }
        Field::Outputs => once(&mut outputs, scan.general()?),
        _ => None,
    })?;
    scan.peek().is_none().then_some(())?;
    *tail = rest;
    Some(Body {
        id: id.unwrap_or_default(),
        parameters: parameters.unwrap_or_default(),
        inputs: inputs?,
        outputs: outputs.unwrap_or_default(),
    })
}

fn input(scan: &mut Scan<'_>, tail: &mut &[u8]) -> Option<Tensor> {
    let (mut name, mut shape, mut datatype, mut data, mut size) = (None, None, None, None, None);
    scan.object(|scan, field| match field {
        Field::Name => once(&mut name, scan.string()?),
        Field::Shape => once(&mut shape, scan.shape()?),
        Field::Datatype => once(&mut datatype, Datatype::named(scan.string()?)?),
        // As a rule it is said before what the elements are, and how many.
        Field::Data => once(&mut data, scan.data(datatype?, shape.as_ref()?.1)?),
        Field::Parameters => scan.object(|scan, field| match field {
            Field::BinaryDataSize => once(&mut size, scan.number()?.parse()?),
            _ => None,
        }),
        _ => None,
    })?;
    let (name, datatype, (shape, count)) = (name?, datatype?, shape?);
    let data = match (data, size) {
        (Some(data), None) => data,
        (None, Some(size)) => {
            let (bytes, rest) = tail.split_at_checked(size)?;
            *tail = rest;
            binary::decode(name, datatype, count, bytes).ok()?
        }
        (None, None) | (Some(_), Some(_)) => return None,
    };
    (data.len() == count).then(|| Tensor { name: name.into(), shape, data })
}

/// Every field stands once.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// The fields that are known here, of a body and of what is in it.
#[derive(Clone, Copy)]
enum Field {
    Id,
    Parameters,
    Inputs,
    Outputs,
    Name,
    Shape,
    Datatype,
    Data,
    BinaryDataSize,
}

/// A number as it is written.
struct Number<'t> {
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
    fn parse<T: FromStr>(&self) -> Option<T> {
        std::str::from_utf8(self.letters).ok()?.parse().ok()
    }
}

/// Reads JSON (RFC 8259) from the front.
struct Scan<'t> {
    text: &'t str,
    /// What is left of it.
    rest: &'t [u8],
}

impl<'t> Scan<'t> {
    const fn new(text: &'t str) -> Self {
        Self { text, rest: text.as_bytes() }
    }

    /// The next byte that is no space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\n' | b'\t' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        self.peek()?;
        let (first, rest) = self.rest.split_first()?;
        (*first == byte).then(|| self.rest = rest)
    }

    /// Passes over `name`, if it comes next.
    #[inline]
    fn pass<const LENGTH: usize>(&mut self, name: &[u8; LENGTH]) -> bool {
        let Some((first, rest)) = self.rest.split_first_chunk() else { return false };
        let is_next = first == name;
        if is_next {
            self.rest = rest;
        }
        is_next
    }

    /// What stands between two brackets, parted by commas.
    #[inline]
    fn items(&mut self, [open, close]: [u8; 2], mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
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
    fn list(&mut self, item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.items([b'[', b']'], item)
    }

    #[inline]
    fn object(&mut self, mut field: impl FnMut(&mut Self, Field) -> Option<()>) -> Option<()> {
        self.items([b'{', b'}'], |scan| {
            let name = scan.field()?;
            field(scan, name)
        })
    }

    /// The name of a field and its colon.
    fn field(&mut self) -> Option<Field> {
        self.take(b'"')?;
        let field = match self.rest.first()? {
            b'n' if self.pass(b"name\"") => Field::Name,
            b's' if self.pass(b"shape\"") => Field::Shape,
            b'd' if self.pass(b"datatype\"") => Field::Datatype,
            b'd' if self.pass(b"data\"") => Field::Data,
            b'p' if self.pass(b"parameters\"") => Field::Parameters,
            b'b' if self.pass(b"binary_data_size\"") => Field::BinaryDataSize,
            b'i' if self.pass(b"inputs\"") => Field::Inputs,
            b'i' if self.pass(b"id\"") => Field::Id,
            b'o' if self.pass(b"outputs\"") => Field::Outputs,
            _ => return None,
        };
        self.take(b':')?;
        Some(field)
    }

    /// How far the reading has come.
    const fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// A text without escapes.
    fn string(&mut self) -> Option<&'t str> {
        self.take(b'"')?;
        let (start, length) = (self.at(), plain_length(self.rest));
        let [b'"', rest @ ..] = self.rest.get(length..)? else { return None };
        self.rest = rest;
        self.text.get(start..start + length)
    }

    #[inline]
    fn number(&mut self) -> Option<Number<'t>> {
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
    fn general<T: Deserialize<'t>>(&mut self) -> Option<T> {
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

    /// The dimensions, and how many elements they make.
    fn shape(&mut self) -> Option<(Dimensions, usize)> {
        let (mut sizes, mut rank) = ([0; MAX_RANK], 0);
        self.list(|scan| {
            *sizes.get_mut(rank)? = scan.integer()?;
            rank += 1;
            Some(())
        })?;
        elements("", sizes.get(..rank)?).ok()
    }

    /// Elements in lists, at most so many.
    fn data(&mut self, datatype: Datatype, count: usize) -> Option<Data> {
        match datatype {
            Datatype::Fp32 => self.all(count, Self::single).map(Data::F32),
            Datatype::Fp64 => self.all(count, Self::float).map(Data::F64),
            Datatype::Int64 => self.all(count, Self::integer).map(Data::I64),
            Datatype::Bytes => self.all(count, |scan| scan.string().map(Arc::from)).map(Data::Text),
            _ => None,
        }
    }

    #[inline]
    fn all<T>(&mut self, count: usize, element: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut all = Vec::with_capacity(count.min(RESERVED));
        self.elements(1, &mut |scan| {
            all.push(element(scan)?);
            (all.len() <= count).then_some(())
        })?;
        Some(all)
    }

    fn elements(&mut self, depth: usize, element: &mut impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.list(|scan| {
            if scan.peek()? == b'[' {
                (depth < MAX_RANK).then_some(())?;
                scan.elements(depth + 1, element)
            } else {
                element(scan)
            }
        })
    }

    fn float(&mut self) -> Option<f64> {
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
    fn single(&mut self) -> Option<f32> {
        let number = self.float()?;
        let single = number as f32;
        // Beyond its range.
        (!single.is_infinite()).then_some(single)
    }

    fn integer(&mut self) -> Option<i64> {
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
    use crate::oip::request::general;

    /// What stands behind the JSON.
    const TAIL: &[u8] = b"\0\0\x80?\x02\0\0\0abcdefgh";

    /// Written as clients do.
    const USUAL: [&str; 6] = [
        r#"{"inputs":[{"name":"a","shape":[2,1],"datatype":"FP32","data":[1.5,-2e-3]}]}"#,
        r#" { "id" : "7" , "inputs" : [ { "name" : "x y" , "shape" : [ ] , "datatype" : "FP64" , "data" : [ null ] } ] } "#,
        r#"{"parameters":{"data_time":"2013-01-01T05:00:00Z","key":[1,"b"],"entity":{"o":"JFK"}},"inputs":[
            {"name":"ü","shape":[2],"datatype":"BYTES","data":["ä{",""]},
            {"name":"n","shape":[3],"datatype":"INT64","data":[0,-9223372036854775808,10]}]}"#,
        r#"{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}},
            {"name":"b","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6}}],
            "outputs":[{"name":"p","parameters":{"binary_data":true}}]}"#,
        r#"{"inputs":[{"name":"a","shape":[2,2],"datatype":"FP64","data":[[1,2],[[3],4.25E+2]]}],"outputs":[]}"#,
        r#"{"inputs":[],"parameters":{}}"#,
    ];

    fn shown(body: &Body, tail: &[u8]) -> String {
        format!("{body:?} {tail:?}")
    }

    /// Whether anything was read; if so, what the general reader reads.
    fn agrees(text: &str) -> bool {
        let (mut tail, mut general_tail) = (TAIL, TAIL);
        let Some(body) = read(text, &mut tail) else {
            assert_eq!(tail, TAIL, "{text}");
            return false;
        };
        let other = general(text.as_bytes(), &mut general_tail);
        let other = other.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(shown(&body, tail), shown(&other, general_tail), "{text}");
        true
    }

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

    #[test]
    fn what_clients_write_is_read() {
        for text in USUAL {
            assert!(agrees(text), "{text}");
        }
    }

    #[test]
    fn what_is_read_is_what_the_general_reader_reads() {
        let pieces = [
            "",
            "0",
            "-",
            "-0",
            "00",
            "1e999",
            "1e39",
            "18446744073709551616",
            ".",
            "e1",
            "\"",
            "\\",
            "\\u0041",
            "\u{1}",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "null",
            "true",
            "NaN",
            "x",
            " ",
            "\"data\":[1],",
            "\"id\":\"\",",
        ];
        let mut read = 0;
        for text in USUAL {
            for (start, _) in text.char_indices() {
                for length in 0..3 {
                    let Some(end) = text.get(start + length..) else { continue };
                    for piece in pieces {
                        read += usize::from(agrees(&format!("{}{piece}{end}", &text[..start])));
                    }
                }
            }
        }
        assert!(read > 500, "{read} of the changed bodies were read");
    }

    #[test]
    fn rare_things_are_left_to_the_general_reader() {
        let one = |shape: &str, datatype: &str, data: &str| {
            format!(r#"{{"inputs":[{{"name":"a","shape":{shape},"datatype":"{datatype}","data":{data}}}]}}"#)
        };
        for text in [
            one("[1]", "INT8", "[1]"),
            one("[1]", "BOOL", "[true]"),
            one("[1]", "FP32", "[1e39]"),
            one("[1]", "FP64", "[1e999]"),
            one("[1]", "INT64", "[-0]"),
            one("[1]", "INT64", "[1.0]"),
            one("[-0]", "FP32", "[]"),
            one("[2]", "FP32", "[1]"),
            one("[1]", "FP32", "[1,2]"),
            one("[1]", "FP32", "[[[[[[[[[1]]]]]]]]]"),
            one("[1]", "FP32", "1"),
            one("[1]", "BYTES", r#"["\u0041"]"#),
            "[]".repeat(100_000),
            "[".repeat(100_000),
            String::new(),
        ] {
            assert!(!agrees(&text), "{}", text.get(..200).unwrap_or(&text));
        }
        assert!(agrees(&one("[1,1]", "FP32", "[[[[[[[[1]]]]]]]]")));
    }
}
