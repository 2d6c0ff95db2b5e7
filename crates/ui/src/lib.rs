//! The console: pages, vendored assets and islands.
