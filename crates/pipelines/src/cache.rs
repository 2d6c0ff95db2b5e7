//! When an earlier result may stand for a step.

use std::collections::BTreeMap;

use mainstay_core::digest::Digest;

use crate::definition::Stage;

/// The version of this rule; a change of it lets no older result match.
const RULE: &[u8] = b"mainstay-step-cache/1";

/// The key under which a result is found again: a digest over what the step does, its working folder,
/// its parameters with their values, the digests of all that it reads, the names of what it writes, its
/// environment and the engine's version. `None` if the stage is not cached, or if the digest of some
/// dependency is missing.
///
/// `stage` is the one at run time ([`Stage::at_run_time`]); `deps` has the digest of each path in its
/// `deps`, and under `steps.NAME` of any result that the caller lets count.
pub fn cache_key(stage: &Stage, deps: &BTreeMap<String, Digest>, engine_version: &str) -> Option<Digest> {
    if !stage.cache || stage.frozen || stage.deps.iter().any(|dep| !deps.contains_key(dep)) {
        return None;
    }
    // Keys are sorted and every value is a JSON type, so equal stages give equal bytes.
    let work = serde_json::to_vec(&(&stage.work, &stage.wdir, &stage.params, &stage.env)).ok()?;
    let outs = serde_json::to_vec(&stage.outs.keys().collect::<Vec<_>>()).ok()?;
    let deps = serde_json::to_vec(deps).ok()?;
    Some(Digest::of_parts([RULE, engine_version.as_bytes(), &work, &outs, &deps]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Definition, Parameters, Source};

    fn stage(text: &str) -> Stage {
        let definition: Definition = Source::parse(text).unwrap().resolve(&Parameters::default()).unwrap();
        definition.stages.into_values().next().unwrap()
    }

    #[test]
    fn every_input_counts_and_nothing_else() {
        let base = "stages:\n  a:\n    cmd: run\n    deps: [x]\n    outs: [y]\n";
        let deps = BTreeMap::from([("x".to_owned(), Digest::of(b"1"))]);
        let key = cache_key(&stage(base), &deps, "1");
        assert!(key.is_some());
        assert_eq!(cache_key(&stage(&format!("{base}    desc: prose\n    retries: 3\n")), &deps, "1"), key);
        for other in [
            base.replace("run", "walk"),
            base.replace("outs: [y]", "outs: [z]"),
            format!("{base}    env: {{A: '1'}}\n"),
            format!("{base}    wdir: sub\n").replace("[x]", "[../x]"),
        ] {
            assert_ne!(cache_key(&stage(&other), &deps, "1"), key, "{other}");
        }
        assert_ne!(cache_key(&stage(base), &BTreeMap::from([("x".to_owned(), Digest::of(b"2"))]), "1"), key);
        assert_ne!(cache_key(&stage(base), &deps, "2"), key);
        assert_eq!(cache_key(&stage(base), &BTreeMap::new(), "1"), None, "a dependency without digest");
        assert_eq!(cache_key(&stage(&format!("{base}    always_changed: true\n")), &deps, "1"), None);
    }
}
