//! TestApp, fixed clocks, fixtures and conformance suites.
