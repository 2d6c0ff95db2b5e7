//! How sessions share memory.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// A pool in which operators that can spill share three quarters fairly, so that those that cannot (the
/// merge behind two sorts, say) find room. DataFusion's own fair pool gives everything to the sorts, and
/// the merge that needs 64 KiB of it then fails the query.
///
/// The limit is checked before memory is granted, not in one step with it: requests at the very same
/// moment may exceed it by themselves, once.
#[derive(Debug)]
pub(crate) struct HeadroomPool {
    limit: usize,
    spilling: FairSpillPool,
    fixed: AtomicUsize,
}

impl HeadroomPool {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, spilling: FairSpillPool::new(limit - limit / 4), fixed: AtomicUsize::new(0) }
    }
}

impl fmt::Display for HeadroomPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} of {} bytes used)", self.name(), self.reserved(), self.limit)
    }
}

impl MemoryPool for HeadroomPool {
    fn name(&self) -> &'static str {
        "headroom"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.spilling.register(consumer);
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.spilling.unregister(consumer);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if reservation.consumer().can_spill() {
            self.spilling.grow(reservation, additional);
        } else {
            self.fixed.fetch_add(additional, Ordering::Relaxed);
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        if reservation.consumer().can_spill() {
            self.spilling.shrink(reservation, shrink);
        } else {
            self.fixed.fetch_sub(shrink, Ordering::Relaxed);
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if self.reserved().saturating_add(additional) > self.limit {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} asks for {additional} bytes more, but {self}",
                reservation.consumer().name()
            )));
        }
        if reservation.consumer().can_spill() {
            return self.spilling.try_grow(reservation, additional);
        }
        self.fixed.fetch_add(additional, Ordering::Relaxed);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.spilling.reserved().saturating_add(self.fixed.load(Ordering::Relaxed))
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}
