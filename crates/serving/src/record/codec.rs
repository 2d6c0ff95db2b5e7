//! The binary form of a prediction record, format 2. Format 1, which is read too, has no byte behind each read
//! that says whether it was beyond what had been materialised.

use mainstay_core::id::PredictionId;
use mainstay_core::name::Name;
use mainstay_core::time::{DataTime, MachineTime};

use super::wire::{CodecError, Reader, Writer};
use super::{ArmFailure, ArmRole, ArmScore, PredictionRecord, RowStamp, ViewRead};
use crate::schema::{Breach, Violation};

/// The first byte of every record.
const FORMAT: u8 = 2;

impl PredictionRecord {
    /// Appends the binary form to `out`, which is left as it was if the record is too large.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let mut w = Writer::begin(out, FORMAT);
        w.raw(self.id.as_bytes());
        w.text(self.endpoint.as_str());
        w.unsigned(self.revision);
        w.signed(self.at.micros());
        w.signed(self.received.micros());
        w.list(self.sticky_key.as_slice(), |w, key| w.text(key));
        w.list(&self.entity_keys, |w, (name, value)| {
            w.text(name);
            w.value(value);
        });
        w.list(&self.features, Writer::value);
        w.list(&self.reads, |w, read| write_read(w, read, self.at));
        w.list(&self.arms, write_arm);
        w.byte(self.assigned);
        w.list(self.answered.as_slice(), |w, arm| w.byte(*arm));
        w.list(&self.violations, |w, violation| {
            w.unsigned(violation.feature.into());
            w.byte(breach_code(violation.breach));
        });
        w.finish()
    }

    /// Reads the binary form, all of it.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (mut r, format) = Reader::begin(bytes, FORMAT)?;
        let id = PredictionId::from_bytes(r.array()?);
        let endpoint = Name::new(r.text()?).map_err(|_| CodecError::Field("endpoint"))?;
        let revision = r.unsigned()?;
        let at = DataTime::from_micros(r.signed()?);
        let record = Self {
            id,
            endpoint,
            revision,
            at,
            received: MachineTime::from_micros(r.signed()?),
            sticky_key: optional(r.list(Reader::text)?)?,
            entity_keys: r.list(|r| Ok((r.text()?, r.value()?)))?,
            features: r.list(Reader::value)?,
            reads: r.list(|r| read_read(r, at, format))?,
            arms: r.list(read_arm)?,
            assigned: r.byte()?,
            answered: optional(r.list(Reader::byte)?)?,
            violations: r
                .list(|r| Ok(Violation { feature: r.small("feature")?, breach: read_breach(r)? }))?,
        };
        let known = |arm: u8| usize::from(arm) < record.arms.len();
        if !known(record.assigned) || !record.answered.is_none_or(known) {
            return Err(CodecError::Field("arm"));
        }
        r.finish().map(|()| record)
    }
}

fn optional<T>(mut items: Vec<T>) -> Result<Option<T>, CodecError> {
    if items.len() > 1 { Err(CodecError::Field("count")) } else { Ok(items.pop()) }
}

/// A row's times are written as distances from the prediction's, which are short.
fn write_read(w: &mut Writer<'_>, read: &ViewRead, at: DataTime) {
    w.text(&read.view);
    w.list(read.row.as_slice(), |w, row| {
        w.signed(at.micros().wrapping_sub(row.ts.micros()));
        w.signed(at.micros().wrapping_sub(row.created.micros()));
    });
    w.byte(read.beyond.into());
}

fn read_read(r: &mut Reader<'_>, at: DataTime, format: u8) -> Result<ViewRead, CodecError> {
    let view = r.text()?;
    let row = optional(r.list(|r| {
        let ts = DataTime::from_micros(at.micros().wrapping_sub(r.signed()?));
        let created = DataTime::from_micros(at.micros().wrapping_sub(r.signed()?));
        Ok(RowStamp { ts, created })
    })?)?;
    let beyond = match if format == 1 { 0 } else { r.byte()? } {
        0 => false,
        1 => true,
        _ => return Err(CodecError::Field("read")),
    };
    Ok(ViewRead { view, row, beyond })
}

fn write_arm(w: &mut Writer<'_>, arm: &ArmScore) {
    w.unsigned(arm.version);
    w.byte(match arm.role {
        ArmRole::Champion => 0,
        ArmRole::Shadow => 1,
        ArmRole::Canary => 2,
        ArmRole::Previous => 3,
    });
    w.unsigned(arm.latency_micros.into());
    match &arm.outcome {
        Ok(scores) => {
            w.byte(0);
            w.list(scores, |w, score| w.float(*score));
        }
        Err(ArmFailure::TimedOut) => w.byte(1),
        Err(ArmFailure::Failed) => w.byte(2),
        Err(ArmFailure::NotLoaded) => w.byte(3),
    }
}

fn read_arm(r: &mut Reader<'_>) -> Result<ArmScore, CodecError> {
    let version = r.unsigned()?;
    let role = match r.byte()? {
        0 => ArmRole::Champion,
        1 => ArmRole::Shadow,
        2 => ArmRole::Canary,
        3 => ArmRole::Previous,
        _ => return Err(CodecError::Field("role")),
    };
    let latency_micros = r.small("latency")?;
    let outcome = match r.byte()? {
        0 => Ok(r.list(Reader::float)?),
        1 => Err(ArmFailure::TimedOut),
        2 => Err(ArmFailure::Failed),
        3 => Err(ArmFailure::NotLoaded),
        _ => return Err(CodecError::Field("outcome")),
    };
    Ok(ArmScore { version, role, latency_micros, outcome })
}

const fn breach_code(breach: Breach) -> u8 {
    match breach {
        Breach::Missing => 0,
        Breach::Kind => 1,
        Breach::NotFinite => 2,
        Breach::OutOfRange => 3,
    }
}

fn read_breach(r: &mut Reader<'_>) -> Result<Breach, CodecError> {
    Ok(match r.byte()? {
        0 => Breach::Missing,
        1 => Breach::Kind,
        2 => Breach::NotFinite,
        3 => Breach::OutOfRange,
        _ => return Err(CodecError::Field("violation")),
    })
}
