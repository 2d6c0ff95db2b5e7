//! Tensors in binary form: little-endian, row-major, BOOL one byte, BYTES a `u32` length and the bytes.
//!
//! Source: Triton's binary tensor data extension, `extension_binary_data.md`.

use std::sync::Arc;

use super::tensor::{Data, Datatype, TensorError};

/// Reads exactly `count` elements of `datatype` from `bytes`.
pub(super) fn decode(
    name: &str,
    datatype: Datatype,
    count: usize,
    bytes: &[u8],
) -> Result<Data, TensorError> {
    if datatype == Datatype::Bytes {
        return decode_texts(name, count, bytes);
    }
    let width = datatype.width().unwrap_or(1);
    // `count` is at most MAX_ELEMENTS, and a width at most 8.
    if bytes.len() != count * width {
        let given = bytes.len() / width;
        return Err(TensorError::Length { name: name.to_owned(), expected: count, given });
    }
    Ok(match datatype {
        Datatype::Bool => Data::Bool(bytes.iter().map(|byte| *byte != 0).collect()),
        Datatype::Int8 => Data::I32(fixed(bytes, |[b]: [u8; 1]| i32::from(b.cast_signed()))),
        Datatype::Uint8 => Data::I32(fixed(bytes, |[b]: [u8; 1]| i32::from(b))),
        Datatype::Int16 => Data::I32(fixed(bytes, |b| i32::from(i16::from_le_bytes(b)))),
        Datatype::Uint16 => Data::I32(fixed(bytes, |b| i32::from(u16::from_le_bytes(b)))),
        Datatype::Int32 => Data::I32(fixed(bytes, i32::from_le_bytes)),
        Datatype::Uint32 => Data::I64(fixed(bytes, |b| i64::from(u32::from_le_bytes(b)))),
        Datatype::Int64 => Data::I64(fixed(bytes, i64::from_le_bytes)),
        Datatype::Uint64 => {
            let all = fixed(bytes, i64::from_le_bytes);
            if all.iter().any(|int| *int < 0) {
                let problem = "an element is 2^63 or more, which is not taken";
                return Err(TensorError::Element { name: name.to_owned(), datatype: "UINT64", problem });
            }
            Data::I64(all)
        }
        Datatype::Fp16 => Data::F32(fixed(bytes, |b| half(u16::from_le_bytes(b)))),
        Datatype::Bf16 => Data::F32(fixed(bytes, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16))),
        Datatype::Fp32 => Data::F32(fixed(bytes, f32::from_le_bytes)),
        Datatype::Fp64 => Data::F64(fixed(bytes, f64::from_le_bytes)),
        Datatype::Bytes => Data::Text(Vec::new()),
    })
}

fn fixed<const N: usize, T>(bytes: &[u8], element: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|chunk| element(*chunk)).collect()
}

fn decode_texts(name: &str, count: usize, mut bytes: &[u8]) -> Result<Data, TensorError> {
    let wrong = |problem| TensorError::Element { name: name.to_owned(), datatype: "BYTES", problem };
    // An element takes four bytes at least, so the list is never longer than the body.
    let mut texts: Vec<Arc<str>> = Vec::with_capacity(count.min(bytes.len() / 4));
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk().ok_or_else(|| wrong("an element has no length"))?;
        let length = u32::from_le_bytes(*length) as usize;
        let (text, rest) =
            rest.split_at_checked(length).ok_or_else(|| wrong("an element is longer than what was sent"))?;
        let text = std::str::from_utf8(text).map_err(|_| wrong("an element is not UTF-8"))?;
        if texts.len() == count {
            return Err(wrong("there are more elements than its shape asks for"));
        }
        texts.push(Arc::from(text));
        bytes = rest;
    }
    if texts.len() == count {
        Ok(Data::Text(texts))
    } else {
        Err(TensorError::Length { name: name.to_owned(), expected: count, given: texts.len() })
    }
}

/// IEEE 754 binary16 as binary32, exactly.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (u32::from(bits >> 10 & 0x1f), u32::from(bits & 0x3ff));
    let magnitude = match exponent {
        // Subnormal: fraction times 2^-24.
        0 => fraction as f32 / 16_777_216.0,
        0x1f => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

/// Appends the elements to `out`; returns how many bytes they take.
pub(super) fn encode(data: &Data, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    match data {
        Data::Bool(all) => out.extend(all.iter().map(|flag| u8::from(*flag))),
        Data::I32(all) => out.extend(all.iter().flat_map(|v| v.to_le_bytes())),
        Data::I64(all) => out.extend(all.iter().flat_map(|v| v.to_le_bytes())),
        Data::F32(all) => out.extend(all.iter().flat_map(|v| v.to_le_bytes())),
        Data::F64(all) => out.extend(all.iter().flat_map(|v| v.to_le_bytes())),
        Data::Text(all) => {
            for text in all {
                // No output of a model is near 4 GiB long.
                let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                out.extend(length.to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
    out.len() - start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for data in [
            Data::Bool(vec![true, false]),
            Data::I32(vec![-1, i32::MAX]),
            Data::I64(vec![i64::MIN, 7]),
            Data::F32(vec![0.1, f32::INFINITY]),
            Data::F64(vec![-0.0, 1e300]),
            Data::Text(vec!["".into(), "ÅÄ".into()]),
        ] {
            let mut bytes = Vec::new();
            assert_eq!(encode(&data, &mut bytes), bytes.len());
            assert_eq!(decode("x", data.datatype(), 2, &bytes), Ok(data.clone()));
            assert!(decode("x", data.datatype(), 3, &bytes).is_err(), "{data:?}");
            assert!(decode("x", data.datatype(), 1, &bytes).is_err(), "{data:?}");
            assert!(decode("x", data.datatype(), 2, &bytes[..bytes.len() - 1]).is_err(), "{data:?}");
        }
    }

    /// Reference: `numpy.float16` of these bit patterns.
    #[test]
    fn half_precision_is_exact() {
        let cases = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0x7bff, 65_504.0),
            (0x7c00, f32::INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn lengths_of_texts_are_checked() {
        let huge = [0xff, 0xff, 0xff, 0xff, b'a'];
        assert!(decode("x", Datatype::Bytes, 1, &huge).is_err());
        assert!(decode("x", Datatype::Bytes, 1, &[1, 0]).is_err());
        assert!(decode("x", Datatype::Bytes, 1, &[1, 0, 0, 0, 0xff]).is_err());
        assert!(decode("x", Datatype::Bytes, 1 << 22, &[]).is_err());
        assert!(decode("x", Datatype::Uint64, 1, &[0xff; 8]).is_err());
        assert_eq!(decode("x", Datatype::Uint8, 1, &[200]), Ok(Data::I32(vec![200])));
        assert_eq!(decode("x", Datatype::Int8, 1, &[200]), Ok(Data::I32(vec![-56])));
        assert_eq!(decode("x", Datatype::Bf16, 1, &[0x80, 0x3f]), Ok(Data::F32(vec![1.0])));
    }
}
