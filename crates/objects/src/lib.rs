//! Objects: on local disk, or in a bucket that speaks S3's protocol.
//!
//! Both answer [`mainstay_core::object::Objects`], and what one has acknowledged is durable and whole.

mod durable;
mod incoming;
mod local;
mod pieces;
mod s3;

pub use local::LocalObjects;
pub use s3::{InvalidS3Location, OpenS3Error, S3Location, S3Objects};
