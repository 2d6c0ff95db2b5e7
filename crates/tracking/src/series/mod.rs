//! Metrics as charts want them: a range of an axis, cut into buckets, whatever the number of points.
//!
//! # How points lie
//!
//! A log call appends a small [`block`](crate::block). When enough blocks of a metric lie behind one another, they
//! are merged into larger ones, in the order in which they were logged ([`compaction`]). A merged block that is
//! large enough becomes a [segment](segment::Segment) and is not touched again: beside it stand its
//! [extent](axis::Extent), and which of its points were there before ([`distinct`]), so that the points of all
//! segments, those left out, are each there once.
//!
//! Every eight segments are summed up by a [node](segment::Node) of tier 1, every eight nodes by one of the next
//! tier. A node holds two [summaries](summary::Summary), by step and by time: what the points come to in the
//! intervals `[n · 2^level, (n + 1) · 2^level)`, at the finest level that leaves a bounded number of them. As
//! intervals of one level are whole intervals of the next, a chart at any level from a node's on is put together
//! from the node alone, exactly, and in whatever order points were logged.
//!
//! # How a chart is drawn
//!
//! The range and the number of buckets give a [grid](axis::Grid). Nodes that touch it are added to a
//! [drawing](drawing::Drawing) from the topmost tier down; where a node is coarser than the grid, what it sums up is
//! looked at instead, down to the points of single segments. What is not in a segment yet is added point by
//! point. All of it is one committed state of the database.
//!
//! Segments and nodes follow from the blocks: emptied together, they are made again.

pub mod axis;
pub mod bucket;
pub mod command;
pub mod compaction;
pub mod distinct;
pub mod drawing;
pub mod port;
pub mod query;
pub mod segment;
pub mod summary;

/// Segments that a node of tier 1 sums up, and nodes that one of the next tier does, as a power of two.
pub const FAN_OUT_BITS: u32 = 3;
/// Segments that a node of tier 1 sums up, and nodes that one of the next tier does.
pub const FAN_OUT: u64 = 1 << FAN_OUT_BITS;
