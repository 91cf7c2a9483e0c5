//! The control plane: what is not hot comes as JavaScript values, through wasm-bindgen.

use super::instance;
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// What `Redstart.stats()` returns. Sizes in bytes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Statistics {
    keys: usize,
    volatile_keys: usize,
    used_bytes: f64,
    sessions: usize,
    commands: f64,
    hits: f64,
    misses: f64,
    expired: f64,
    changes_since_save: f64,
    last_save_s: f64,
}

/// Figures of the engine, as an object; undefined before it is started.
#[wasm_bindgen]
pub fn stats() -> Result<JsValue, JsValue> {
    let figures = instance::with(|instance| {
        let (keys, server) = (instance.engine.keys(), instance.engine.server());
        let lengths = (0..keys.db_count()).filter_map(|db| keys.db(db));
        Statistics {
            keys: lengths.map(|db| db.len()).sum(),
            volatile_keys: keys.volatile_len(),
            used_bytes: keys.used_bytes() as f64,
            sessions: instance.engine.session_count(),
            commands: server.stats.commands as f64,
            hits: keys.stats.hits as f64,
            misses: keys.stats.misses as f64,
            expired: keys.stats.expired as f64,
            changes_since_save: (keys.dirty - keys.dirty_saved) as f64,
            last_save_s: server.last_save_s as f64,
        }
    });
    serde_wasm_bindgen::to_value(&figures).map_err(JsValue::from)
}

/// The version of this package.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
