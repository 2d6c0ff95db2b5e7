//! A compiled graph: steps in order, over flat arrays of tensors.

use std::ops::Range;

use crate::error::KernelError;
use crate::kernel::{Inputs, Kernel, Operand, Outputs, Values, Workspace};
use crate::limits::Budget;
use crate::tensor::Tensor;

/// One node of the graph, compiled.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) kernel: Box<dyn Kernel>,
    /// Its inputs, in [`Plan::operands`].
    pub(crate) operands: Range<usize>,
    /// Its outputs, in the slots. They follow the slots of all earlier steps.
    pub(crate) slots: Range<usize>,
    /// How messages call the node.
    pub(crate) label: String,
    pub(crate) op: String,
}

/// All steps, the operands they share, and the constants they read.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) operands: Vec<Operand>,
    pub(crate) constants: Vec<Tensor>,
    pub(crate) slots: usize,
}

/// The step that failed, and why.
pub(crate) struct Failed<'p> {
    pub(crate) step: &'p Step,
    pub(crate) reason: KernelError,
}

impl Plan {
    /// Runs every step. `slots` holds the outputs afterwards.
    pub(crate) fn run(
        &self,
        request: &[&Tensor],
        slots: &mut [Tensor],
        workspace: &mut Workspace,
        budget: &mut Budget,
    ) -> Result<(), Failed<'_>> {
        for step in &self.steps {
            self.run_step(step, request, slots, workspace, budget)
                .map_err(|reason| Failed { step, reason })?;
        }
        Ok(())
    }

    fn run_step(
        &self,
        step: &Step,
        request: &[&Tensor],
        slots: &mut [Tensor],
        workspace: &mut Workspace,
        budget: &mut Budget,
    ) -> Result<(), KernelError> {
        let (done, rest) = slots.split_at_mut_checked(step.slots.start).ok_or(KernelError::Operand)?;
        let tensors = rest.get_mut(..step.slots.len()).ok_or(KernelError::Operand)?;
        let operands = self.operands.get(step.operands.clone()).ok_or(KernelError::Operand)?;
        let values = Values { request, constants: &self.constants, slots: done };
        step.kernel.run(&Inputs { operands, values }, &mut Outputs { tensors, budget, workspace })
    }
}
