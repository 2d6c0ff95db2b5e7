//! The stores' stories, told on both databases.

mod data;
mod databases;
mod writer;
