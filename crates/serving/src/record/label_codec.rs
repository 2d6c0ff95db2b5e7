//! The binary form of a label, format 1.

use mainstay_core::id::PredictionId;
use mainstay_core::time::DataTime;

use super::wire::{CodecError, Reader, Writer};
use crate::label::{Label, LabelValue};

/// The first byte of every label.
const FORMAT: u8 = 1;

impl Label {
    /// Appends the binary form to `out`, which is left as it was if the label is too large.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let mut w = Writer::begin(out, FORMAT);
        w.raw(self.prediction.as_bytes());
        w.unsigned(self.version.into());
        match &self.value {
            LabelValue::Number(number) => {
                w.byte(0);
                w.float(*number);
            }
            LabelValue::Text(text) => {
                w.byte(1);
                w.text(text);
            }
        }
        w.signed(self.at.micros());
        w.signed(self.arrived.micros());
        w.finish()
    }

    /// Reads the binary form, all of it.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (mut r, _) = Reader::begin(bytes, FORMAT)?;
        let label = Self {
            prediction: PredictionId::from_bytes(r.array()?),
            version: r.small("version")?,
            value: match r.byte()? {
                0 => LabelValue::Number(r.float()?),
                1 => LabelValue::Text(r.text()?),
                _ => return Err(CodecError::Field("value")),
            },
            at: DataTime::from_micros(r.signed()?),
            arrived: DataTime::from_micros(r.signed()?),
        };
        r.finish().map(|()| label)
    }
}
