//! What a demonstration is recorded of: questions to Mainstay's own documentation, answered by a search that really
//! happens.
//!
//! The [pages](page) that the program carries are divided into [passages](passage). A fixed set of
//! [questions](question), each with the page that answers it, is [searched](search) among them in two ways: by
//! counting shared words, and by BM25. The answer is quoted from the passage that is found first; nothing is
//! generated. How good a search was is [measured](measure) against the pages that should have been found.
//!
//! Who records it, and where, is behind a [port].

pub mod feature;
pub mod measure;
pub mod page;
pub mod passage;
pub mod port;
pub mod question;
pub mod search;
