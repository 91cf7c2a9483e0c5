//! The engine in a dedicated worker; see tests/wasm.rs.
#![cfg(target_arch = "wasm32")]

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[path = "wasm/suite.rs"]
mod suite;
