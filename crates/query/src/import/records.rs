//! CSV records (RFC 4180, with any line ending) in bounded memory.

use std::io::Read;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::error::ImportError;
use super::source::unreadable;

/// How long a record may be, and how many fields it may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordLimits {
    pub(super) bytes: usize,
    pub(super) fields: usize,
}

/// One record: its fields' bytes without delimiters and quotes.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    /// All fields, one after the other.
    pub(super) bytes: &'a [u8],
    /// Where each field ends.
    pub(super) ends: &'a [usize],
    /// Bytes of the file that it takes, with what separates it from the record before.
    pub(super) spent: u64,
    /// The line that it begins in, from 1.
    pub(super) line: u64,
}

/// What comes next in the file.
pub(super) enum Next<'a> {
    Record(Record<'a>),
    /// A record beyond the limits; it was skipped, and this is its beginning.
    Oversized {
        start: &'a [u8],
        spent: u64,
        line: u64,
    },
    End,
}

/// Reads records one by one. Blank lines are no records.
pub(super) struct Records<'r> {
    input: &'r mut dyn Read,
    parser: Reader,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    output: Vec<u8>,
    ends: Vec<usize>,
    limits: RecordLimits,
    /// Line breaks between records, which the parser does not see.
    breaks: u64,
}

impl<'r> Records<'r> {
    pub(super) fn new(input: &'r mut dyn Read, delimiter: u8, limits: RecordLimits) -> Self {
        Self {
            input,
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            buffer: vec![0; 1 << 17].into_boxed_slice(),
            start: 0,
            end: 0,
            output: vec![0; limits.bytes.min(1 << 14)],
            ends: vec![0; limits.fields.min(64)],
            limits,
            breaks: 0,
        }
    }

    fn fill(&mut self) -> Result<(), ImportError> {
        if self.start == self.end {
            self.start = 0;
            self.end = self.input.read(&mut self.buffer).map_err(unreadable)?;
        }
        Ok(())
    }

    /// Goes to where the next record begins; gives how many bytes that took.
    fn skip_breaks(&mut self) -> Result<u64, ImportError> {
        let mut spent = 0;
        loop {
            self.fill()?;
            match self.buffer.get(self.start..self.end).and_then(<[u8]>::first) {
                Some(b'\n') => self.breaks += 1,
                Some(b'\r') => {}
                _ => return Ok(spent),
            }
            self.start += 1;
            spent += 1;
        }
    }

    /// The next record.
    pub(super) fn next(&mut self) -> Result<Next<'_>, ImportError> {
        let mut spent = self.skip_breaks()?;
        let line = self.parser.line() + self.breaks;
        let (mut length, mut fields) = (0, 0);
        let mut oversized = None;
        loop {
            self.fill()?;
            let input = self.buffer.get(self.start..self.end).unwrap_or_default();
            let output = self.output.get_mut(length..).unwrap_or_default();
            let ends = self.ends.get_mut(fields..).unwrap_or_default();
            let (state, read, written, ended) = self.parser.read_record(input, output, ends);
            self.start += read;
            spent += read as u64;
            length += written;
            fields += ended;
            match state {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.output.len() < self.limits.bytes => {
                    let longer = (self.output.len() * 2).min(self.limits.bytes);
                    self.output.resize(longer, 0);
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() < self.limits.fields => {
                    let longer = (self.ends.len() * 2).min(self.limits.fields);
                    self.ends.resize(longer, 0);
                }
                // Beyond the limits: keep the beginning, and let the rest of the record write over
                // what follows it.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    let kept = *oversized.get_or_insert(length.min(EXCERPT).min(self.output.len() / 2));
                    (length, fields) = (kept, 0);
                }
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(Next::End),
            }
        }
        if let Some(kept) = oversized {
            let start = self.output.get(..kept).unwrap_or_default();
            return Ok(Next::Oversized { start, spent, line });
        }
        let bytes = self.output.get(..length).unwrap_or_default();
        let ends = self.ends.get(..fields).unwrap_or_default();
        Ok(Next::Record(Record { bytes, ends, spent, line }))
    }
}

/// How much of an oversized record is kept.
const EXCERPT: usize = 1_024;

impl<'a> Record<'a> {
    /// The fields as they are for a person to read, at most `limit` bytes of each.
    pub(super) fn excerpt(&self, limit: usize) -> String {
        excerpt(self.bytes, self.ends, limit)
    }

    /// The fields as text, if all of it is UTF-8.
    pub(super) fn text(&self) -> Option<TextRecord<'a>> {
        let text = std::str::from_utf8(self.bytes).ok()?;
        // Two fields may make valid text together that neither is alone.
        let whole = self.ends.iter().all(|&end| text.is_char_boundary(end));
        whole.then_some(TextRecord { text, ends: self.ends })
    }
}

fn excerpt(bytes: &[u8], ends: &[usize], limit: usize) -> String {
    let mut start = 0;
    let fields = ends.iter().map(|&end| {
        let field = bytes.get(start..end.min(start + limit)).unwrap_or_default();
        start = end;
        String::from_utf8_lossy(field)
    });
    fields.collect::<Vec<_>>().join(",")
}

/// A record whose fields are UTF-8.
#[derive(Clone, Copy)]
pub(super) struct TextRecord<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> TextRecord<'a> {
    /// The fields as they are for a person to read, at most `limit` bytes of each.
    pub(super) fn excerpt(self, limit: usize) -> String {
        excerpt(self.text.as_bytes(), self.ends, limit)
    }

    /// The fields, in order.
    pub(super) fn fields(self) -> impl Iterator<Item = &'a str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let field = self.text.get(start..end).unwrap_or_default();
            start = end;
            field
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &[u8], limits: RecordLimits) -> Vec<String> {
        let mut input = text;
        let mut records = Records::new(&mut input, b',', limits);
        let mut seen = Vec::new();
        loop {
            match records.next().unwrap() {
                Next::Record(record) => seen.push(record.text().map_or_else(
                    || "not UTF-8".to_owned(),
                    |text| text.fields().collect::<Vec<_>>().join("|"),
                )),
                Next::Oversized { start, .. } => seen.push(format!("oversized {}", start.len())),
                Next::End => break,
            }
        }
        seen
    }

    const LIMITS: RecordLimits = RecordLimits { bytes: 32, fields: 3 };

    #[test]
    fn quotes_line_ends_and_blank_lines() {
        let text = b"\xef\xbb\xbfa,b\r\n\r\n\"x,\"\"1\"\"\n2\",y\rz";
        assert_eq!(read_all(text, LIMITS), ["a|b", "x,\"1\"\n2|y", "z"]);
        assert_eq!(read_all(b"", LIMITS), Vec::<String>::new());
    }

    #[test]
    fn oversized_records_are_skipped_whole() {
        let long = "x".repeat(1_000);
        let text = format!("a,b\n{long},1\nc,d\n1,2,3,4,5\ne,f\n\"{long}\n{long}");
        assert_eq!(
            read_all(text.as_bytes(), LIMITS),
            ["a|b", "oversized 16", "c|d", "oversized 3", "e|f", "oversized 16"]
        );
    }

    #[test]
    fn records_know_the_line_that_they_begin_in() {
        for text in ["a\n\n\"b\n\nb\"\nc\n", "a\r\n\r\n\"b\r\n\nb\"\r\nc", "\na\n\"b\n\nb\"\nc"] {
            let mut input = text.as_bytes();
            let mut records = Records::new(&mut input, b',', LIMITS);
            let mut lines = Vec::new();
            while let Next::Record(record) = records.next().unwrap() {
                lines.push(record.line);
            }
            let first = if text.starts_with('\n') { [2, 3, 6] } else { [1, 3, 6] };
            assert_eq!(lines, first, "{text:?}");
        }
    }

    #[test]
    fn text_is_judged_field_by_field() {
        assert_eq!(read_all(b"\xc3,\xa9\n\xc3\xa9,1\n\xff\n", LIMITS), ["not UTF-8", "é|1", "not UTF-8"]);
    }
}
