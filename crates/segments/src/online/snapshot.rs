//! Writing and reading a whole state.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use super::OnlineError;
use super::error::corrupt;
use super::format::{self, Frame, HEADER, RowsWriter, header};
use super::journal::sync_parent;
use super::recovery::{State, check_version};
use super::view::OnlineView;

/// Bytes gathered before they are written.
const BUFFER: usize = 4 << 20;

/// Writes every view beside `path` and renames it into place, durably. Gives its length.
pub(super) fn write(path: &Path, views: &[(u32, &OnlineView)]) -> Result<u64, OnlineError> {
    let temporary = path.with_extension("tmp");
    let mut file = BufWriter::new(File::create(&temporary)?);
    let (mut out, mut frames, mut failed) = (header().to_vec(), 0, None);
    for (number, view) in views {
        format::write_view(&mut out, *number, view.spec());
        frames += 1;
        let mut rows = RowsWriter::new(&mut out, *number);
        view.for_each(|key, row| {
            rows.row(key, row);
            if failed.is_none() {
                failed = rows.drain(BUFFER, |bytes| file.write_all(bytes)).err();
            }
        });
        rows.finish();
        frames += rows.frames;
        if let Some(error) = failed {
            return Err(error.into());
        }
        if let Some(coverage) = view.coverage() {
            format::write_coverage(&mut out, *number, coverage, view.source());
            frames += 1;
        }
    }
    format::write_end(&mut out, frames);
    file.write_all(&out)?;
    let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.sync_all()?;
    let length = file.metadata()?.len();
    fs::rename(&temporary, path)?;
    sync_parent(path)?;
    Ok(length)
}

/// Reads a snapshot whole: one that ends early or is damaged is an error, because it was renamed into
/// place only when it was complete. Gives its version.
pub(super) fn read(path: &Path, state: &mut State) -> Result<u32, OnlineError> {
    let bytes = fs::read(path)?;
    let version = check_version(path, &bytes)?;
    let (mut at, mut frames) = (HEADER, 0);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some((frame, length)) = format::read(rest) else {
            return Err(corrupt(
                path,
                &format!("damaged at byte {at}; remove the directory and materialise again"),
            ));
        };
        at += length;
        if let Frame::End { frames: written } = frame {
            let whole = written == frames && at == bytes.len();
            return if whole { Ok(version) } else { Err(corrupt(path, "frames are missing")) };
        }
        frames += 1;
        state.take(path, frame)?;
    }
}
