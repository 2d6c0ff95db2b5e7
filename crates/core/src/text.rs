//! Rules for texts that people send. Lengths count characters, as `MLflow` does.

/// The byte at which a text passes its limit of characters, if it does.
pub fn exceeds(text: &str, limit: usize) -> Option<usize> {
    // A character has at least one byte, so most texts are never counted.
    if text.len() <= limit { None } else { text.char_indices().nth(limit).map(|(at, _)| at) }
}

/// The start of a text, for error sentences.
pub fn clip(text: &str) -> String {
    text.chars().take(100).collect()
}

/// Whether a text can be the key of a metric, parameter or tag: letters, digits, `/ _ . - :` and space,
/// written as a normal relative path (`_validate_tag_name` in `mlflow/utils/validation.py`).
pub fn is_key(text: &str) -> bool {
    let normal = text.split('/').all(|part| !matches!(part, "" | "." | ".."));
    normal && !text.starts_with("..") && has_key_characters(text)
}

/// Whether a text holds only characters that may stand in a key; see [`is_key`].
pub fn has_key_characters(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '_' | '.' | '-' | ' ' | ':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_normal_paths() {
        for good in ["k", "loss", "val/loss", "a b:c-d.e_f", "a/b c:d-e", "mlflow.runName", "é"] {
            assert!(is_key(good), "{good}");
        }
        for bad in
            ["", ".", "..", "..a", "../a", "a/../b", "a/./b", "/a", "a/", "a//b", "a\\b", "a\nb", "a#", "a\0"]
        {
            assert!(!is_key(bad), "{bad:?}");
        }
    }

    #[test]
    fn limits_count_characters() {
        assert_eq!(exceeds("éé", 2), None);
        assert_eq!(exceeds("ééé", 2), Some(4));
        assert_eq!(exceeds("", 0), None);
    }
}
