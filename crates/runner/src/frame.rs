//! Frames between server and spawner: four bytes of length, little-endian, then JSON.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest frame, in bytes.
pub(crate) const MAX_FRAME: usize = 1024 * 1024;

/// Writes one frame with a single write.
pub(crate) fn write<T: Serialize>(out: &mut impl Write, message: &T) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    let prefix = u32::try_from(length).ok().filter(|_| length <= MAX_FRAME).ok_or_else(too_large)?;
    if let Some(head) = frame.get_mut(..4) {
        head.copy_from_slice(&prefix.to_le_bytes());
    }
    out.write_all(&frame)
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the frame is too large")
}

/// Bytes as they come, taken apart into frames.
#[derive(Default)]
pub(crate) struct Frames {
    buffer: Vec<u8>,
}

impl Frames {
    /// Reads once; `false` at the end of the stream.
    pub(crate) fn fill(&mut self, from: &mut impl Read) -> io::Result<bool> {
        let mut chunk = [0; 16 * 1024];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    self.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next whole frame, if there is one.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some(prefix) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
        if length > MAX_FRAME {
            return Err(too_large());
        }
        let Some(body) = self.buffer.get(4..4 + length) else { return Ok(None) };
        let message = serde_json::from_slice(body)?;
        self.buffer.drain(..4 + length);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_being_cut_anywhere() {
        let mut bytes = Vec::new();
        write(&mut bytes, &"first").unwrap();
        write(&mut bytes, &vec![1, 2, 3]).unwrap();
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let mut frames = Frames::default();
            let mut seen = 0;
            for mut part in [head, tail] {
                while frames.fill(&mut part).unwrap() {}
                if seen == 0 && frames.next::<String>().unwrap().is_some() {
                    seen = 1;
                }
                if seen == 1 && frames.next::<Vec<u8>>().unwrap().is_some() {
                    seen = 2;
                }
            }
            assert_eq!(seen, 2, "cut at {cut}");
        }
    }

    #[test]
    fn huge_and_broken_frames_are_refused() {
        let mut frames = Frames::default();
        frames.fill(&mut [0xff; 8].as_slice()).unwrap();
        assert!(frames.next::<String>().is_err());
        let mut frames = Frames::default();
        frames.fill(&mut b"\x03\0\0\0{x}".as_slice()).unwrap();
        assert!(frames.next::<String>().is_err());
        assert!(write(&mut Vec::new(), &"x".repeat(MAX_FRAME)).is_err());
    }
}
