//! What a definition must know of the built-in steps.

use serde_json::{Map, Value};

use super::error::{DefinitionError, Problem};
use super::name::StepName;
use super::{Definition, Work};

/// The steps that `uses` can name.
pub trait BuiltIns: Send + Sync {
    /// Their names, in order.
    fn names(&self) -> Vec<&'static str>;

    /// Whether `with` can be the arguments of that step; if not, a sentence that says why. A text that still
    /// holds a reference (`${`) stands for a value that is not known yet.
    fn check(&self, uses: &str, with: &Map<String, Value>) -> Result<(), String>;
}

/// Names alone: any arguments stand.
impl<const N: usize> BuiltIns for [&'static str; N] {
    fn names(&self) -> Vec<&'static str> {
        self.to_vec()
    }

    fn check(&self, _: &str, _: &Map<String, Value>) -> Result<(), String> {
        Ok(())
    }
}

impl Definition {
    /// Refuses the first stage that uses a step that is not there, or gives it arguments that it does not take.
    /// `is_known` says which stages' steps and arguments can be looked at.
    pub(super) fn verify(
        &self,
        built_ins: &dyn BuiltIns,
        is_known: impl Fn(&StepName) -> bool,
    ) -> Result<(), DefinitionError> {
        let names = built_ins.names();
        for (stage, work) in self.stages.iter().map(|(name, stage)| (name, &stage.work)) {
            let Work::BuiltIn { uses, with } = work else { continue };
            if !is_known(stage) {
                continue;
            }
            if !names.contains(&uses.as_str()) {
                let problem = Problem::NoSuchBuiltIn { uses: uses.clone(), known: names.join(", ") };
                return Err(DefinitionError::at(format!("stages.{stage}.uses"), problem));
            }
            built_ins.check(uses, with).map_err(|reason| {
                DefinitionError::at(format!("stages.{stage}.with"), Problem::Arguments(reason))
            })?;
        }
        Ok(())
    }
}
