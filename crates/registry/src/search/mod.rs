//! `MLflow`'s search over models and versions: filter and order texts, evaluated over what a
//! [`RegistryReader`](crate::port::RegistryReader) shows them, one after the other.
//!
//! The language is that of [`mainstay_core::search`], the columns those of `SearchModelUtils` and
//! `SearchModelVersionUtils`: `name`, `run_id`, `source_path` and `tags.key`, which are texts, and the number
//! `version_number`. Prompts, which are models with the tag `mlflow.prompt.is_prompt`, are hidden unless the filter
//! names that tag.

mod filter;
mod order;
mod page;

pub use filter::{ModelFilter, VersionFilter};
pub use mainstay_core::search::SearchError;
pub use order::{ModelOrder, VersionOrder};
pub use page::{ModelSearch, VersionSearch};
