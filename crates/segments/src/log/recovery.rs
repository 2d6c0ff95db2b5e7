//! Opening a log after whatever happened to it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;

use mainstay_core::entropy::Entropy;
use mainstay_core::error::StorageError;
use mainstay_serving::segment::{LogId, SegmentId};

use super::Place;
use super::disk::{Disk, read_at};
use super::error::LogError;
use super::format::{self, FOOTER, HEADER, HEADER_SIZE, SEALED};
use super::frames::Frames;
use super::options::Recovery;
use super::seal::read_sealed;
use super::writer::{Closed, Extent};

/// Makes the directory and takes its lock, which the kernel gives back when the process dies.
pub(super) fn lock(dir: &Path) -> Result<File, LogError> {
    std::fs::create_dir_all(dir)?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// The log's id: drawn once, and kept.
pub(super) fn identity(dir: &Path, disk: &Arc<dyn Disk>, entropy: &dyn Entropy) -> Result<LogId, LogError> {
    let path = dir.join("identity");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let damaged = |_| StorageError::Corrupt("the identity of the prediction log".to_owned());
            return Ok(text.trim_end().parse().map_err(damaged)?);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let id = LogId::draw(entropy);
    let draft = dir.join("identity.new");
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let file = disk.create(&draft)?;
    file.write_all_at(format!("{id}\n").as_bytes(), 0)?;
    file.sync()?;
    disk.rename(&draft, &path)?;
    disk.sync_dir(dir)?;
    Ok(id)
}

/// Finds all segments and repairs them: those with frames, the next free number, and what was done.
pub(super) fn recover(place: &Place) -> Result<(BTreeMap<u64, Closed>, u64, Recovery), LogError> {
    let (mut closed, mut next, mut report) = (BTreeMap::new(), 1, Recovery::default());
    for entry in std::fs::read_dir(&place.dir)? {
        let name = entry?.file_name();
        let Some((sequence, extension)) = name.to_str().and_then(format::parse_file_name) else { continue };
        next = next.max(sequence.saturating_add(1));
        let path = place.dir.join(&name);
        let found = if extension == SEALED {
            read_sealed(&path, place.id, sequence)?.map_or(Found::Damaged, |segment| {
                let extent = Extent {
                    end: segment.bytes,
                    records: segment.records,
                    earliest: segment.earliest,
                    latest: segment.latest,
                };
                Found::Segment(Closed { extent, sealed: Some(segment) }, 0)
            })
        } else {
            recover_open(place, sequence, &path)?
        };
        match found {
            Found::Segment(segment, cut) => {
                report.closed += usize::from(segment.sealed.is_none());
                report.cut_bytes += cut;
                closed.insert(sequence, segment);
            }
            Found::Nothing(cut) => {
                report.cut_bytes += cut;
                std::fs::remove_file(&path)?;
            }
            Found::Damaged => {
                tracing::error!(?path, "a segment's header or footer does not check; it is set aside");
                set_aside(place, &path)?;
                report.set_aside += 1;
            }
        }
    }
    Ok((closed, next, report))
}

enum Found {
    /// A segment with frames, and how many bytes were cut behind them.
    Segment(Closed, u64),
    /// No frame, and how many bytes that are none.
    Nothing(u64),
    /// Not what it should be.
    Damaged,
}

/// Cuts what is behind the last whole frame: a torn frame, or the beginning of a footer.
fn recover_open(place: &Place, sequence: u64, path: &Path) -> Result<Found, LogError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut header = [0; HEADER_SIZE];
    if read_at(&file, &mut header, 0)? < header.len() {
        return Ok(Found::Nothing(length));
    }
    if !format::is_header(&header, SegmentId { log: place.id, sequence }) {
        return Ok(Found::Damaged);
    }
    let mut extent = Extent::EMPTY;
    let mut frames = Frames::new(file, HEADER, length);
    while let Some(frame) = frames.next_frame()? {
        extent.add(frame.at, frame.raw.len() as u64);
    }
    let behind = length.saturating_sub(extent.end);
    if behind > 0 {
        let file = place.disk.open(path)?;
        file.truncate(extent.end)?;
        file.sync()?;
    }
    // A whole footer is no loss: it was written and the rename was not.
    let cut = if behind == FOOTER as u64 { 0 } else { behind };
    Ok(if extent.records == 0 {
        Found::Nothing(cut)
    } else {
        Found::Segment(Closed { extent, sealed: None }, cut)
    })
}

/// Renames a file to `….bad`, where it hinders nobody and can be looked at.
pub(super) fn set_aside(place: &Place, path: &Path) -> Result<(), LogError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".bad");
    Ok(place.disk.rename(path, Path::new(&name))?)
}
