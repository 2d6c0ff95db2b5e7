//! Configuration, assembly, background tasks, shutdown; the mainstay binary.
