//! Registered models, versions, aliases and approvals.
