//! Datasets, table versions, schemas and expectations.
