//! Compiles the package again when an embedded file changes: the macro that embeds folders cannot say so.

#[expect(clippy::print_stdout, reason = "Cargo reads a build script's instructions there")]
fn main() {
    for folder in ["aws", "charts"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
