//! Numbers and texts of the index as bytes, little-endian, with a checksum over all of them. Both ways go
//! through a small buffer, so that neither holds a column twice.

use std::io::{self, Read, Write};

/// Bytes that go through at once; a multiple of every number's size.
const CHUNK: usize = 64 * 1024;

/// Writes, and sums what it wrote.
pub struct Out<W> {
    to: W,
    buffer: Vec<u8>,
    checksum: u32,
}

impl<W: Write> Out<W> {
    /// Writes to there.
    pub fn new(to: W) -> Self {
        Self { to, buffer: Vec::with_capacity(CHUNK), checksum: 0 }
    }

    /// The checksum (CRC-32C) of all that was written, and where it went.
    pub fn finish(mut self) -> io::Result<(u32, W)> {
        self.flush()?;
        Ok((self.checksum, self.to))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.write_all(&self.buffer)?;
        self.checksum = crc32c::crc32c_append(self.checksum, &self.buffer);
        self.buffer.clear();
        Ok(())
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        for chunk in bytes.chunks(CHUNK) {
            if self.buffer.len() + chunk.len() > CHUNK {
                self.flush()?;
            }
            self.buffer.extend_from_slice(chunk);
        }
        Ok(())
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) -> io::Result<()> {
        self.bytes(&[byte])
    }

    /// A number, in eight bytes.
    pub fn number(&mut self, number: u64) -> io::Result<()> {
        self.bytes(&number.to_le_bytes())
    }

    /// The length of what follows.
    pub fn length(&mut self, length: usize) -> io::Result<()> {
        self.number(length as u64)
    }

    /// A text after its length.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.length(text.len())?;
        self.bytes(text.as_bytes())
    }

    /// A list of things of the same size.
    pub fn list<T, const N: usize>(&mut self, all: &[T], bytes: impl Fn(&T) -> [u8; N]) -> io::Result<()> {
        self.length(all.len())?;
        all.iter().try_for_each(|one| self.bytes(&bytes(one)))
    }
}

/// Reads at most so many bytes, and sums what it read.
pub struct In<R> {
    from: R,
    left: u64,
    checksum: u32,
}

/// What the bytes say cannot be.
pub fn damaged() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

impl<R: Read> In<R> {
    /// Reads so many bytes from there.
    pub fn new(from: R, length: u64) -> Self {
        Self { from, left: length, checksum: 0 }
    }

    /// The checksum of all that was read; refuses if something is left.
    pub fn finish(self) -> io::Result<u32> {
        if self.left == 0 { Ok(self.checksum) } else { Err(damaged()) }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(buffer.len() as u64).ok_or_else(damaged)?;
        self.from.read_exact(buffer)?;
        self.checksum = crc32c::crc32c_append(self.checksum, buffer);
        Ok(())
    }

    /// So many bytes.
    pub fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// One byte.
    pub fn byte(&mut self) -> io::Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A number.
    pub fn number(&mut self) -> io::Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The length of a list of things of `size` bytes, of which as many can follow.
    pub fn length(&mut self, size: usize) -> io::Result<usize> {
        let length = self.number()?;
        let fits = length.checked_mul(size as u64).is_some_and(|bytes| bytes <= self.left);
        usize::try_from(length).ok().filter(|_| fits).ok_or_else(damaged)
    }

    /// A text.
    pub fn text(&mut self) -> io::Result<String> {
        let mut bytes = vec![0; self.length(1)?];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| damaged())
    }

    /// A list of things of `N` bytes.
    pub fn list<T, const N: usize>(&mut self, one: impl Fn([u8; N]) -> T) -> io::Result<Vec<T>> {
        self.checked(|bytes| Ok(one(bytes)))
    }

    /// A list of things of `N` bytes, not all of which are one.
    pub fn checked<T, const N: usize>(
        &mut self,
        one: impl Fn([u8; N]) -> io::Result<T>,
    ) -> io::Result<Vec<T>> {
        let length = self.length(N)?;
        let mut all = Vec::with_capacity(length);
        let mut buffer = vec![0; CHUNK.min(length * N)];
        while all.len() < length {
            let count = (length - all.len()).min(CHUNK / N);
            let bytes = buffer.get_mut(..count * N).ok_or_else(damaged)?;
            self.fill(bytes)?;
            for bytes in bytes.as_chunks::<N>().0 {
                all.push(one(*bytes)?);
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let numbers: Vec<u32> = (0..40_000).collect();
        let mut file = Vec::new();
        let mut out = Out::new(&mut file);
        out.byte(7).unwrap();
        out.list(&numbers, |number| number.to_le_bytes()).unwrap();
        out.text("ü").unwrap();
        out.number(u64::MAX).unwrap();
        let (checksum, _) = out.finish().unwrap();

        let mut read = In::new(file.as_slice(), file.len() as u64);
        assert_eq!(read.byte().unwrap(), 7);
        assert_eq!(read.list(u32::from_le_bytes).unwrap(), numbers);
        assert_eq!(read.text().unwrap(), "ü");
        assert_eq!(read.number().unwrap(), u64::MAX);
        assert!(read.byte().is_err());
        assert_eq!(read.finish().unwrap(), checksum);
    }

    #[test]
    fn lengths_that_cannot_be_are_refused_before_anything_is_allocated() {
        for length in [1, u64::MAX] {
            let bytes = length.to_le_bytes();
            assert!(In::new(&bytes[..], 8).text().is_err());
            assert!(In::new(&bytes[..], 8).list(|bytes: [u8; 8]| bytes).is_err());
        }
    }
}
