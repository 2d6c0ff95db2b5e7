//! Where a PostgreSQL database is, and why it cannot be used, in words for whoever starts the program.

use std::fmt;

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use sqlx::Connection as _;
use sqlx::postgres::PgConnectOptions;
use thiserror::Error;

use crate::postgres::{PostgresConnection, options};

/// The address of a PostgreSQL database. Shown, it tells of no user and no password.
#[derive(Debug, Clone)]
pub struct PostgresAddress {
    options: PgConnectOptions,
}

/// Why a database of an address cannot be used.
#[derive(Debug, Error)]
pub enum AddressError {
    /// It is of something else.
    #[error(
        "the database has to be PostgreSQL, named as postgresql://USER:PASSWORD@HOST/NAME, but {0}; leave --db and \
         MAINSTAY_DB out to keep everything in SQLite, in the data directory"
    )]
    Scheme(String),
    /// It is of PostgreSQL, and wrong.
    #[error("the address of the database cannot be read: {0}; write postgresql://USER:PASSWORD@HOST/NAME")]
    Unreadable(String),
    /// Nobody answers there, or not as is needed.
    #[error("the PostgreSQL database {place} cannot be used: {cause}")]
    Unusable {
        /// Name, host and port.
        place: String,
        /// What was answered.
        cause: String,
    },
    /// It answered, and there is something else.
    #[error(transparent)]
    Storage(StorageError),
}

impl Coded for AddressError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Scheme(_) | Self::Unreadable(_) => ErrorCode::InvalidArgument,
            Self::Unusable { .. } => ErrorCode::Unavailable,
            Self::Storage(error) => error.code(),
        }
    }
}

impl PostgresAddress {
    /// Reads `postgresql://…` or `postgres://…`.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        match url.split_once("://").map(|(scheme, _)| scheme) {
            Some("postgresql" | "postgres") => {}
            // What stands behind the scheme may be a password.
            Some(scheme) => return Err(AddressError::Scheme(format!("this begins with {scheme}://"))),
            None => return Err(AddressError::Scheme("this has no postgresql:// in front".to_owned())),
        }
        let options = options(url).map_err(|error| AddressError::Unreadable(cause_of(&error)))?;
        Ok(Self { options })
    }

    /// Connects once, to see whether it can be used.
    pub async fn reach(&self) -> Result<(), AddressError> {
        let opened = PostgresConnection::open(self.options.clone()).await;
        let opened = opened.map_err(|error| self.unusable(error))?;
        if let PostgresConnection::Own { inner, .. } = opened {
            // It was reached, however it takes leave.
            drop(inner.close().await);
        }
        Ok(())
    }

    /// An error of opening it, with the place and the cause, which nobody has a log for yet.
    pub fn unusable(&self, error: StorageError) -> AddressError {
        match error {
            StorageError::Unavailable(_) | StorageError::Failed(_) => {
                AddressError::Unusable { place: self.to_string(), cause: cause_of(&error) }
            }
            other => AddressError::Storage(other),
        }
    }
}

/// What lies behind it, each cause once.
fn cause_of(error: &StorageError) -> String {
    let cause = match error {
        StorageError::Unavailable(cause) | StorageError::Failed(cause) => cause,
        other => return other.to_string(),
    };
    match cause.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::Io(inner)) => inner.to_string(),
        Some(sqlx::Error::Database(inner)) => inner.message().to_owned(),
        Some(sqlx::Error::Configuration(inner)) => inner.to_string(),
        _ => cause.to_string(),
    }
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        let name = options.get_database().unwrap_or_else(|| options.get_username());
        match options.get_socket() {
            Some(socket) => write!(f, "'{name}' at {}", socket.display()),
            None => write!(f, "'{name}' at {}:{}", options.get_host(), options.get_port()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_postgresql_is_refused_without_its_password() {
        for bad in [
            "sqlite:///foo.db",
            "mysql://me:secret@host/x",
            "foo",
            "me:secret@host/x",
            "POSTGRES",
            "postgresql://me:secret@host:port/x",
        ] {
            let refused = PostgresAddress::parse(bad).unwrap_err();
            assert_eq!(refused.code(), ErrorCode::InvalidArgument, "{bad}");
            let said = refused.to_string();
            assert!(
                !said.contains("secret") && said.contains("postgresql://USER:PASSWORD@HOST/NAME"),
                "{said}"
            );
        }
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_reached_is_named_with_the_cause() {
        let address = PostgresAddress::parse("postgresql://me:secret@127.0.0.1:1/x").unwrap();
        assert_eq!(address.to_string(), "'x' at 127.0.0.1:1");
        let said = address.reach().await.unwrap_err().to_string();
        assert!(said.starts_with("the PostgreSQL database 'x' at 127.0.0.1:1 cannot be used: "), "{said}");
        assert!(said.contains("refused") && !said.contains("secret"), "{said}");
        let newer = StorageError::Newer { schema: 9, known: 8 };
        assert!(matches!(address.unusable(newer), AddressError::Storage(StorageError::Newer { .. })));
    }
}
