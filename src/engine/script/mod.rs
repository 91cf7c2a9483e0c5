//! Scripts that run: the machine's host, which carries out `redis.call` by the one way to run a command.
//!
//! A script sees one point in time, its commands never wait, and what is logged are its effects.

mod api;
mod convert;

use super::{Called, Engine};
use crate::algorithms::bytes::Append;
use crate::lua::vm::Ran;
use crate::lua::{Thrown, Value};
use crate::resp::{Encoding, Error, Reply};
use crate::state::Session;
use crate::state::scripts::{Machine, ScriptCall};

/// A script that runs, and what it has done so far.
#[derive(Debug)]
pub(super) struct Running<'a> {
    call: &'a ScriptCall,
    /// What its commands reply, one at a time.
    reply: Reply,
    /// `redis.setresp(3)`.
    resp3: bool,
    /// `redis.set_repl`: where its effects go (bits 1 the log, 2 replicas).
    replication: u8,
    /// It has changed something: it cannot be killed any more.
    has_written: bool,
}

/// What the machine talks to.
struct ScriptHost<'a> {
    engine: &'a mut Engine,
    session: &'a mut Session,
    running: Running<'a>,
}

impl Engine {
    /// Runs a script to its end; its result, or its error, is the reply.
    pub(super) fn run_script(
        &mut self,
        session: &mut Session,
        args: &[&[u8]],
        call: &ScriptCall,
        reply: &mut Reply,
    ) -> Called {
        let Some(mut machine) = self.server.scripts.machine.take() else {
            return Called::Silent;
        };
        let (db, resp3) = (session.db, session.resp3);
        let could_not_block = std::mem::replace(&mut session.is_in_exec, true);
        let length = session.exec_length;
        session.exec_length = Some(length.unwrap_or(1));
        session.is_scripting = true;
        session.resp3 = false;
        let log_start = self.log.len();

        let mut host = ScriptHost {
            engine: self,
            session,
            running: Running {
                call,
                reply: Reply::new(Encoding::Cells, false),
                resp3: false,
                replication: api::REPLICATE_ALL,
                has_written: false,
            },
        };
        let result = host.start(&mut machine, args);
        let is_resp3 = host.running.resp3;
        session.resp3 = resp3;
        session.db = db;
        session.is_scripting = false;
        session.is_in_exec = could_not_block;
        session.exec_length = length;
        self.keys.begin(db, self.now_ms, session.no_touch);
        match result {
            Ok(Ran::Done(value)) => convert::write(&machine.vm, value, is_resp3, reply),
            Ok(Ran::Paused) => machine.vm.abandon(),
            Err(Thrown) => {
                let error = failure(&mut machine, call);
                self.server.count_error(error.code());
                reply.error(error.text());
            }
        }
        machine.settle();
        self.server.scripts.machine = Some(machine);
        if length.is_none() {
            self.frame_transaction(log_start);
        }
        Called::Replied
    }
}

impl ScriptHost<'_> {
    /// Hands keys and arguments over and runs the script.
    fn start(&mut self, machine: &mut Machine, args: &[&[u8]]) -> Result<Ran, Thrown> {
        let call = self.running.call;
        let vm = &mut machine.vm;
        let args = args.get(3..).unwrap_or(&[]);
        let (keys, args) = args.split_at(call.keys.min(args.len()));
        let keys = convert::list(vm, keys)?;
        // Nothing else refers to the first list while the second is made.
        vm.roots.push(keys);
        let args = convert::list(vm, args);
        vm.roots.pop();
        let lists = [keys, args?];
        if call.is_function {
            return vm.run(self, call.function, &lists);
        }
        let globals = vm.globals;
        vm.set_field(globals, "KEYS", lists[0]);
        vm.set_field(globals, "ARGV", lists[1]);
        vm.run(self, call.function, &[])
    }
}

/// The error that a script ended with, and where it happened.
fn failure(machine: &mut Machine, call: &ScriptCall) -> Error {
    let vm = &mut machine.vm;
    let mut text = Vec::new();
    match vm.thrown {
        Value::Table(table) => {
            let key = Value::String(vm.heap.name("err"));
            match vm.heap.table_of(table).get(key) {
                Value::String(message) => text.put(vm.heap.bytes(message)),
                _ => text.put(b"ERR unknown error"),
            }
        }
        thrown => {
            text.put(b"ERR ");
            match convert::text_of(vm, thrown) {
                Some(message) => text.put(&message),
                None => text.put(thrown.type_name().as_bytes()),
            }
        }
    }
    call.put_place(&mut text, vm.blamed());
    Error::of_bytes(text)
}
