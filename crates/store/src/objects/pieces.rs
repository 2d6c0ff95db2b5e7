//! A part of a file as a stream, one piece of it read ahead of whoever takes them.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use mainstay_core::error::Cause;
use mainstay_core::object::ByteStream;
use tokio::task::{JoinHandle, spawn_blocking};

/// The length of a piece, in bytes.
const PIECE: u64 = 512 << 10;

struct Pieces {
    file: Arc<File>,
    left: Range<u64>,
    coming: Option<JoinHandle<io::Result<Bytes>>>,
}

/// The bytes of a file in a range that ends where the file ends, or before.
pub(super) fn pieces(file: File, range: Range<u64>) -> ByteStream {
    let mut pieces = Pieces { file: Arc::new(file), left: range, coming: None };
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
            self.coming = Some(spawn_blocking(move || {
                let mut piece = vec![0; length];
                file.read_exact_at(&mut piece, start)?;
                Ok(Bytes::from(piece))
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
