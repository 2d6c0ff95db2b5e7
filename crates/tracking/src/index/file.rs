//! The index at rest: one file of columns, so that a server that starts does not read every run's rows.
//!
//! # Format, version 1
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `MRIX` |
//! | 1 | the version, 1 |
//! | 8 | up to which event it goes |
//! | 32 | that event's leaf in the audit tree, by which a file of another history is told |
//! | 8 | the number of experiments |
//! | | for each: its number, its workspace, then the columns of its runs |
//! | 4 | CRC-32C of all before |
//!
//! Numbers are little-endian, lists and texts begin with their length in 8 bytes. A file of which anything is
//! wrong is as good as none: the index is then made from the tables.

use std::io::{self, Read, Write};

use mainstay_core::digest::Digest;
use mainstay_core::event::EventSeq;

use super::part::Part;
use super::{Place, RunIndex};
use crate::experiment::ExperimentId;
use mainstay_columns::codec::{In, Out, damaged};

const MAGIC: [u8; 4] = *b"MRIX";
const VERSION: u8 = 1;
/// The checksum at the end.
const CHECKSUM: u64 = 4;

/// Up to where in which log an index goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The last event that it knows.
    pub position: EventSeq,
    /// That event's leaf in the audit tree, which no other history has.
    pub leaf: Digest,
}

/// Writes an index experiment by experiment, so that it can go on changing meanwhile: a change that an
/// experiment knows already does no harm when the log is followed from the stamp on.
pub struct IndexWriter<W> {
    out: Out<W>,
}

impl<W: Write> IndexWriter<W> {
    /// Begins a file of so many experiments.
    pub fn begin(stamp: &Stamp, experiments: usize, to: W) -> io::Result<Self> {
        let mut out = Out::new(to);
        out.bytes(&MAGIC)?;
        out.byte(VERSION)?;
        out.number(stamp.position.0)?;
        out.bytes(stamp.leaf.as_bytes())?;
        out.length(experiments)?;
        Ok(Self { out })
    }

    /// Writes the runs of an experiment, which is one of [`RunIndex::experiments`].
    pub fn experiment(&mut self, index: &RunIndex, experiment: ExperimentId) -> io::Result<()> {
        index.parts.get(&experiment).ok_or_else(damaged)?.write(&mut self.out)
    }

    /// Ends the file, of which nothing was flushed yet to where it lasts.
    pub fn finish(self) -> io::Result<W> {
        let (checksum, mut to) = self.out.finish()?;
        to.write_all(&checksum.to_le_bytes())?;
        Ok(to)
    }
}

impl RunIndex {
    /// The experiments of which it knows runs.
    pub fn experiments(&self) -> Vec<ExperimentId> {
        self.parts.keys().copied().collect()
    }

    /// Reads an index of `length` bytes, without looking at what it says of its log: that is the caller's part.
    pub fn read(mut from: impl Read, length: u64) -> io::Result<(Self, Stamp)> {
        let body = length.checked_sub(CHECKSUM).ok_or_else(damaged)?;
        let mut input = In::new(&mut from, body);
        if input.array()? != MAGIC || input.byte()? != VERSION {
            return Err(damaged());
        }
        let position = EventSeq(input.number()?);
        let stamp = Stamp { position, leaf: Digest::from_bytes(input.array()?) };
        let mut index = Self::new();
        // A part has a number, at least.
        for _ in 0..input.length(8)? {
            index.take(Part::read(&mut input)?)?;
        }
        let found = input.finish()?;
        let mut checksum = [0; 4];
        from.read_exact(&mut checksum)?;
        if u32::from_le_bytes(checksum) == found { Ok((index, stamp)) } else { Err(damaged()) }
    }

    fn take(&mut self, part: Part) -> io::Result<()> {
        let experiment = part.experiment();
        self.places.reserve(part.ids.len());
        for (slot, (id, lifecycle)) in (0..).zip(part.ids.iter().zip(&part.lifecycles)) {
            let is_here = lifecycle.is_some();
            if is_here && self.places.insert(*id, Place { experiment, slot }).is_some() {
                return Err(damaged());
            }
        }
        if self.parts.insert(experiment, part).is_some() { Err(damaged()) } else { Ok(()) }
    }
}
