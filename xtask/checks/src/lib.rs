//! The checks behind `cargo xtask test` and the figures behind `cargo xtask bench`.
