//! Bounds on what a model may be and what one run of it may cost.

use crate::error::KernelError;

/// Bounds for loading and running; the defaults suit tabular models on a shared server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a model file. Default 256 MiB.
    pub max_bytes: usize,
    /// Nodes of a graph. Default 20,000.
    pub max_nodes: usize,
    /// Elements of all intermediate tensors and outputs of one run together: bounds the memory.
    /// Default 2²⁶ (256 MiB of float32).
    pub max_elements: usize,
    /// Multiply-adds and tree nodes visited in one run: bounds the time. Default 2³⁴.
    pub max_work: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, max_nodes: 20_000, max_elements: 1 << 26, max_work: 1 << 34 }
    }
}

/// What is left of the limits during one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    elements: usize,
    work: u64,
}

impl Budget {
    pub(crate) const fn new(limits: &Limits) -> Self {
        Self { elements: limits.max_elements, work: limits.max_work }
    }

    /// Accounts for elements about to be allocated.
    pub(crate) fn charge_elements(&mut self, count: usize) -> Result<(), KernelError> {
        self.elements = self.elements.checked_sub(count).ok_or(KernelError::Limit)?;
        Ok(())
    }

    /// Accounts for `count` units of work about to be done, each `factor` steps.
    pub(crate) fn charge_work(&mut self, count: usize, factor: usize) -> Result<(), KernelError> {
        let work = (count as u64).saturating_mul(factor as u64);
        self.work = self.work.checked_sub(work).ok_or(KernelError::Limit)?;
        Ok(())
    }

    pub(crate) const fn elements_left(&self) -> usize {
        self.elements
    }
}
