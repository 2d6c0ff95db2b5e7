//! Windowed aggregates and point-in-time joins.
