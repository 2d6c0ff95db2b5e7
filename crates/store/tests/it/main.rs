//! The stores' stories, told on both databases.

mod data;
mod databases;
mod registry;
mod tracking;
mod writer;
