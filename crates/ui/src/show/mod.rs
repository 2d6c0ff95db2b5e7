//! How things are shown: the same everywhere.

pub(crate) mod chart;
pub(crate) mod diff;
pub(crate) mod figure;
pub(crate) mod graph;
pub(crate) mod link;
pub(crate) mod long_text;
pub(crate) mod markdown;
pub(crate) mod moment;
pub(crate) mod news_kinds;
pub(crate) mod shell;
pub(crate) mod source_run;
pub(crate) mod words;
