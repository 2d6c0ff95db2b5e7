//! A part of a file as a stream, one piece of it read ahead of whoever takes them.
//!
//! Pieces are read on one thread and let go on another. An allocator keeps what comes back to it in that way for the
//! thread that asked for it, so that a gigabyte in pieces of its own leaves hundreds of megabytes behind. Each stream
//! has a few buffers instead, which come back to it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::stream;
use mainstay_core::error::Cause;
use mainstay_core::object::ByteStream;
use tokio::task::{JoinHandle, spawn_blocking};

/// The length of a piece, in bytes.
const PIECE: u64 = 512 << 10;
/// How many buffers that came back are kept: what is read, what is taken, and what is sent meanwhile.
const KEPT: usize = 3;

/// Buffers that came back.
#[derive(Default)]
struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// One of so many bytes, whatever they are.
    fn take(&self, length: usize) -> Vec<u8> {
        let mut buffer = self.kept().pop().unwrap_or_default();
        buffer.resize(length, 0);
        buffer
    }

    fn put(&self, buffer: Vec<u8>) {
        let mut kept = self.kept();
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer under way. Dropped, it goes back.
struct Lent {
    buffer: Vec<u8>,
    home: Arc<Buffers>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.put(std::mem::take(&mut self.buffer));
    }
}

struct Pieces {
    file: Arc<File>,
    left: Range<u64>,
    buffers: Arc<Buffers>,
    coming: Option<JoinHandle<io::Result<Bytes>>>,
}

/// The bytes of a file in a range that ends where the file ends, or before.
pub(super) fn pieces(file: File, range: Range<u64>) -> ByteStream {
    let mut pieces = Pieces { file: Arc::new(file), left: range, buffers: Arc::default(), coming: None };
    pieces.fetch();
    Box::pin(stream::unfold(pieces, Pieces::next))
}

impl Pieces {
    /// Starts to read the next piece, if there is one.
    fn fetch(&mut self) {
        let (start, end) = (self.left.start, self.left.end.min(self.left.start.saturating_add(PIECE)));
        if start < end {
            self.left.start = end;
            let (file, length) = (Arc::clone(&self.file), usize::try_from(end - start).unwrap_or_default());
            let home = Arc::clone(&self.buffers);
            self.coming = Some(spawn_blocking(move || {
                let mut lent = Lent { buffer: home.take(length), home };
                file.read_exact_at(&mut lent.buffer, start)?;
                Ok(Bytes::from_owner(lent))
            }));
        }
    }

    async fn next(mut self) -> Option<(Result<Bytes, Cause>, Self)> {
        let read = self.coming.take()?.await.map_err(Cause::from);
        let piece = read.and_then(|piece| piece.map_err(Cause::from));
        if piece.is_ok() {
            self.fetch();
        }
        Some((piece, self))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn pieces_are_the_bytes_of_the_range_though_their_buffers_come_back() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..3 * PIECE + 77).map(|n| (n % 251) as u8).collect();
        file.write_all(&bytes).unwrap();
        let mut stream = pieces(file, 5..bytes.len() as u64);
        let (mut read, mut places) = (Vec::new(), std::collections::BTreeSet::new());
        while let Some(piece) = stream.next().await {
            let piece = piece.unwrap();
            places.insert(piece.as_ptr());
            read.extend_from_slice(&piece);
        }
        assert_eq!(read, &bytes[5..]);
        // One is read while one is looked at, or into the same once nobody does.
        assert!(places.len() <= 2, "{places:?}");
    }

    #[tokio::test]
    async fn more_than_are_kept_may_be_held() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8 * PIECE).unwrap();
        let held: Vec<_> = pieces(file, 0..8 * PIECE).collect().await;
        assert_eq!(held.into_iter().map(|piece| piece.unwrap().len() as u64).sum::<u64>(), 8 * PIECE);
    }
}
