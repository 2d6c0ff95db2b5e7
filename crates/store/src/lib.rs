//! Every port over SQL and objects: migrations, the writer, the dialect rules.
