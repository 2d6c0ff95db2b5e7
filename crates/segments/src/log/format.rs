//! Header, frame and footer as bytes. See the table in the module above.

use mainstay_core::digest::Digest;
use mainstay_core::time::DataTime;
use mainstay_serving::segment::{LogId, SealedSegment, SegmentId};

use super::MAX_PAYLOAD;
use super::error::LogError;

pub(super) const OPEN: &str = "open";
pub(super) const SEALED: &str = "seg";

const MAGIC: [u8; 8] = *b"mainseg\0";
const FORMAT: u32 = 1;
/// No frame has this length, so it marks the footer.
const FOOTER_MARK: u32 = u32::MAX;

pub(super) const HEADER_SIZE: usize = 40;
pub(super) const HEADER: u64 = HEADER_SIZE as u64;
pub(super) const FRAME_HEAD: usize = 16;
pub(super) const FOOTER: usize = 72;

pub(super) fn file_name(sequence: u64, extension: &str) -> String {
    format!("{sequence:020}.{extension}")
}

/// The sequence and extension of a segment's file name.
pub(super) fn parse_file_name(name: &str) -> Option<(u64, &str)> {
    let (digits, extension) = name.split_once('.')?;
    let sequence = digits.parse().ok()?;
    (digits.len() == 20 && matches!(extension, OPEN | SEALED)).then_some((sequence, extension))
}

pub(super) fn header(id: SegmentId) -> [u8; HEADER_SIZE] {
    let mut out = [0; HEADER_SIZE];
    let mut fields = Fields(&mut out);
    fields.put(&MAGIC);
    fields.put(&FORMAT.to_le_bytes());
    fields.put(id.log.as_bytes());
    fields.put(&id.sequence.to_le_bytes());
    let (summed, sum) = out.split_at_mut(36);
    sum.copy_from_slice(&crc32c::crc32c(summed).to_le_bytes());
    out
}

/// Whether `bytes` are the header of that segment of that log.
pub(super) fn is_header(bytes: &[u8], id: SegmentId) -> bool {
    bytes == header(id)
}

/// The head of a frame. The payload follows it.
pub(super) fn frame_head(at: DataTime, payload: &[u8]) -> Result<[u8; FRAME_HEAD], LogError> {
    let length = u32::try_from(payload.len()).ok().filter(|_| (1..=MAX_PAYLOAD).contains(&payload.len()));
    let length = length.ok_or(LogError::Size(payload.len()))?.to_le_bytes();
    let at = at.micros().to_le_bytes();
    let sum = frame_sum(length, at, payload).to_le_bytes();
    let mut out = [0; FRAME_HEAD];
    let mut fields = Fields(&mut out);
    fields.put(&length);
    fields.put(&sum);
    fields.put(&at);
    Ok(out)
}

fn frame_sum(length: [u8; 4], at: [u8; 8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(&length), &at), payload)
}

/// The head of a frame, read and not yet checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    length: [u8; 4],
    sum: u32,
    at: [u8; 8],
}

impl Head {
    pub(super) fn read(bytes: [u8; FRAME_HEAD]) -> Self {
        let mut fields = bytes.as_slice();
        Self { length: take(&mut fields), sum: u32::from_le_bytes(take(&mut fields)), at: take(&mut fields) }
    }

    /// The length of the payload, if a frame can have it.
    pub(super) fn length(&self) -> Option<usize> {
        let length = u32::from_le_bytes(self.length) as usize;
        (1..=MAX_PAYLOAD).contains(&length).then_some(length)
    }

    pub(super) fn at(&self) -> DataTime {
        DataTime::from_micros(i64::from_le_bytes(self.at))
    }

    pub(super) fn fits(&self, payload: &[u8]) -> bool {
        frame_sum(self.length, self.at, payload) == self.sum
    }
}

pub(super) fn footer(segment: &SealedSegment) -> [u8; FOOTER] {
    let mut out = [0; FOOTER];
    let (front, body) = out.split_at_mut(8);
    let mut fields = Fields(body);
    fields.put(&segment.records.to_le_bytes());
    fields.put(&segment.bytes.to_le_bytes());
    fields.put(&segment.earliest.micros().to_le_bytes());
    fields.put(&segment.latest.micros().to_le_bytes());
    fields.put(segment.digest.as_bytes());
    let sum = crc32c::crc32c(body).to_le_bytes();
    let mut fields = Fields(front);
    fields.put(&FOOTER_MARK.to_le_bytes());
    fields.put(&sum);
    out
}

/// Reads the footer of a file of `file_length` bytes; `None` if it is not one.
pub(super) fn read_footer(
    bytes: &[u8; FOOTER],
    log: LogId,
    sequence: u64,
    file_length: u64,
) -> Option<SealedSegment> {
    let (front, body) = bytes.split_at(8);
    let (mut front, mut fields) = (front, body);
    let mark = u32::from_le_bytes(take(&mut front));
    let sum = u32::from_le_bytes(take(&mut front));
    let segment = SealedSegment {
        id: SegmentId { log, sequence },
        records: u64::from_le_bytes(take(&mut fields)),
        bytes: u64::from_le_bytes(take(&mut fields)),
        earliest: DataTime::from_micros(i64::from_le_bytes(take(&mut fields))),
        latest: DataTime::from_micros(i64::from_le_bytes(take(&mut fields))),
        digest: Digest::from_bytes(take(&mut fields)),
    };
    let whole = segment.bytes.checked_add(FOOTER as u64) == Some(file_length) && segment.bytes >= HEADER;
    (mark == FOOTER_MARK && sum == crc32c::crc32c(body) && whole).then_some(segment)
}

/// Fills a buffer of fixed size from the front.
struct Fields<'b>(&'b mut [u8]);

impl Fields<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some((front, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(bytes.len()) {
            front.copy_from_slice(bytes);
            self.0 = rest;
        }
    }
}

/// Takes a field from the front of a buffer that is long enough by its type.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let Some((front, rest)) = bytes.split_first_chunk() else { return [0; N] };
    *bytes = rest;
    *front
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SegmentId = SegmentId { log: LogId::from_bytes([9; 16]), sequence: 3 };

    /// Written by format 1, checked against `tests/reference/segment.py`; must be read for ever.
    #[test]
    fn format_1_is_fixed() {
        let hex = |bytes: &[u8]| hex::encode(bytes);
        let fixture: Vec<&str> = include_str!("../../tests/fixtures/segment-v1.hex").lines().collect();
        let head = frame_head(DataTime::from_micros(-2), b"payload").unwrap();
        let segment = SealedSegment {
            id: ID,
            records: 1,
            bytes: HEADER + 23,
            digest: Digest::of(&[&header(ID)[..], &head[..], b"payload"].concat()),
            earliest: DataTime::from_micros(-2),
            latest: DataTime::from_micros(-2),
        };
        assert_eq!(fixture, [hex(&header(ID)), hex(&head) + &hex(b"payload"), hex(&footer(&segment))]);
        assert!(Head::read(head).fits(b"payload") && !Head::read(head).fits(b"Payload"));
        let length = segment.bytes + FOOTER as u64;
        assert_eq!(read_footer(&footer(&segment), ID.log, ID.sequence, length), Some(segment));
        assert_eq!(read_footer(&footer(&segment), ID.log, ID.sequence, length + 1), None);
    }

    #[test]
    fn empty_and_huge_records_are_refused() {
        for size in [0, MAX_PAYLOAD + 1] {
            let refused = frame_head(DataTime::default(), &vec![0; size]);
            assert!(matches!(refused, Err(LogError::Size(n)) if n == size));
        }
    }

    #[test]
    fn only_our_file_names_are_ours() {
        assert_eq!(parse_file_name(&file_name(7, SEALED)), Some((7, SEALED)));
        for other in ["7.seg", "00000000000000000007.bad", "identity", "+0000000000000000007.seg", ""] {
            assert_eq!(parse_file_name(other).filter(|_| !other.starts_with('+')), None, "{other}");
        }
    }
}
