//! INFO: what the server tells about itself, section by section.
//!
//! Fields stand in Redis' order under Redis' names. Those that cannot mean anything here (forks, replicas, threads) are
//! what a Redis that does none of it prints.

use super::VERSION;
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num;
use crate::state::acl::Reason;
use crate::state::{Hindrance, Scope};
use crate::table::{Acl, BASE, Command, Ctx, Flags, Group, Outcome, Result, args, prose, string};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "info", arity: -1, group: Group::Server, since: "1.0.0",
        flags: Flags::LOADING | Flags::STALE,
        acl: Acl::DANGEROUS,
        args: args![string("section").optional().multiple()],
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        reply: "any",
        doc: prose!("What the server tells about itself, whole or in sections.", "O(1); O(N) for keysizes, N the number of keys"),
        run: info,
        ..BASE
    },
];

/// A section: its title, whether it is shown unasked, and its lines.
type Section = (&'static str, bool, fn(&Ctx, &mut Text));

const SECTIONS: [Section; 15] = [
    ("Server", true, server),
    ("Clients", true, clients),
    ("Memory", true, memory),
    ("Persistence", true, persistence),
    ("Threads", true, threads),
    ("Stats", true, stats),
    ("Replication", true, replication),
    ("CPU", true, cpu),
    ("Modules", true, |_, _| {}),
    ("Commandstats", false, commandstats),
    ("Errorstats", true, errorstats),
    ("Latencystats", false, |_, _| {}),
    ("Cluster", true, |_, text| text.number("cluster_enabled", 0)),
    ("Keyspace", true, keyspace),
    ("Keysizes", true, keysizes),
];

/// With more keys than this, `Keysizes` is told only to those who ask for it: it looks at every one.
const KEYSIZES_LIMIT_KEYS: usize = 100_000;

fn info(ctx: &mut Ctx) -> Result {
    let asked = |word: &str| {
        ctx.args
            .iter()
            .skip(1)
            .any(|arg| arg.is_word(word.as_bytes()))
    };
    let is_all = asked("all") || asked("everything");
    let is_default = ctx.args.len() == 1 || asked("default");
    let used_bytes = ctx.keys.used_bytes();
    ctx.server.note_memory(used_bytes, ctx.now_ms);
    let keys: usize = (0..ctx.keys.db_count())
        .filter_map(|db| ctx.keys.db(db))
        .map(|db| db.len())
        .sum();
    let mut text = Text(Vec::new());
    for (title, is_shown, write) in SECTIONS {
        let is_named = is_all || asked(title);
        let is_costly = title == "Keysizes" && keys > KEYSIZES_LIMIT_KEYS;
        if is_named || (is_default && is_shown && !is_costly) {
            if !text.0.is_empty() {
                text.add(&["\r\n"]);
            }
            text.add(&["# ", title, "\r\n"]);
            write(ctx, &mut text);
        }
    }
    ctx.reply.verbatim("txt", &text.0);
    Ok(Outcome::Done)
}

/// The reply under construction.
struct Text(Vec<u8>);

impl Text {
    #[inline(never)]
    fn add(&mut self, parts: &[&str]) {
        for part in parts {
            self.0.put(part.as_bytes());
        }
    }

    #[inline(never)]
    fn bytes(&mut self, name: &str, value: &[u8]) {
        self.add(&[name, ":"]);
        self.0.put(value);
        self.add(&["\r\n"]);
    }

    #[inline(never)]
    fn number(&mut self, name: &str, value: u64) {
        self.bytes(name, num::format_u64(value).as_bytes());
    }

    fn count(&mut self, name: &str, value: usize) {
        self.number(name, value as u64);
    }

    #[inline(never)]
    fn signed(&mut self, name: &str, value: i64) {
        self.bytes(name, num::format_i64(value).as_bytes());
    }

    #[inline(never)]
    fn ratio(&mut self, name: &str, value: f64, after: &str) {
        self.add(&[name, ":"]);
        num::write_fixed(&mut self.0, value, 2);
        self.add(&[after, "\r\n"]);
    }

    /// Lines `name:value` between bars, all of the same value.
    #[inline(never)]
    fn constants(&mut self, names: &str, value: &str) {
        for name in names.split('|') {
            self.add(&[name, ":", value, "\r\n"]);
        }
    }

    /// A number of bytes twice: as such, and for people.
    #[inline(never)]
    fn memory(&mut self, name: &str, bytes: u64) {
        self.number(name, bytes);
        self.add(&[name, "_human:"]);
        write_human(&mut self.0, bytes);
        self.add(&["\r\n"]);
    }

    /// `name=value` of a list on one line.
    #[inline(never)]
    fn item(&mut self, name: &str, value: u64) {
        self.add(&[name, "="]);
        num::write_u64(&mut self.0, value);
    }
}

/// `1.50K`, as INFO prints bytes for people.
#[inline(never)]
pub fn write_human(out: &mut Vec<u8>, bytes: u64) {
    let unit = (1..=5)
        .rev()
        .find(|power| bytes >= 1 << (10 * power))
        .unwrap_or(0);
    if unit == 0 {
        num::write_u64(out, bytes);
    } else {
        num::write_fixed(out, bytes as f64 / (1u64 << (10 * unit)) as f64, 2);
    }
    out.push(b"BKMGTP"[unit]);
}

fn server(ctx: &Ctx, text: &mut Text) {
    let (server, config) = (&*ctx.server, &ctx.server.config);
    let uptime_s = ((ctx.now_ms - server.started_ms) / 1000).max(0);
    text.bytes("redis_version", VERSION.as_bytes());
    text.constants("redis_git_sha1|redis_git_dirty|redis_build_id", "0");
    text.constants("redis_mode", "standalone");
    text.constants(
        "os",
        if cfg!(target_arch = "wasm32") {
            "WebAssembly"
        } else {
            "native"
        },
    );
    text.number("arch_bits", u64::from(usize::BITS));
    text.constants("monotonic_clock|multiplexing_api|atomicvar_api", "host");
    text.constants("gcc_version", "0.0.0");
    text.number("process_id", server.process_id);
    text.constants("process_supervised", "no");
    text.bytes("run_id", &server.run_id);
    text.bytes("tcp_port", config.value("port"));
    text.signed("server_time_usec", ctx.now_ms.saturating_mul(1000));
    text.signed("uptime_in_seconds", uptime_s);
    text.signed("uptime_in_days", uptime_s / 86_400);
    text.bytes("hz", config.value("hz"));
    text.bytes("configured_hz", config.value("hz"));
    text.signed("lru_clock", (ctx.now_ms / 1000) & 0xff_ffff);
    text.constants("executable", "");
    text.bytes(
        "config_file",
        config.file.as_ref().map_or(&[], |(name, _)| name),
    );
    text.constants("io_threads_active", "0");
}

fn clients(ctx: &Ctx, text: &mut Text) {
    let mut blocked = 0;
    let mut with_deadline = 0;
    let (mut listening, mut watching) = (0, 0);
    for session in ctx.others.iter().chain([&*ctx.session]) {
        listening += usize::from(session.subscription_count() + session.shard_channels.len() > 0);
        watching += usize::from(!session.watched.is_empty());
        if let Some(waiting) = &session.waiting {
            blocked += 1;
            with_deadline += usize::from(waiting.block.deadline_ms.is_some());
        }
    }
    text.count("connected_clients", ctx.others.len());
    text.constants("cluster_connections", "0");
    text.bytes("maxclients", ctx.server.config.value("maxclients"));
    text.constants(
        "client_recent_max_input_buffer|client_recent_max_output_buffer",
        "0",
    );
    text.count("blocked_clients", blocked);
    text.count("tracking_clients", ctx.server.tracking.counts()[0]);
    text.count("pubsub_clients", listening);
    text.count("watching_clients", watching);
    text.count("clients_in_timeout_table", with_deadline);
    text.count("total_watched_keys", ctx.keys.watched_len());
    let (blocking, on_nokey) = ctx.keys.blocking_counts();
    text.count("total_blocking_keys", blocking);
    text.count("total_blocking_keys_on_nokey", on_nokey);
}

fn memory(ctx: &Ctx, text: &mut Text) {
    let config = &ctx.server.config;
    let used = ctx.keys.used_bytes();
    let peak = ctx.server.peak_bytes;
    let overhead = ctx.keys.index_bytes();
    let percent = |part: u64, whole: u64| {
        if whole == 0 {
            0.0
        } else {
            part as f64 * 100.0 / whole as f64
        }
    };
    text.memory("used_memory", used);
    text.memory("used_memory_rss", used);
    text.memory("used_memory_peak", peak);
    text.signed("used_memory_peak_time", ctx.server.peak_ms / 1000);
    text.ratio("used_memory_peak_perc", percent(used, peak), "%");
    text.number("used_memory_overhead", overhead);
    text.constants("used_memory_startup", "0");
    text.number("used_memory_dataset", used - overhead);
    text.ratio(
        "used_memory_dataset_perc",
        percent(used - overhead, used),
        "%",
    );
    for name in [
        "allocator_allocated",
        "allocator_active",
        "allocator_resident",
    ] {
        text.number(name, used);
    }
    text.constants("allocator_muzzy", "0");
    text.memory("total_system_memory", 0);
    let scripting = ctx.server.scripting_memory();
    text.count("used_memory_lua", scripting.eval_machine);
    text.count("used_memory_vm_eval", scripting.eval_machine);
    text.add(&["used_memory_lua_human:"]);
    write_human(&mut text.0, scripting.eval_machine as u64);
    text.add(&["\r\n"]);
    text.count("used_memory_scripts_eval", scripting.scripts);
    text.count("number_of_cached_scripts", scripting.script_count);
    text.count("number_of_functions", scripting.function_count);
    text.count("number_of_libraries", scripting.library_count);
    text.count("used_memory_vm_functions", scripting.function_machine);
    text.memory("used_memory_vm_total", scripting.machines() as u64);
    text.count("used_memory_functions", scripting.functions);
    let sources = scripting.scripts + scripting.functions;
    text.memory("used_memory_scripts", sources as u64);
    text.memory("maxmemory", config.maxmemory_bytes);
    text.bytes("maxmemory_policy", config.value("maxmemory-policy"));
    for name in [
        "allocator_frag",
        "allocator_rss",
        "rss_overhead",
        "mem_fragmentation",
    ] {
        text.add(&[name, "_ratio:1.00\r\n", name, "_bytes:0\r\n"]);
    }
    text.constants(
        "mem_not_counted_for_evict|mem_replication_backlog|mem_total_replication_buffers|mem_replica_full_sync_buffer|\
         mem_clients_slaves|mem_clients_normal|mem_cluster_links|mem_aof_buffer",
        "0",
    );
    text.constants("mem_allocator", "slab");
    text.constants(
        "mem_overhead_db_hashtable_rehashing|active_defrag_running|lazyfree_pending_objects|lazyfreed_objects",
        "0",
    );
}

fn persistence(ctx: &Ctx, text: &mut Text) {
    let server = &*ctx.server;
    text.number("loading", u64::from(server.hindrance == Hindrance::Loading));
    text.constants(
        "async_loading|current_cow_peak|current_cow_size|current_cow_size_age",
        "0",
    );
    text.constants("current_fork_perc", "0.00");
    text.constants("current_save_keys_processed|current_save_keys_total", "0");
    text.number(
        "rdb_changes_since_last_save",
        ctx.keys.dirty.saturating_sub(ctx.keys.dirty_saved),
    );
    let is_aside = server.is_save_aside;
    text.number("rdb_bgsave_in_progress", u64::from(is_aside));
    text.signed("rdb_last_save_time", server.last_save_s);
    text.constants(
        "rdb_last_bgsave_status",
        if server.is_last_save_ok { "ok" } else { "err" },
    );
    let since = |is_under_way: bool, start_s: i64| match is_under_way {
        true => (ctx.now_ms / 1000 - start_s).max(0),
        false => -1,
    };
    text.signed(
        "rdb_last_bgsave_time_sec",
        server.last_save_took_s.unwrap_or(-1),
    );
    text.signed(
        "rdb_current_bgsave_time_sec",
        since(is_aside, server.save_started_s),
    );
    text.number("rdb_saves", server.stats.saves);
    text.constants("rdb_last_cow_size", "0");
    text.number("rdb_last_load_keys_expired", server.last_load.expired);
    text.number("rdb_last_load_keys_loaded", server.last_load.keys);
    let (aof, is_enabled) = (&server.aof, server.is_aof_enabled());
    text.number("aof_enabled", u64::from(is_enabled));
    text.number("aof_rewrite_in_progress", u64::from(aof.is_rewriting));
    text.number("aof_rewrite_scheduled", u64::from(aof.is_scheduled));
    text.signed(
        "aof_last_rewrite_time_sec",
        aof.last_rewrite_s.unwrap_or(-1),
    );
    text.signed(
        "aof_current_rewrite_time_sec",
        since(aof.is_rewriting, aof.rewrite_started_s),
    );
    let word = |is_bad: bool| if is_bad { "err" } else { "ok" };
    text.constants("aof_last_bgrewrite_status", word(aof.is_last_rewrite_bad));
    text.number("aof_rewrites", server.stats.rewrites);
    text.number("aof_rewrites_consecutive_failures", aof.failures);
    text.constants("aof_last_write_status", word(aof.failure.is_some()));
    text.constants(
        "aof_last_cow_size|module_fork_in_progress|module_fork_last_cow_size",
        "0",
    );
    if is_enabled {
        text.number("aof_current_size", aof.size_bytes());
        text.number("aof_base_size", aof.base_bytes);
        text.number("aof_pending_rewrite", u64::from(aof.is_scheduled));
        let buffered_bytes = aof.recorded_bytes.saturating_sub(aof.taken_bytes);
        text.number("aof_buffer_length", buffered_bytes);
        text.constants("aof_pending_bio_fsync|aof_delayed_fsync", "0");
    }
    if server.hindrance == Hindrance::Loading {
        loading(ctx, text);
    }
}

/// How far the files are that are being loaded.
fn loading(ctx: &Ctx, text: &mut Text) {
    let loading = ctx.server.loading;
    let (done, total) = (
        loading.done_bytes,
        loading.total_bytes.max(loading.done_bytes),
    );
    let spent_s = (ctx.now_ms / 1000 - loading.started_s).max(0) as u64;
    text.signed("loading_start_time", loading.started_s);
    text.number("loading_total_bytes", loading.total_bytes);
    text.constants("loading_rdb_used_mem", "0");
    text.number("loading_loaded_bytes", done);
    text.ratio(
        "loading_loaded_perc",
        done as f64 * 100.0 / total.max(1) as f64,
        "",
    );
    text.number(
        "loading_eta_seconds",
        match done {
            0 => 1,
            done => spent_s * (total - done) / done,
        },
    );
}

fn threads(ctx: &Ctx, text: &mut Text) {
    text.add(&["io_thread_0:"]);
    text.item("clients", ctx.others.len() as u64);
    text.add(&[","]);
    text.item("reads", ctx.server.stats.commands);
    text.add(&[","]);
    text.item("writes", ctx.server.stats.commands);
    text.add(&["\r\n"]);
}

fn stats(ctx: &Ctx, text: &mut Text) {
    let (stats, keys, pubsub) = (&ctx.server.stats, &ctx.keys.stats, &ctx.server.pubsub);
    text.number("total_connections_received", stats.connections);
    text.number("total_commands_processed", stats.commands);
    text.constants("instantaneous_ops_per_sec", "0");
    text.number("total_net_input_bytes", stats.input_bytes);
    text.number("total_net_output_bytes", stats.output_bytes);
    text.constants(
        "total_net_repl_input_bytes|total_net_repl_output_bytes",
        "0",
    );
    text.constants(
        "instantaneous_input_kbps|instantaneous_output_kbps|instantaneous_input_repl_kbps|instantaneous_output_repl_kbps",
        "0.00",
    );
    text.number("rejected_connections", stats.rejected_connections);
    text.constants("sync_full|sync_partial_ok|sync_partial_err", "0");
    text.number("expired_subkeys", keys.expired_fields);
    text.number("expired_keys", keys.expired);
    text.constants("expired_stale_perc", "0.00");
    text.constants(
        "expired_time_cap_reached_count|expire_cycle_cpu_milliseconds",
        "0",
    );
    text.number("evicted_keys", keys.evicted);
    text.constants("evicted_clients", "0");
    text.number("evicted_scripts", ctx.server.scripting_memory().evicted);
    text.constants(
        "total_eviction_exceeded_time|current_eviction_exceeded_time",
        "0",
    );
    text.number("keyspace_hits", keys.hits);
    text.number("keyspace_misses", keys.misses);
    text.count("pubsub_channels", pubsub.count(Scope::Channel));
    text.count("pubsub_patterns", pubsub.pattern_count());
    text.count("pubsubshard_channels", pubsub.count(Scope::Shard));
    text.constants(
        "latest_fork_usec|total_forks|migrate_cached_sockets|slave_expires_tracked_keys|active_defrag_hits|\
         active_defrag_misses|active_defrag_key_hits|active_defrag_key_misses|total_active_defrag_time|\
         current_active_defrag_time",
        "0",
    );
    let [_, tracked, items, prefixes] = ctx.server.tracking.counts();
    text.count("tracking_total_keys", tracked);
    text.count("tracking_total_items", items);
    text.count("tracking_total_prefixes", prefixes);
    text.constants("unexpected_error_replies", "0");
    text.number("total_error_replies", stats.error_replies);
    text.constants("dump_payload_sanitizations", "0");
    text.number("total_reads_processed", stats.commands);
    text.number("total_writes_processed", stats.commands);
    text.constants(
        "io_threaded_reads_processed|io_threaded_writes_processed|io_threaded_total_prefetch_batches|\
         io_threaded_total_prefetch_entries|client_query_buffer_limit_disconnections|\
         client_output_buffer_limit_disconnections|reply_buffer_shrinks|reply_buffer_expands|eventloop_cycles|\
         eventloop_duration_sum|eventloop_duration_cmd_sum|instantaneous_eventloop_cycles_per_sec|\
         instantaneous_eventloop_duration_usec",
        "0",
    );
    for (name, reason) in [
        ("acl_access_denied_auth", Reason::Auth),
        ("acl_access_denied_cmd", Reason::Command),
        ("acl_access_denied_key", Reason::Key),
        ("acl_access_denied_channel", Reason::Channel),
    ] {
        text.number(name, ctx.server.users.log.denied(reason));
    }
}

fn replication(ctx: &Ctx, text: &mut Text) {
    text.constants("role", "master");
    text.constants("connected_slaves", "0");
    text.constants("master_failover_state", "no-failover");
    text.bytes("master_replid", &ctx.server.replication_id);
    text.constants("master_replid2", "0000000000000000000000000000000000000000");
    text.constants("master_repl_offset", "0");
    text.constants("second_repl_offset", "-1");
    text.constants("repl_backlog_active", "0");
    text.bytes(
        "repl_backlog_size",
        ctx.server.config.value("repl-backlog-size"),
    );
    text.constants("repl_backlog_first_byte_offset|repl_backlog_histlen", "0");
}

fn cpu(_: &Ctx, text: &mut Text) {
    text.constants(
        "used_cpu_sys|used_cpu_user|used_cpu_sys_children|used_cpu_user_children|used_cpu_sys_main_thread|\
         used_cpu_user_main_thread",
        "0.000000",
    );
}

fn commandstats(ctx: &Ctx, text: &mut Text) {
    for (row, stats) in ctx.lookup.rows().iter().zip(&ctx.server.stats.by_command) {
        if stats.calls + stats.rejected + stats.failed == 0 {
            continue;
        }
        text.add(&["cmdstat_"]);
        text.0.put(&row.full_name());
        text.add(&[":"]);
        text.item("calls", stats.calls);
        text.add(&[","]);
        text.item("usec", stats.usec);
        text.add(&[",usec_per_call="]);
        num::write_fixed(
            &mut text.0,
            stats.usec as f64 / stats.calls.max(1) as f64,
            2,
        );
        text.add(&[","]);
        text.item("rejected_calls", stats.rejected);
        text.add(&[","]);
        text.item("failed_calls", stats.failed);
        text.add(&["\r\n"]);
    }
}

fn errorstats(ctx: &Ctx, text: &mut Text) {
    for (code, count) in ctx.server.stats.errors.iter() {
        text.add(&["errorstat_"]);
        text.0.put(code);
        text.add(&[":"]);
        text.item("count", *count);
        text.add(&["\r\n"]);
    }
}

fn keyspace(ctx: &Ctx, text: &mut Text) {
    for db in 0..ctx.keys.db_count() {
        let Some(table) = ctx.keys.db(db).filter(|table| !table.is_empty()) else {
            continue;
        };
        text.add(&["db"]);
        num::write_u64(&mut text.0, db as u64);
        text.add(&[":"]);
        text.item("keys", table.len() as u64);
        text.add(&[","]);
        text.item("expires", table.volatile_len() as u64);
        text.add(&[",avg_ttl=0,"]);
        text.item("subexpiry", ctx.keys.field_volatile_len(db) as u64);
        text.add(&["\r\n"]);
    }
}

/// How many strings there are of which length, in powers of two.
fn keysizes(ctx: &Ctx, text: &mut Text) {
    for db in 0..ctx.keys.db_count() {
        // The first bin is of empty strings, bin n of those from 2^(n-1) on.
        let mut bins = [0u64; 65];
        for length in ctx.keys.string_lengths(db) {
            bins[length.checked_ilog2().map_or(0, |power| 1 + power as usize)] += 1;
        }
        let mut before = "_distrib_strings_sizes:";
        for (bin, count) in bins.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            if before != "," {
                text.add(&["db"]);
                num::write_u64(&mut text.0, db as u64);
            }
            text.add(&[before]);
            before = ",";
            let power = bin.saturating_sub(1);
            num::write_u64(&mut text.0, if bin == 0 { 0 } else { 1 << (power % 10) });
            text.item(["", "K", "M", "G"][power / 10 % 4], count);
        }
        if before == "," {
            text.add(&["\r\n"]);
        }
    }
}
