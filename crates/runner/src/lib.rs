//! Processes of steps: spawning, limits, logs.
