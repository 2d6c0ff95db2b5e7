//! Bodies as clients write them, read without detours: on the way of every prediction the general reader of
//! JSON costs more than all else that this server does with it.
//!
//! Whatever is unusual (an escape in a text, a field that is not known, a rare datatype, anything wrong) is
//! `None` here and left to the general reader, which also finds the words for what is wrong. So this gives
//! what that one gives, or nothing; a test holds them side by side.

use std::sync::Arc;

use super::binary;
use super::request::{Body, MAX_NAMES, Output};
use super::scan::Scan;
use super::tensor::{Data, Datatype, Dimensions, MAX_RANK, Tensor, elements};

/// Elements for which memory is taken before they are read.
const RESERVED: usize = 1 << 10;
/// Inputs for which memory is taken before they are read.
const FEW_INPUTS: usize = 16;
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
        Field::Outputs => {
            let all: Vec<Output> = scan.general()?;
            (all.len() <= MAX_NAMES).then_some(())?;
            once(&mut outputs, all)
        }
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
    let (mut name, mut shape, mut datatype, mut data) = (None, None, None, None);
    let (mut parameters, mut size) = (None, None);
    scan.object(|scan, field| match field {
        Field::Name => once(&mut name, scan.string()?),
        Field::Shape => once(&mut shape, scan.shape()?),
        Field::Datatype => once(&mut datatype, Datatype::named(scan.string()?)?),
        // As a rule it is said before what the elements are, and how many.
        Field::Data => once(&mut data, scan.data(datatype?, shape.as_ref()?.1)?),
        Field::Parameters => {
            once(&mut parameters, ())?;
            scan.object(|scan, field| match field {
                Field::BinaryDataSize => once(&mut size, scan.number()?.parse()?),
                _ => None,
            })
        }
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

/// What is known of bodies.
impl Scan<'_> {
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
            "\"parameters\":{},",
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
