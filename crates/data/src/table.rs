//! Table versions: immutable manifests of Parquet files.

use mainstay_core::digest::Digest;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};

use crate::scalar::Scalar;
use crate::schema::Schema;

/// What is known of one column of one file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ColumnStats {
    /// The least value, NaN apart. Absent if there is none, if it is infinite, or if it is text
    /// longer than 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Scalar>,
    /// The greatest value, under the same conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Scalar>,
    /// How many rows hold null.
    pub nulls: u64,
}

/// One immutable Parquet file of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataFile {
    /// Where it lies in the object store, with `/` between its parts.
    pub object_key: String,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// One entry per column of the schema, in order.
    pub columns: Vec<ColumnStats>,
}

/// The rows that an import could not take: newline-delimited JSON with row number and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineFile {
    /// Where it lies in the object store.
    pub object_key: String,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// What a table holds: its schema, its files and what was kept out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The columns.
    pub schema: Schema,
    /// The files, whose rows follow each other in this order.
    pub files: Vec<DataFile>,
    /// The rows that were kept out, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<QuarantineFile>,
}

impl Manifest {
    /// Rows in all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Bytes in all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Rows that were kept out.
    pub fn quarantined_rows(&self) -> u64 {
        self.quarantine.as_ref().map_or(0, |file| file.rows)
    }

    /// The digest of the content: a label of the format, the names and types of the columns, the
    /// digest of each file, and the digest of the quarantine. Where the files lie, who imported them and
    /// when do not count, so that the same content has the same digest everywhere.
    pub fn digest(&self) -> Digest {
        let mut parts: Vec<&[u8]> = vec![b"mainstay table 1"];
        for column in self.schema.columns() {
            parts.extend([column.name.as_bytes(), column.data_type.as_str().as_bytes()]);
        }
        parts.push(b"files");
        parts.extend(self.files.iter().map(|file| file.sha256.as_bytes().as_slice()));
        parts.push(b"quarantine");
        parts.extend(self.quarantine.iter().map(|file| file.sha256.as_bytes().as_slice()));
        Digest::of_parts(parts)
    }
}

/// One immutable version of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct TableVersion {
    /// Of which dataset.
    pub dataset: Name,
    /// 1, 2, 3 … without a gap.
    pub version: u64,
    /// What it holds.
    pub manifest: Manifest,
    /// [`Manifest::digest`].
    pub digest: Digest,
    /// Where the rows came from, for people.
    pub source: String,
    /// When it was committed.
    pub committed_at: MachineTime,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Column, DataType};

    fn manifest() -> Manifest {
        Manifest {
            schema: Schema::new(vec![Column::new("a", DataType::Int64)]).unwrap(),
            files: vec![DataFile {
                object_key: "tables/a.parquet".to_owned(),
                sha256: Digest::of(b"file"),
                rows: 3,
                bytes: 40,
                columns: vec![ColumnStats { min: Some(Scalar::Int(1)), max: Some(Scalar::Int(3)), nulls: 0 }],
            }],
            quarantine: None,
        }
    }

    #[test]
    fn the_digest_is_of_the_content_alone() {
        let first = manifest();
        let mut moved = manifest();
        moved.files[0].object_key = "elsewhere/b.parquet".to_owned();
        assert_eq!(first.digest(), moved.digest());

        let mut renamed = manifest();
        renamed.schema = Schema::new(vec![Column::new("b", DataType::Int64)]).unwrap();
        let mut other_file = manifest();
        other_file.files[0].sha256 = Digest::of(b"other");
        let mut with_quarantine = manifest();
        with_quarantine.quarantine = Some(QuarantineFile {
            object_key: String::new(),
            sha256: Digest::of(b"bad rows"),
            rows: 1,
            bytes: 8,
        });
        for changed in [renamed, other_file, with_quarantine] {
            assert_ne!(first.digest(), changed.digest());
        }
    }

    #[test]
    fn a_manifest_survives_json() {
        let json = serde_json::to_string(&manifest()).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest());
        assert_eq!((manifest().rows(), manifest().bytes(), manifest().quarantined_rows()), (3, 40, 0));
    }
}
