//! What lies in a file: CSV, a zip archive of one CSV, or Parquet.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zip::ZipArchive;
use zip::result::ZipError;

use super::error::ImportError;
use super::options::ImportOptions;

/// A source, recognised by its first bytes.
pub(super) enum Source {
    /// Text, possibly in an archive.
    Text(TextSource),
    /// A Parquet file.
    Parquet(PathBuf),
}

/// CSV text that can be read more than once.
pub(super) struct TextSource {
    path: PathBuf,
    pub(super) zipped: bool,
    max_ratio: u64,
    max_bytes: u64,
    /// Bytes of text; for an archive as it declares.
    pub(super) total_bytes: u64,
}

impl Source {
    pub(super) fn detect(path: &Path, options: &ImportOptions) -> Result<Self, ImportError> {
        let mut magic = Vec::with_capacity(4);
        let mut file = File::open(path).map_err(unreadable)?;
        file.by_ref().take(4).read_to_end(&mut magic).map_err(unreadable)?;
        if magic == b"PAR1" {
            return Ok(Self::Parquet(path.to_owned()));
        }
        let mut text = TextSource {
            path: path.to_owned(),
            zipped: magic == b"PK\x03\x04" || magic == b"PK\x05\x06",
            max_ratio: options.max_zip_ratio,
            max_bytes: options.max_unzipped_bytes,
            total_bytes: file.metadata().map_err(unreadable)?.len(),
        };
        if text.zipped {
            text.total_bytes = text.check_archive()?;
        }
        Ok(Self::Text(text))
    }
}

impl TextSource {
    /// Opens the archive and checks its one entry; gives the size that it declares.
    fn check_archive(&self) -> Result<u64, ImportError> {
        let mut archive = self.archive()?;
        if archive.len() != 1 {
            return Err(ImportError::ZipEntries(archive.len()));
        }
        let entry = archive.by_index(0).map_err(unzippable)?;
        if entry.encrypted() || !entry.is_file() || entry.enclosed_name().is_none() {
            return Err(ImportError::ZipEntry);
        }
        if entry.size() > self.max_bytes {
            return Err(ImportError::ZipBomb("its size"));
        }
        Ok(entry.size())
    }

    fn archive(&self) -> Result<ZipArchive<BufReader<File>>, ImportError> {
        let file = File::open(&self.path).map_err(unreadable)?;
        ZipArchive::new(BufReader::new(file)).map_err(unzippable)
    }

    /// Hands the text to `visit`, from its beginning.
    pub(super) fn read<T>(
        &self,
        visit: impl FnOnce(&mut dyn Read) -> Result<T, ImportError>,
    ) -> Result<T, ImportError> {
        if !self.zipped {
            return visit(&mut File::open(&self.path).map_err(unreadable)?);
        }
        let mut archive = self.archive()?;
        let entry = archive.by_index(0).map_err(unzippable)?;
        // Small files compress by any ratio; the ratio counts from the first mebibyte.
        let by_ratio = entry.compressed_size().saturating_mul(self.max_ratio).max(1 << 20);
        visit(&mut Guarded { inner: entry, read: 0, by_ratio, by_size: self.max_bytes })
    }
}

/// The content of an archive grew beyond a limit.
#[derive(Debug, Error)]
#[error("the archive unpacks to more than {0} allows")]
struct Overflow(&'static str);

/// Counts what was really unpacked, whatever the archive declares.
struct Guarded<R> {
    inner: R,
    read: u64,
    by_ratio: u64,
    by_size: u64,
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read = self.read.saturating_add(count as u64);
        if self.read > self.by_ratio {
            return Err(io::Error::other(Overflow("its ratio")));
        }
        if self.read > self.by_size {
            return Err(io::Error::other(Overflow("its size")));
        }
        Ok(count)
    }
}

/// A read failed: the source is gone, cut, or an archive that is damaged or too large.
pub(super) fn unreadable(error: io::Error) -> ImportError {
    if let Some(overflow) = error.get_ref().and_then(|cause| cause.downcast_ref::<Overflow>()) {
        return ImportError::ZipBomb(overflow.0);
    }
    match error.kind() {
        // What the zip and deflate readers say of a wrong checksum or a broken stream.
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => ImportError::Zip(error.into()),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ImportError::Missing,
        _ => ImportError::Unreadable(error.into()),
    }
}

fn unzippable(error: ZipError) -> ImportError {
    match error {
        ZipError::Io(error) => unreadable(error),
        other => ImportError::Zip(other.into()),
    }
}
