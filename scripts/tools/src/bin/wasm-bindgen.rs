//! The `wasm-bindgen` command: turns a compiled wasm module into an ES module with its bindings.

fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(std::env::args_os())
}
