//! Rules for texts that people send. Lengths count characters; the limits are those of MLflow's columns.

use mainstay_core::text::exceeds;

use crate::error::GatewayError;

/// Longest name of a secret, model definition or endpoint, and longest id of a resource.
pub(crate) const MAX_NAME: usize = 255;
/// Longest name of a provider.
pub(crate) const MAX_PROVIDER: usize = 64;
/// Longest name of a model at its provider.
pub(crate) const MAX_MODEL: usize = 256;
/// Longest key of a tag.
pub(crate) const MAX_TAG_KEY: usize = 250;
/// Longest value of a tag.
pub(crate) const MAX_TAG_VALUE: usize = 5_000;

/// A text that is not blank, not too long, and has no control characters.
pub(crate) fn name(field: &'static str, text: String, limit: usize) -> Result<String, GatewayError> {
    if text.trim().is_empty() {
        return Err(GatewayError::Blank(field));
    }
    if exceeds(&text, limit).is_some() {
        return Err(GatewayError::TooLong { field, limit });
    }
    if text.contains(char::is_control) {
        return Err(GatewayError::ControlCharacter(field));
    }
    Ok(text)
}

/// Any text that is not too long and can be stored.
pub(crate) fn free(field: &'static str, text: String, limit: usize) -> Result<String, GatewayError> {
    if exceeds(&text, limit).is_some() {
        return Err(GatewayError::TooLong { field, limit });
    }
    if text.contains('\0') {
        return Err(GatewayError::ControlCharacter(field));
    }
    Ok(text)
}
