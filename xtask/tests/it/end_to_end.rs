//! From nothing to nothing in a sandbox of its own, as a person would do it.
