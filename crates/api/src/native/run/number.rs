//! Numbers on the wire: JSON has none that are infinite or none at all.

use serde::{Serialize, Serializer};

/// A number; `"NaN"`, `"Infinity"` or `"-Infinity"` where JSON has none.
#[derive(Debug, Clone, Copy)]
pub(super) struct WireNumber(pub(super) f64);

impl Serialize for WireNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            number if number.is_nan() => serializer.serialize_str("NaN"),
            f64::INFINITY => serializer.serialize_str("Infinity"),
            f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            number => serializer.serialize_f64(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_form() {
        let all = [0.5, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(WireNumber);
        let written = serde_json::to_string(&all).unwrap();
        assert_eq!(written, r#"[0.5,-0.0,"NaN","Infinity","-Infinity"]"#);
    }
}
