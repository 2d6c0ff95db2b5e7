//! Entities, feature views, services and the point-in-time rule.
