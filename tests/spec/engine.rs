//! The engine as a host: wire sessions, a virtual clock, a fixed seed, and storage that takes everything at once.

use std::collections::BTreeMap;

use redstart::engine::{Engine, Options, Purpose, SessionId};
use redstart::state::{Kind, Storage};

use super::play::Host;

/// When the virtual clock starts, in ms since the epoch.
const START_MS: i64 = 1_700_000_000_000;
/// Waits pass in steps of this, as a host's timer would.
const STEP_MS: i64 = 10;

pub struct InProcess {
    engine: Engine,
    clients: BTreeMap<u32, SessionId>,
    now_ms: i64,
    /// Bytes of the append-only file.
    taken_bytes: u64,
    /// Requests of the engine that take effect when time passes, as a save in the background does.
    later: Vec<Purpose>,
}

impl InProcess {
    pub fn new() -> Self {
        let clients = BTreeMap::new();
        InProcess {
            engine: new_engine(),
            clients,
            now_ms: START_MS,
            taken_bytes: 0,
            later: Vec::new(),
        }
    }

    /// Does what the engine asks for.
    fn serve(&mut self) {
        while let Some(request) = self.engine.next_request() {
            let words: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
            match words.as_slice() {
                [b"save", b"sync"] => self.store(Purpose::Save),
                [b"save", ..] => self.later.push(Purpose::Save),
                [b"rewrite"] => self.later.push(Purpose::Rewrite),
                [b"appendonly", b"yes"] => {
                    self.engine.start_aof();
                    self.taken_bytes = 0;
                    self.later.push(Purpose::Rewrite);
                }
                [b"appendonly", ..] => {
                    self.later.retain(|purpose| *purpose != Purpose::Rewrite);
                    self.engine.stop_aof();
                }
                _ => {}
            }
        }
        self.append();
    }

    fn store(&mut self, purpose: Purpose) {
        self.append();
        self.engine.begin_snapshot(purpose);
        let mut bytes = Vec::new();
        while self.engine.next_chunk(usize::MAX, &mut bytes) {}
        self.engine.end_snapshot(true);
    }

    fn append(&mut self) {
        let mut bytes = Vec::new();
        self.engine.take_aof(&mut bytes);
        if !bytes.is_empty() {
            self.taken_bytes += bytes.len() as u64;
            self.engine.aof_stored(self.taken_bytes, self.taken_bytes);
        }
    }
}

/// Configured as the oracle is.
fn new_engine() -> Engine {
    let mut engine = Engine::new(Options {
        seed: [1, 2],
        now_ms: START_MS,
        ..Options::default()
    });
    let words: [&[u8]; 2] = [b"--enable-debug-command", b"yes"];
    engine
        .configure(b"", b"", &words)
        .expect("a good configuration");
    engine.set_storage(Storage::Aof);
    #[cfg(feature = "scripting")]
    engine.set_script_limits(redstart::engine::ScriptLimits {
        slice: 1,
        ..Default::default()
    });
    engine
}

impl Host for InProcess {
    fn reset(&mut self) {
        *self = InProcess::new();
    }

    fn connect(&mut self, client: u32) {
        let id = self.engine.connect(Kind::Wire);
        self.clients.insert(client, id);
    }

    fn send(&mut self, client: u32, bytes: &[u8]) {
        if let Some(&id) = self.clients.get(&client) {
            self.engine.feed(id, bytes);
            self.serve();
        }
    }

    fn settle(&mut self) -> Vec<(u32, Vec<u8>, bool)> {
        let mut found = Vec::new();
        for (&client, &id) in &self.clients {
            let bytes = self.engine.drain(id);
            let closed = self.engine.is_closing(id);
            if closed || !bytes.is_empty() {
                found.push((client, bytes, closed));
            }
        }
        for (client, _, _) in found.iter().filter(|(_, _, closed)| *closed) {
            self.close(*client);
        }
        found
    }

    fn wait(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms as i64;
        while self.now_ms < end_ms {
            self.now_ms = (self.now_ms + STEP_MS).min(end_ms);
            self.engine.set_now(self.now_ms);
            for purpose in std::mem::take(&mut self.later) {
                self.store(purpose);
            }
            self.engine.tick();
            self.serve();
        }
    }

    fn close(&mut self, client: u32) {
        if let Some(id) = self.clients.remove(&client) {
            self.engine.disconnect(id);
        }
    }
}
