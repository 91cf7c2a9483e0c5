//! The raw exports: one per way of calling, never one per command.
//!
//! Arguments stand at the address that `rs_reserve` returned; results come back as a tagged `i32` and through the
//! control block. A host that lies about lengths gets an error, not somebody else's memory.

use super::instance::{self, Instance, NONE_NOTHING, none};
#[cfg(feature = "scripting")]
use crate::engine::ScriptLimits;
use crate::engine::{Called, Engine, Kind, Modules, Options, Purpose, Storage};
use crate::resp::{Encoding, Reply};
use crate::table::Resolved;

/// Not a row's number: the name is the first argument.
const NO_OP: u32 = 0xffff;
/// Most calls have no more arguments than this; their list needs no allocation.
const FEW_ARGS: usize = 8;
/// Request memory kept between calls.
const KEEP_REQUEST_BYTES: usize = 1 << 20;
/// How long a snapshot chunk is.
const CHUNK_BYTES: usize = 256 * 1024;

/// What to do without an engine: nothing happened.
fn or_nothing(result: Option<i32>) -> i32 {
    result.unwrap_or(none(NONE_NOTHING))
}

/// The address of the control block.
#[unsafe(no_mangle)]
pub extern "C" fn rs_ctrl() -> *mut u32 {
    instance::control_ptr()
}

/// Starts the engine with 128 bits of seed, given as four words. The control block's clock must be set or is 0.
#[unsafe(no_mangle)]
pub extern "C" fn rs_init(s0: u32, s1: u32, s2: u32, s3: u32) {
    let wide = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    let seed = [wide(s0, s1), wide(s2, s3)];
    instance::start(Engine::new(Options {
        seed,
        now_ms: instance::host_now_ms(),
        ..Options::default()
    }));
}

/// Makes room for `length` bytes of request and returns where they go.
#[unsafe(no_mangle)]
pub extern "C" fn rs_reserve(length: usize) -> *const u8 {
    instance::with(|instance| {
        instance.reserve(length);
        instance.request.as_ptr()
    })
    .unwrap_or(std::ptr::null())
}

/// Opens a session: 0 native RESP2, 1 native RESP3, 2 wire. Its handle.
#[unsafe(no_mangle)]
pub extern "C" fn rs_connect(kind: u32) -> i32 {
    let kind = match kind {
        0 => Kind::Native2,
        1 => Kind::Native3,
        _ => Kind::Wire,
    };
    instance::with(|instance| instance.engine.connect(kind) as i32).unwrap_or(-1)
}

#[unsafe(no_mangle)]
pub extern "C" fn rs_disconnect(session: u32) {
    instance::with(|instance| {
        instance.engine.disconnect(session);
        instance.publish_all();
    });
}

/// What CLIENT LIST shows as a session's ends: `peer` and `local` follow each other in the request.
#[unsafe(no_mangle)]
pub extern "C" fn rs_addresses(session: u32, peer: usize, local: usize) {
    instance::with(|instance| {
        let request = std::mem::take(&mut instance.request);
        if let (Some(peer_text), Some(local_text)) =
            (request.get(..peer), request.get(peer..peer + local))
        {
            instance
                .engine
                .set_addresses(session, peer_text, local_text);
        }
        instance.request = request;
    });
}

/// The row number of the command whose name stands in the request; 0xffff when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn rs_op(length: usize) -> u32 {
    let find = |instance: &mut Instance| {
        let name = instance.request.get(..length)?;
        instance
            .engine
            .lookup()
            .find(name)
            .map(|row| u32::from(row.number))
    };
    instance::with(find).flatten().unwrap_or(NO_OP)
}

/// Any call: `count` arguments `[u32 length][bytes]`.
#[unsafe(no_mangle)]
pub extern "C" fn rs_exec(session: u32, op: u32, count: usize, length: usize) -> i32 {
    or_nothing(instance::with(|instance| {
        let Instance {
            engine, request, ..
        } = &mut *instance;
        let mut cursor = Cursor {
            bytes: request.get(..length).unwrap_or(&[]),
        };
        engine.start_reply(session);
        let called = call(engine, session, op, count, &mut cursor);
        let result = instance.finish(called);
        instance.trim_request(KEEP_REQUEST_BYTES);
        result
    }))
}

/// A call of a known command without arguments.
#[unsafe(no_mangle)]
pub extern "C" fn rs_f0(session: u32, op: u32) -> i32 {
    fast(session, op, [])
}

/// A call of a known command; its one argument is the request.
#[unsafe(no_mangle)]
pub extern "C" fn rs_f1(session: u32, op: u32, l1: usize) -> i32 {
    fast(session, op, [l1])
}

/// Two arguments, one behind the other.
#[unsafe(no_mangle)]
pub extern "C" fn rs_f2(session: u32, op: u32, l1: usize, l2: usize) -> i32 {
    fast(session, op, [l1, l2])
}

/// Three arguments, one behind the other.
#[unsafe(no_mangle)]
pub extern "C" fn rs_f3(session: u32, op: u32, l1: usize, l2: usize, l3: usize) -> i32 {
    fast(session, op, [l1, l2, l3])
}

#[inline(always)]
fn fast<const N: usize>(session: u32, op: u32, lengths: [usize; N]) -> i32 {
    or_nothing(instance::with(|instance| {
        let Instance {
            engine, request, ..
        } = &mut *instance;
        let row = engine.lookup().row(op as u16);
        let mut args: [&[u8]; 4] = [
            row.map_or(&[], |row| row.row.name.as_bytes()),
            &[],
            &[],
            &[],
        ];
        let mut rest = request.as_slice();
        for (arg, length) in args.iter_mut().skip(1).zip(lengths) {
            (*arg, rest) = rest.split_at_checked(length).unwrap_or((&[], &[]));
        }
        let called = engine.call_row(session, row, args.get(..=N).unwrap_or(&[]));
        instance.finish(called)
    }))
}

/// `count` requests `[u32 op][u32 argument count]` with arguments as in `rs_exec`; the result is one aggregate of all
/// replies. Nothing in a batch waits: a blocking command that finds nothing replies as at the end of its time.
#[unsafe(no_mangle)]
pub extern "C" fn rs_batch(session: u32, count: usize, length: usize) -> i32 {
    or_nothing(instance::with(|instance| {
        let Instance {
            engine, request, ..
        } = &mut *instance;
        let mut cursor = Cursor {
            bytes: request.get(..length).unwrap_or(&[]),
        };
        engine.start_reply(session);
        engine.set_may_block(session, false);
        for _ in 0..count {
            let (op, args) = (cursor.word(), cursor.word());
            let called = call(engine, session, op, args as usize, &mut cursor);
            if called != Called::Replied {
                // Every request has its place among the replies.
                engine.reply_nil();
            }
        }
        engine.set_may_block(session, true);
        let result = instance.finish_batch();
        instance.trim_request(KEEP_REQUEST_BYTES);
        result
    }))
}

/// Reads arguments and runs one command.
fn call<'a>(
    engine: &mut Engine,
    session: u32,
    op: u32,
    count: usize,
    cursor: &mut Cursor<'a>,
) -> Called {
    let row: Option<Resolved> = if op == NO_OP {
        None
    } else {
        engine.lookup().row(op as u16)
    };
    let named = usize::from(row.is_some());
    let mut few: [&[u8]; FEW_ARGS] = [&[]; FEW_ARGS];
    let many: Vec<&[u8]>;
    let name: &[u8] = row.map_or(&[], |row| row.row.name.as_bytes());
    let args = match few.get_mut(..count.saturating_add(named)) {
        Some(args) => {
            for (at, arg) in args.iter_mut().enumerate() {
                *arg = if at < named { name } else { cursor.argument() };
            }
            &*args
        }
        None => {
            // No more than the request can hold, whatever the host says.
            let count = count.min(cursor.bytes.len() / 4);
            many = row
                .map(|_| name)
                .into_iter()
                .chain((0..count).map(|_| cursor.argument()))
                .collect();
            &many
        }
    };
    let row = row.or_else(|| args.first().and_then(|name| engine.lookup().find(name)));
    engine.call_more(session, row, args)
}

/// Reads words and arguments from a request.
struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self
            .bytes
            .split_at_checked(length)
            .unwrap_or((self.bytes, &[]));
        self.bytes = rest;
        taken
    }

    fn word(&mut self) -> u32 {
        self.take(4).try_into().map_or(0, u32::from_le_bytes)
    }

    fn argument(&mut self) -> &'a [u8] {
        let length = self.word() as usize;
        self.take(length)
    }
}

/// Configures the engine as redis-server does at its start: the request holds, packed as for [`rs_exec`], the file's
/// name (empty for none), its text and the words of the command line behind it. OK, or an error with the text to print.
#[unsafe(no_mangle)]
pub extern "C" fn rs_configure(count: usize, length: usize) -> i32 {
    or_nothing(instance::with(|instance| {
        let request = std::mem::take(&mut instance.request);
        let mut cursor = Cursor {
            bytes: request.get(..length).unwrap_or(&[]),
        };
        let (name, text) = (cursor.argument(), cursor.argument());
        let words: Vec<&[u8]> = (2..count).map(|_| cursor.argument()).collect();
        let mut reply = Reply::new(Encoding::Cells, true);
        match instance.engine.configure(name, text, &words) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(&error.message()),
        }
        instance.request = request;
        instance.publish_all();
        instance.show(reply, false)
    }))
}

/// A session of the host's own, for which no user's rules are.
#[unsafe(no_mangle)]
pub extern "C" fn rs_trust(session: u32) {
    instance::with(|instance| instance.engine.trust(session));
}

/// The ACL file's name and text stand in the request, packed as for [`rs_exec`]: its users take the place of all others.
#[unsafe(no_mangle)]
pub extern "C" fn rs_acl_load(length: usize) -> i32 {
    or_nothing(instance::with(|instance| {
        let request = std::mem::take(&mut instance.request);
        let mut cursor = Cursor {
            bytes: request.get(..length).unwrap_or(&[]),
        };
        let (name, text) = (cursor.argument(), cursor.argument());
        let result = instance.engine.load_users(name, text);
        instance.request = request;
        instance.finish_result(result)
    }))
}

/// The ACL file was written, or, with an error in the request, could not be read or written.
#[unsafe(no_mangle)]
pub extern "C" fn rs_acl_done(length: usize) {
    instance::with(|instance| {
        let error = instance.request.get(..length).unwrap_or(&[]);
        let result = match error {
            [] => Ok(()),
            error => Err(crate::resp::Error::concat(&[error])),
        };
        instance.engine.end_acl_wait(&result);
        instance.publish_all();
    });
}

/// SHUTDOWN has failed: who asked for it is told.
#[unsafe(no_mangle)]
pub extern "C" fn rs_shutdown_failed() {
    instance::with(|instance| {
        instance.engine.fail_shutdown();
        instance.publish_all();
    });
}

/// The process INFO tells of.
#[unsafe(no_mangle)]
pub extern "C" fn rs_process_id(id: u32) {
    instance::with(|instance| instance.engine.server_mut().process_id = u64::from(id));
}

/// Bytes of the request go to a wire session.
#[unsafe(no_mangle)]
pub extern "C" fn rs_feed(session: u32, length: usize) -> i32 {
    or_nothing(instance::with(|instance| {
        let request = std::mem::take(&mut instance.request);
        instance
            .engine
            .feed(session, request.get(..length).unwrap_or(&[]));
        instance.request = request;
        instance.publish_all();
        0
    }))
}

/// The output of a wire session; its length.
#[unsafe(no_mangle)]
pub extern "C" fn rs_drain(session: u32) -> i32 {
    instance::with(|instance| {
        let mut side = std::mem::take(&mut instance.side);
        instance.engine.drain_into(session, &mut side);
        instance.side = side;
        instance.show_side()
    })
    .unwrap_or(0)
}

/// 1 when the session's connection is to be closed once its output is sent.
#[unsafe(no_mangle)]
pub extern "C" fn rs_closing(session: u32) -> i32 {
    instance::with(|instance| i32::from(instance.engine.is_closing(session))).unwrap_or(1)
}

/// How much of a script runs at once: see [`ScriptLimits`].
#[cfg(feature = "scripting")]
#[unsafe(no_mangle)]
pub extern "C" fn rs_script_limits(slice: u32, most: u32) {
    instance::with(|instance| {
        instance
            .engine
            .set_script_limits(ScriptLimits { slice, most });
    });
}

/// Whether a native session can wait for scripts that pause.
#[cfg(feature = "scripting")]
#[unsafe(no_mangle)]
pub extern "C" fn rs_may_pause(session: u32, may_pause: u32) {
    instance::with(|instance| instance.engine.set_may_pause(session, may_pause != 0));
}

/// Does what is due at the control block's time.
#[unsafe(no_mangle)]
pub extern "C" fn rs_tick() -> i32 {
    or_nothing(instance::with(|instance| {
        instance.engine.tick();
        instance.publish_all();
        0
    }))
}

/// The next session with output or messages, or -1.
#[unsafe(no_mangle)]
pub extern "C" fn rs_ready() -> i32 {
    let next = instance::with(|instance| {
        let next = instance.engine.next_ready();
        instance.publish();
        next
    });
    next.flatten().map_or(-1, |session| session as i32)
}

/// The next message of a native session.
#[unsafe(no_mangle)]
pub extern "C" fn rs_message(session: u32) -> i32 {
    or_nothing(instance::with(|instance| {
        match instance.engine.next_message(session) {
            Some(message) => instance.show_message(message),
            None => none(NONE_NOTHING),
        }
    }))
}

/// The next thing the host is to do: an array of a name and arguments.
#[unsafe(no_mangle)]
pub extern "C" fn rs_request() -> i32 {
    or_nothing(instance::with(|instance| {
        let Some(request) = instance.engine.next_request() else {
            return none(NONE_NOTHING);
        };
        instance.publish();
        let mut reply = Reply::new(Encoding::Cells, true);
        reply.array(request.len());
        request.iter().for_each(|part| reply.bulk(part));
        instance.show(reply, false)
    }))
}

/// Whether PUBLISH is passed on to the host.
#[unsafe(no_mangle)]
pub extern "C" fn rs_bridge(is_bridged: u32) {
    instance::with(|instance| instance.engine.set_bridged(is_bridged != 0));
}

/// A message from another engine: channel and payload follow each other in the request.
#[unsafe(no_mangle)]
pub extern "C" fn rs_remote_publish(is_sharded: u32, channel: usize, payload: usize) -> i32 {
    or_nothing(instance::with(|instance| {
        let request = std::mem::take(&mut instance.request);
        let end = channel.saturating_add(payload);
        if let (Some(name), Some(bytes)) = (request.get(..channel), request.get(channel..end)) {
            instance.engine.remote_publish(is_sharded != 0, name, bytes);
        }
        instance.request = request;
        instance.publish();
        0
    }))
}

/// Starts a snapshot: 0 for a file of its own, 1 for a rewrite, 2 for a copy. BUSY while a script is paused.
#[unsafe(no_mangle)]
pub extern "C" fn rs_snapshot_begin(purpose: u32) -> i32 {
    or_nothing(instance::with(|instance| {
        let idle = instance.engine.check_idle();
        if idle.is_ok() {
            instance.engine.begin_snapshot(match purpose {
                0 => Purpose::Save,
                1 => Purpose::Rewrite,
                _ => Purpose::Copy,
            });
        }
        instance.finish_result(idle)
    }))
}

/// The next chunk; its length, 0 at the end, -1 when more is to come but nothing is there yet.
#[unsafe(no_mangle)]
pub extern "C" fn rs_snapshot_next() -> i32 {
    instance::with(|instance| {
        let mut side = std::mem::take(&mut instance.side);
        side.clear();
        let has_more = instance.engine.next_chunk(CHUNK_BYTES, &mut side);
        instance.side = side;
        match instance.show_side() {
            0 if has_more => -1,
            length => length,
        }
    })
    .unwrap_or(0)
}

/// The host tells that the snapshot was stored (1), was not (0), or that it needs no more of a copy (2).
#[unsafe(no_mangle)]
pub extern "C" fn rs_snapshot_end(outcome: u32) {
    instance::with(|instance| {
        match outcome {
            2 => instance.engine.end_copy(),
            _ => instance.engine.end_snapshot(outcome == 1),
        }
        instance.publish_all();
    });
}

/// Starts loading a snapshot. Flag 1: data of modules is left out, instead of refusing the file.
#[unsafe(no_mangle)]
pub extern "C" fn rs_load_begin(flags: u32) -> i32 {
    or_nothing(instance::with(|instance| {
        instance.engine.begin_load(match flags & 1 {
            0 => Modules::Refuse,
            _ => Modules::Skip,
        });
        instance.finish_result(Ok(()))
    }))
}

/// The next bytes of the snapshot stand in the request.
#[unsafe(no_mangle)]
pub extern "C" fn rs_load_chunk(length: usize) -> i32 {
    or_nothing(instance::with(|instance| {
        let request = std::mem::take(&mut instance.request);
        let result = instance
            .engine
            .load_chunk(request.get(..length).unwrap_or(&[]));
        instance.request = request;
        instance.finish_result(result)
    }))
}

/// The loaded data set takes the place of the present one, if it is whole. For an import this counts as a change. The
/// reply: how many keys were loaded, had expired, were skipped.
#[unsafe(no_mangle)]
pub extern "C" fn rs_load_end(is_import: u32) -> i32 {
    or_nothing(instance::with(|instance| {
        let engine = &mut instance.engine;
        let result = engine.check_idle().and_then(|()| match is_import {
            0 => engine.end_load(),
            _ => engine.end_import(),
        });
        if result.is_err() {
            return instance.finish_result(result);
        }
        let done = engine.last_load();
        instance.publish_all();
        let mut reply = Reply::new(Encoding::Cells, true);
        reply.array(3);
        for count in [done.keys, done.expired, done.skipped] {
            reply.int(count as i64);
        }
        instance.show(reply, false)
    }))
}

/// What the host can keep: 0 nothing, 1 snapshots, 2 an append-only file too.
#[unsafe(no_mangle)]
pub extern "C" fn rs_storage(kind: u32) {
    instance::with(|instance| {
        instance.engine.set_storage(match kind {
            0 => Storage::None,
            1 => Storage::Snapshots,
            _ => Storage::Aof,
        });
    });
}

/// Records every write from now on, for the append-only file, or none any more.
#[unsafe(no_mangle)]
pub extern "C" fn rs_aof(is_on: u32) {
    instance::with(|instance| {
        match is_on {
            0 => instance.engine.stop_aof(),
            _ => instance.engine.start_aof(),
        }
        instance.publish();
    });
}

/// The bytes recorded since the last time; their length.
#[unsafe(no_mangle)]
pub extern "C" fn rs_aof_take() -> i32 {
    instance::with(|instance| {
        let mut side = std::mem::take(&mut instance.side);
        instance.engine.take_aof(&mut side);
        instance.side = side;
        instance.publish();
        instance.show_side()
    })
    .unwrap_or(0)
}

/// The database chosen behind what was taken last; -1 for none.
#[unsafe(no_mangle)]
pub extern "C" fn rs_aof_db() -> i32 {
    instance::with(|instance| instance.engine.aof_db().map_or(-1, |db| db as i32)).unwrap_or(-1)
}

/// Of the bytes taken since [`rs_aof`], so many are written, and so many survive a power cut.
#[unsafe(no_mangle)]
pub extern "C" fn rs_aof_stored(written: f64, durable: f64) {
    instance::with(|instance| {
        instance.engine.aof_stored(written as u64, durable as u64);
        instance.publish_all();
    });
}

/// What was taken could not be written; why stands in the request.
#[unsafe(no_mangle)]
pub extern "C" fn rs_aof_failed(length: usize) {
    instance::with(|instance| {
        let request = std::mem::take(&mut instance.request);
        instance
            .engine
            .aof_failed(request.get(..length).unwrap_or(&[]));
        instance.request = request;
        instance.publish_all();
    });
}

/// Starts running an append-only file of so many bytes (0 when they are not known); its name stands in the request.
#[unsafe(no_mangle)]
pub extern "C" fn rs_replay_begin(name_length: usize, total_bytes: f64) -> i32 {
    or_nothing(instance::with(|instance| {
        let name = instance.request.get(..name_length).unwrap_or(&[]);
        instance.engine.begin_replay(name, total_bytes as u64);
        instance.finish_result(Ok(()))
    }))
}

/// The next bytes of the file stand in the request.
#[unsafe(no_mangle)]
pub extern "C" fn rs_replay_chunk(length: usize) -> i32 {
    or_nothing(instance::with(|instance| {
        let request = std::mem::take(&mut instance.request);
        let result = instance
            .engine
            .replay_chunk(request.get(..length).unwrap_or(&[]));
        instance.request = request;
        instance.finish_result(result)
    }))
}

/// The file is over: how many of its bytes were good. Clients have to wait, and nothing expires, until the last one is.
#[unsafe(no_mangle)]
pub extern "C" fn rs_replay_end(is_last: u32) -> i32 {
    or_nothing(instance::with(|instance| {
        let mut reply = Reply::new(Encoding::Cells, true);
        match instance.engine.end_replay(is_last != 0) {
            Ok(bytes) => reply.double(bytes as f64),
            Err(error) => reply.error(error.text()),
        }
        instance.publish_all();
        instance.show(reply, false)
    }))
}
