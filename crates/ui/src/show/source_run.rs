//! The run that made a model version: a link where it can be one of ours, its name alone where it cannot.

use std::collections::BTreeMap;

use mainstay_core::id::RunId;
use mainstay_core::run_ref::RunRef;

use super::figure::short;
use super::link;

pub(crate) struct SourceRun {
    pub(crate) href: Option<String>,
    pub(crate) name: String,
    /// Its whole id.
    pub(crate) id: String,
}

impl SourceRun {
    /// By what it is called, where that is known; else with the start and end of its id.
    pub(crate) fn named(run: &RunRef, names: &BTreeMap<RunId, String>) -> Self {
        let known = run.id().and_then(|id| names.get(&id));
        let name = known.cloned().unwrap_or_else(|| short(run.as_str()));
        Self { href: run.id().map(link::run), name, id: run.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_called_by_its_name_where_one_knows_it() {
        let id = RunId::from_bytes([7; 16]);
        let names = BTreeMap::from([(id, "calm-owl".to_owned())]);
        let ours = SourceRun::named(&id.into(), &names);
        assert_eq!((ours.name.as_str(), ours.href), ("calm-owl", Some(link::run(id))));
        assert_eq!(SourceRun::named(&id.into(), &BTreeMap::new()).name, short(&id.to_string()));
        let elsewhere = SourceRun::named(&RunRef::new("of/elsewhere").unwrap(), &names);
        assert_eq!((elsewhere.name.as_str(), elsewhere.href), ("of/elsewhere", None));
    }
}
