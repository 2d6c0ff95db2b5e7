//! Where a stock server's database is, as its `--backend-store-uri` says it.

use std::path::PathBuf;
use std::str::FromStr;

use crate::error::ImportError;

/// A database of a stock server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database, by its URL.
    Postgres(String),
}

impl FromStr for Address {
    type Err = ImportError;

    /// Reads `sqlite:///relative`, `sqlite:////absolute` or `postgresql://…`, with or without the name of a
    /// Python driver in the scheme.
    fn from_str(text: &str) -> Result<Self, ImportError> {
        let refused = || ImportError::Address(without_password(text));
        let (scheme, rest) = text.split_once("://").ok_or_else(refused)?;
        let database = scheme.split_once('+').map_or(scheme, |(database, _)| database);
        match database {
            "sqlite" => {
                let path = rest.split_once('?').map_or(rest, |(path, _)| path);
                let path = path.strip_prefix('/').filter(|path| !path.is_empty()).ok_or_else(refused)?;
                Ok(Self::Sqlite(PathBuf::from(path)))
            }
            "postgresql" | "postgres" => Ok(Self::Postgres(format!("postgresql://{rest}"))),
            _ => Err(refused()),
        }
    }
}

impl Address {
    /// What the record and the state call it: without a password, and the same from whatever directory.
    pub fn name(&self) -> String {
        match self {
            Self::Sqlite(path) => {
                let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                format!("sqlite:///{}", path.display())
            }
            Self::Postgres(url) => {
                let url = without_password(url);
                url.split_once('?').map_or(url.clone(), |(url, _)| url.to_owned())
            }
        }
    }
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_a_stock_server() {
        let read = |text: &str| text.parse::<Address>().unwrap();
        assert_eq!(read("sqlite:///mlflow.db"), Address::Sqlite("mlflow.db".into()));
        assert_eq!(read("sqlite:////srv/mlflow.db?timeout=9"), Address::Sqlite("/srv/mlflow.db".into()));
        let url = "postgresql://me:secret@host:5432/mlflow?sslmode=require";
        assert_eq!(read(url), Address::Postgres(url.to_owned()));
        assert_eq!(read("postgresql+psycopg2://host/x"), Address::Postgres("postgresql://host/x".into()));
        assert_eq!(read(url).name(), "postgresql://host:5432/mlflow");
        for bad in ["mlflow.db", "sqlite://", "sqlite:///", "mysql://me:secret@host/x", "./mlruns"] {
            let refused = bad.parse::<Address>().unwrap_err().to_string();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
