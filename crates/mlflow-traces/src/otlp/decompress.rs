//! Bodies that were made smaller on their way.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Longest body once it is unpacked, in bytes.
pub(super) const UNPACKED_LIMIT: u64 = 64 << 20;

/// Why a body cannot be unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packed {
    /// It is not what the header says.
    Broken(&'static str),
    /// The header says something that nobody here knows.
    Unknown(String),
    /// It is longer than [`UNPACKED_LIMIT`].
    TooLarge,
}

/// Unpacks a body as its `Content-Encoding` says: gzip, or deflate with or without zlib's frame.
pub(super) fn unpacked(body: Bytes, encoding: Option<&str>) -> Result<Bytes, Packed> {
    let Some(encoding) = encoding.map(str::to_ascii_lowercase) else { return Ok(body) };
    match encoding.as_str() {
        "gzip" => read(MultiGzDecoder::new(&*body), "gzip"),
        "deflate" => match read(ZlibDecoder::new(&*body), "deflate") {
            Err(Packed::Broken(_)) => read(DeflateDecoder::new(&*body), "deflate"),
            done => done,
        },
        _ => Err(Packed::Unknown(encoding)),
    }
}

fn read(decoder: impl Read, what: &'static str) -> Result<Bytes, Packed> {
    let mut bytes = Vec::new();
    decoder.take(UNPACKED_LIMIT + 1).read_to_end(&mut bytes).map_err(|_| Packed::Broken(what))?;
    if bytes.len() as u64 > UNPACKED_LIMIT { Err(Packed::TooLarge) } else { Ok(bytes.into()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    #[test]
    fn every_encoding_that_clients_use_is_unpacked() {
        let text = b"spans spans spans";
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text).unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(text).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(text).unwrap();
        for (encoding, packed) in [
            ("GZip", gzip.finish().unwrap()),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
        ] {
            assert_eq!(&*unpacked(packed.into(), Some(encoding)).unwrap(), text);
        }
        assert_eq!(&*unpacked(text.to_vec().into(), None).unwrap(), text);
    }

    #[test]
    fn what_is_broken_unknown_or_too_long_is_refused() {
        let body = Bytes::from_static(b"nonsense");
        assert_eq!(unpacked(body.clone(), Some("gzip")), Err(Packed::Broken("gzip")));
        assert_eq!(unpacked(body.clone(), Some("deflate")), Err(Packed::Broken("deflate")));
        assert_eq!(unpacked(body, Some("Identity")), Err(Packed::Unknown("identity".to_owned())));
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let zeros = vec![0; 1 << 20];
        (0..65).for_each(|_| gzip.write_all(&zeros).unwrap());
        assert_eq!(unpacked(gzip.finish().unwrap().into(), Some("gzip")), Err(Packed::TooLarge));
    }
}
