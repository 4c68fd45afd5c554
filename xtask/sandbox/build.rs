//! Compiles the package again when an embedded file changes: the macro that embeds folders cannot say so.

fn main() {
    for folder in ["aws", "charts"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
