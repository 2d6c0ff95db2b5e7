//! Pipeline definitions, the planner, the run state machine, leases and triggers.
