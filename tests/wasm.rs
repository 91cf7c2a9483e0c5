//! The engine in a page: `wasm-pack test --headless --chrome`. tests/wasm_worker.rs runs the same in a worker.
#![cfg(target_arch = "wasm32")]

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

#[path = "wasm/suite.rs"]
mod suite;
