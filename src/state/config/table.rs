//! Every parameter of Redis 8.2.3 as data: name, older name, default, what its value may be, and whether CONFIG SET may
//! change it. CONFIG GET and SET, configuration files and `docs/config.md` all read this table.

/// One parameter.
#[derive(Debug)]
pub struct Parameter {
    pub name: &'static str,
    /// The older name, which works as well; empty for none.
    pub alias: &'static str,
    /// As CONFIG GET prints it.
    pub default: &'static str,
    pub kind: Kind,
    flags: u8,
}

impl Parameter {
    pub fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Set at the start only.
pub const IMMUTABLE: u8 = 1;
/// Changed at run time only with `enable-protected-configs`.
pub const PROTECTED: u8 = 2;
/// Found by its exact name only.
pub const HIDDEN: u8 = 4;
/// The engine obeys it.
pub const EFFECT: u8 = 8;
/// The host obeys it where it can: the Node server, mostly.
pub const HOST: u8 = 16;

/// What a value may be.
#[derive(Debug)]
pub enum Kind {
    Bool,
    /// From, to.
    Int(i64, i64),
    /// An integer that errors call unsigned: from, to.
    Unsigned(i64, i64),
    /// Bytes with a unit: from, and whether errors call it signed.
    Memory(i64, bool),
    /// Bytes with a unit, or a percentage.
    Percent,
    /// File permissions.
    Octal,
    /// One of these, between bars.
    Enum(&'static str),
    /// One or more of these.
    Words(&'static str),
    Text,
    Special(Special),
}

/// Values with rules of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    Bind,
    Events,
    FileName,
    Hostname,
    Locale,
    Nodename,
    OomScores,
    OutputLimits,
    Percentiles,
    /// Up to 65536.
    PowerOfTwo,
    Replica,
    Save,
    Title,
}

impl Kind {
    pub fn is(&self, special: Special) -> bool {
        matches!(self, Kind::Special(own) if *own == special)
    }

    /// Whether a value is made of several words.
    pub fn is_list(&self) -> bool {
        use Special::{Bind, OomScores, OutputLimits, Percentiles, Replica, Save};
        match self {
            Kind::Words(_) => true,
            Kind::Special(special) => matches!(
                special,
                Bind | OomScores | OutputLimits | Percentiles | Replica | Save
            ),
            _ => false,
        }
    }
}

const fn row(
    name: &'static str,
    alias: &'static str,
    default: &'static str,
    kind: Kind,
    flags: u8,
) -> Parameter {
    Parameter {
        name,
        alias,
        default,
        kind,
        flags,
    }
}

const MAX: i64 = i64::MAX;
const MAX_I32: i64 = i32::MAX as i64;
const MIN_I32: i64 = i32::MIN as i64;
const MAX_U32: i64 = u32::MAX as i64;

/// The table, sorted by name.
#[rustfmt::skip]
pub static PARAMETERS: &[Parameter] = &[
    row("acl-pubsub-default", "", "resetchannels", Kind::Enum("allchannels|resetchannels"), 0),
    row("aclfile", "", "", Kind::Text, IMMUTABLE),
    row("acllog-max-len", "", "128", Kind::Int(0, MAX), 0),
    row("active-defrag-cycle-max", "", "25", Kind::Int(1, 99), 0),
    row("active-defrag-cycle-min", "", "1", Kind::Int(1, 99), 0),
    row("active-defrag-ignore-bytes", "", "104857600", Kind::Memory(1, false), 0),
    row("active-defrag-max-scan-fields", "", "1000", Kind::Int(1, MAX), 0),
    row("active-defrag-threshold-lower", "", "10", Kind::Int(0, 1000), 0),
    row("active-defrag-threshold-upper", "", "100", Kind::Int(0, 1000), 0),
    row("active-expire-effort", "", "1", Kind::Int(1, 10), 0),
    row("activedefrag", "", "no", Kind::Bool, 0),
    row("activerehashing", "", "yes", Kind::Bool, 0),
    row("always-show-logo", "", "no", Kind::Bool, IMMUTABLE),
    row("aof-load-truncated", "", "yes", Kind::Bool, HOST),
    row("aof-rewrite-cpulist", "aof_rewrite_cpulist", "", Kind::Text, IMMUTABLE),
    row("aof-rewrite-incremental-fsync", "", "yes", Kind::Bool, HOST),
    row("aof-timestamp-enabled", "", "no", Kind::Bool, EFFECT),
    row("aof-use-rdb-preamble", "", "yes", Kind::Bool, 0),
    row("appenddirname", "", "appendonlydir", Kind::Special(Special::FileName), IMMUTABLE | HOST),
    row("appendfilename", "", "appendonly.aof", Kind::Special(Special::FileName), IMMUTABLE | HOST),
    row("appendfsync", "", "everysec", Kind::Enum("everysec|always|no"), HOST),
    row("appendonly", "", "no", Kind::Bool, EFFECT),
    row("array-slice-size", "", "4096", Kind::Special(Special::PowerOfTwo), EFFECT),
    row("array-sparse-kmax", "", "10", Kind::Unsigned(0, MAX_U32), EFFECT),
    row("array-sparse-kmin", "", "5", Kind::Unsigned(0, MAX_U32), EFFECT),
    row("auto-aof-rewrite-min-size", "", "67108864", Kind::Memory(0, true), EFFECT),
    row("auto-aof-rewrite-percentage", "", "100", Kind::Int(0, MAX_I32), EFFECT),
    row("bgsave-cpulist", "bgsave_cpulist", "", Kind::Text, IMMUTABLE),
    row("bind", "", "* -::*", Kind::Special(Special::Bind), HOST),
    row("bind-source-addr", "", "", Kind::Text, 0),
    row("bio-cpulist", "bio_cpulist", "", Kind::Text, IMMUTABLE),
    row("busy-reply-threshold", "lua-time-limit", "5000", Kind::Int(0, MAX), 0),
    row("client-output-buffer-limit", "", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", Kind::Special(Special::OutputLimits), 0),
    row("client-query-buffer-limit", "", "1073741824", Kind::Memory(1048576, false), 0),
    row("cluster-allow-pubsubshard-when-down", "", "yes", Kind::Bool, 0),
    row("cluster-allow-reads-when-down", "", "no", Kind::Bool, 0),
    row("cluster-allow-replica-migration", "", "yes", Kind::Bool, 0),
    row("cluster-announce-bus-port", "", "0", Kind::Int(0, 65535), 0),
    row("cluster-announce-hostname", "", "", Kind::Special(Special::Hostname), 0),
    row("cluster-announce-human-nodename", "", "", Kind::Special(Special::Nodename), 0),
    row("cluster-announce-ip", "", "", Kind::Text, 0),
    row("cluster-announce-port", "", "0", Kind::Int(0, 65535), 0),
    row("cluster-announce-tls-port", "", "0", Kind::Int(0, 65535), 0),
    row("cluster-compatibility-sample-ratio", "", "0", Kind::Int(0, 100), 0),
    row("cluster-config-file", "", "nodes.conf", Kind::Text, IMMUTABLE),
    row("cluster-enabled", "", "no", Kind::Bool, IMMUTABLE),
    row("cluster-link-sendbuf-limit", "", "0", Kind::Memory(0, false), 0),
    row("cluster-migration-barrier", "", "1", Kind::Int(0, MAX_I32), 0),
    row("cluster-node-timeout", "", "15000", Kind::Int(0, MAX), 0),
    row("cluster-ping-interval", "", "0", Kind::Int(0, MAX), HIDDEN),
    row("cluster-port", "", "0", Kind::Int(0, 65535), IMMUTABLE),
    row("cluster-preferred-endpoint-type", "", "ip", Kind::Enum("ip|hostname|unknown-endpoint"), 0),
    row("cluster-replica-no-failover", "cluster-slave-no-failover", "no", Kind::Bool, 0),
    row("cluster-replica-validity-factor", "cluster-slave-validity-factor", "10", Kind::Int(0, MAX_I32), 0),
    row("cluster-require-full-coverage", "", "yes", Kind::Bool, 0),
    row("cluster-slot-stats-enabled", "", "no", Kind::Bool, 0),
    row("crash-log-enabled", "", "yes", Kind::Bool, 0),
    row("crash-memcheck-enabled", "", "yes", Kind::Bool, 0),
    row("daemonize", "", "no", Kind::Bool, IMMUTABLE | HOST),
    row("databases", "", "16", Kind::Int(1, MAX_I32), IMMUTABLE | EFFECT),
    row("dbfilename", "", "dump.rdb", Kind::Special(Special::FileName), PROTECTED | HOST),
    row("dir", "", ".", Kind::Text, PROTECTED | HOST),
    row("disable-thp", "", "yes", Kind::Bool, IMMUTABLE),
    row("dynamic-hz", "", "yes", Kind::Bool, 0),
    row("enable-debug-command", "", "no", Kind::Enum("no|yes|local"), IMMUTABLE | EFFECT),
    row("enable-module-command", "", "no", Kind::Enum("no|yes|local"), IMMUTABLE),
    row("enable-protected-configs", "", "no", Kind::Enum("no|yes|local"), IMMUTABLE | EFFECT),
    row("hash-max-listpack-entries", "hash-max-ziplist-entries", "512", Kind::Unsigned(0, MAX), EFFECT),
    row("hash-max-listpack-value", "hash-max-ziplist-value", "64", Kind::Memory(0, false), EFFECT),
    row("hide-user-data-from-log", "", "no", Kind::Bool, 0),
    row("hll-sparse-max-bytes", "", "3000", Kind::Memory(0, false), EFFECT),
    row("hz", "", "10", Kind::Int(0, MAX_I32), 0),
    row("ignore-warnings", "", "", Kind::Text, 0),
    row("io-threads", "", "1", Kind::Int(1, 128), IMMUTABLE),
    row("jemalloc-bg-thread", "", "yes", Kind::Bool, 0),
    row("key-load-delay", "", "0", Kind::Int(MIN_I32, MAX_I32), HIDDEN),
    row("latency-monitor-threshold", "", "0", Kind::Int(0, MAX), 0),
    row("latency-tracking", "", "yes", Kind::Bool, 0),
    row("latency-tracking-info-percentiles", "", "50 99 99.9", Kind::Special(Special::Percentiles), 0),
    row("lazyfree-lazy-eviction", "", "no", Kind::Bool, 0),
    row("lazyfree-lazy-expire", "", "no", Kind::Bool, EFFECT),
    row("lazyfree-lazy-server-del", "", "no", Kind::Bool, EFFECT),
    row("lazyfree-lazy-user-del", "", "no", Kind::Bool, 0),
    row("lazyfree-lazy-user-flush", "", "no", Kind::Bool, 0),
    row("lfu-decay-time", "", "1", Kind::Int(0, MAX_I32), EFFECT),
    row("lfu-log-factor", "", "10", Kind::Int(0, MAX_I32), EFFECT),
    row("list-compress-depth", "", "0", Kind::Int(0, MAX_I32), EFFECT),
    row("list-max-listpack-size", "list-max-ziplist-size", "-2", Kind::Int(MIN_I32, MAX_I32), EFFECT),
    row("locale-collate", "", "", Kind::Special(Special::Locale), 0),
    row("logfile", "", "", Kind::Text, IMMUTABLE | HOST),
    row("loglevel", "", "notice", Kind::Enum("debug|verbose|notice|warning|nothing"), HOST),
    row("lua-enable-deprecated-api", "", "no", Kind::Bool, IMMUTABLE | HIDDEN),
    row("masterauth", "", "", Kind::Text, 0),
    row("masteruser", "", "", Kind::Text, 0),
    row("max-new-connections-per-cycle", "", "10", Kind::Unsigned(1, 1000), 0),
    row("max-new-tls-connections-per-cycle", "", "1", Kind::Unsigned(1, 1000), 0),
    row("maxclients", "", "10000", Kind::Unsigned(1, MAX_U32), HOST),
    row("maxmemory", "", "0", Kind::Memory(0, false), EFFECT),
    row("maxmemory-clients", "", "0", Kind::Percent, 0),
    row("maxmemory-eviction-tenacity", "", "10", Kind::Int(0, 100), 0),
    row("maxmemory-policy", "", "noeviction", Kind::Enum("volatile-lru|volatile-lfu|volatile-random|volatile-ttl|allkeys-lru|allkeys-lfu|allkeys-random|noeviction"), EFFECT),
    row("maxmemory-samples", "", "5", Kind::Int(1, 64), 0),
    row("min-replicas-max-lag", "min-slaves-max-lag", "10", Kind::Int(0, MAX_I32), 0),
    row("min-replicas-to-write", "min-slaves-to-write", "0", Kind::Int(0, MAX_I32), 0),
    row("no-appendfsync-on-rewrite", "", "no", Kind::Bool, 0),
    row("notify-keyspace-events", "", "", Kind::Special(Special::Events), EFFECT),
    row("oom-score-adj", "", "no", Kind::Enum("no|yes|relative|absolute"), 0),
    row("oom-score-adj-values", "", "0 200 800", Kind::Special(Special::OomScores), 0),
    row("pidfile", "", "", Kind::Text, IMMUTABLE | HOST),
    row("port", "", "6379", Kind::Int(0, 65535), HOST),
    row("prefetch-batch-max-size", "", "16", Kind::Int(0, 128), HIDDEN),
    row("proc-title-template", "", "{title} {listen-addr} {server-mode}", Kind::Special(Special::Title), 0),
    row("propagation-error-behavior", "", "ignore", Kind::Enum("ignore|panic|panic-on-replicas"), 0),
    row("protected-mode", "", "yes", Kind::Bool, HOST),
    row("proto-max-bulk-len", "", "536870912", Kind::Memory(1048576, true), EFFECT),
    row("rdb-del-sync-files", "", "no", Kind::Bool, 0),
    row("rdb-key-save-delay", "", "0", Kind::Int(MIN_I32, MAX_I32), HIDDEN),
    row("rdb-save-incremental-fsync", "", "yes", Kind::Bool, HOST),
    row("rdbchecksum", "", "yes", Kind::Bool, IMMUTABLE | EFFECT),
    row("rdbcompression", "", "yes", Kind::Bool, EFFECT),
    row("repl-backlog-size", "", "1048576", Kind::Memory(1, true), 0),
    row("repl-backlog-ttl", "", "3600", Kind::Int(0, MAX), 0),
    row("repl-disable-tcp-nodelay", "", "no", Kind::Bool, 0),
    row("repl-diskless-load", "", "disabled", Kind::Enum("disabled|on-empty-db|swapdb"), 0),
    row("repl-diskless-sync", "", "yes", Kind::Bool, 0),
    row("repl-diskless-sync-delay", "", "5", Kind::Int(0, MAX_I32), 0),
    row("repl-diskless-sync-max-replicas", "", "0", Kind::Int(0, MAX_I32), 0),
    row("repl-ping-replica-period", "repl-ping-slave-period", "10", Kind::Int(1, MAX_I32), 0),
    row("repl-rdb-channel", "", "yes", Kind::Bool, HIDDEN),
    row("repl-timeout", "", "60", Kind::Int(1, MAX_I32), 0),
    row("replica-announce-ip", "slave-announce-ip", "", Kind::Text, 0),
    row("replica-announce-port", "slave-announce-port", "0", Kind::Int(0, 65535), 0),
    row("replica-announced", "", "yes", Kind::Bool, 0),
    row("replica-full-sync-buffer-limit", "", "0", Kind::Memory(0, true), 0),
    row("replica-ignore-disk-write-errors", "", "no", Kind::Bool, 0),
    row("replica-ignore-maxmemory", "slave-ignore-maxmemory", "yes", Kind::Bool, 0),
    row("replica-lazy-flush", "slave-lazy-flush", "no", Kind::Bool, 0),
    row("replica-priority", "slave-priority", "100", Kind::Int(0, MAX_I32), 0),
    row("replica-read-only", "slave-read-only", "yes", Kind::Bool, 0),
    row("replica-serve-stale-data", "slave-serve-stale-data", "yes", Kind::Bool, 0),
    row("replicaof", "slaveof", "", Kind::Special(Special::Replica), IMMUTABLE),
    row("requirepass", "", "", Kind::Text, EFFECT),
    row("sanitize-dump-payload", "", "no", Kind::Enum("no|yes|clients"), 0),
    row("save", "", "3600 1 300 100 60 10000", Kind::Special(Special::Save), EFFECT),
    row("server-cpulist", "server_cpulist", "", Kind::Text, IMMUTABLE),
    row("set-max-intset-entries", "", "512", Kind::Unsigned(0, MAX), EFFECT),
    row("set-max-listpack-entries", "", "128", Kind::Unsigned(0, MAX), EFFECT),
    row("set-max-listpack-value", "", "64", Kind::Unsigned(0, MAX), EFFECT),
    row("set-proc-title", "", "yes", Kind::Bool, IMMUTABLE),
    row("shutdown-on-sigint", "", "default", Kind::Words("default|save|nosave|now|force"), HOST),
    row("shutdown-on-sigterm", "", "default", Kind::Words("default|save|nosave|now|force"), HOST),
    row("shutdown-timeout", "", "10", Kind::Int(0, MAX_I32), 0),
    row("slowlog-log-slower-than", "", "10000", Kind::Int(-1, MAX), EFFECT),
    row("slowlog-max-len", "", "128", Kind::Int(0, MAX), EFFECT),
    row("socket-mark-id", "", "0", Kind::Unsigned(0, MAX_U32), IMMUTABLE),
    row("stop-writes-on-bgsave-error", "", "yes", Kind::Bool, EFFECT),
    row("stream-node-max-bytes", "", "4096", Kind::Memory(0, false), EFFECT),
    row("stream-node-max-entries", "", "100", Kind::Int(0, MAX), EFFECT),
    row("supervised", "", "no", Kind::Enum("upstart|systemd|auto|no"), IMMUTABLE),
    row("syslog-enabled", "", "no", Kind::Bool, IMMUTABLE),
    row("syslog-facility", "", "local0", Kind::Enum("user|local0|local1|local2|local3|local4|local5|local6|local7"), IMMUTABLE),
    row("syslog-ident", "", "redis", Kind::Text, IMMUTABLE),
    row("tcp-backlog", "", "511", Kind::Int(0, MAX_I32), IMMUTABLE | HOST),
    row("tcp-keepalive", "", "300", Kind::Int(0, MAX_I32), HOST),
    row("timeout", "", "0", Kind::Int(0, MAX_I32), HOST),
    row("tls-auth-clients", "", "yes", Kind::Enum("no|yes|optional"), 0),
    row("tls-ca-cert-dir", "", "", Kind::Text, 0),
    row("tls-ca-cert-file", "", "", Kind::Text, 0),
    row("tls-cert-file", "", "", Kind::Text, 0),
    row("tls-ciphers", "", "", Kind::Text, 0),
    row("tls-ciphersuites", "", "", Kind::Text, 0),
    row("tls-client-cert-file", "", "", Kind::Text, 0),
    row("tls-client-key-file", "", "", Kind::Text, 0),
    row("tls-client-key-file-pass", "", "", Kind::Text, 0),
    row("tls-cluster", "", "no", Kind::Bool, 0),
    row("tls-dh-params-file", "", "", Kind::Text, 0),
    row("tls-key-file", "", "", Kind::Text, 0),
    row("tls-key-file-pass", "", "", Kind::Text, 0),
    row("tls-port", "", "0", Kind::Int(0, 65535), 0),
    row("tls-prefer-server-ciphers", "", "no", Kind::Bool, 0),
    row("tls-protocols", "", "", Kind::Text, 0),
    row("tls-replication", "", "no", Kind::Bool, 0),
    row("tls-session-cache-size", "", "20480", Kind::Int(0, MAX_I32), 0),
    row("tls-session-cache-timeout", "", "300", Kind::Int(0, MAX_I32), 0),
    row("tls-session-caching", "", "yes", Kind::Bool, 0),
    row("tracking-table-max-keys", "", "1000000", Kind::Unsigned(0, MAX), 0),
    row("unixsocket", "", "", Kind::Text, IMMUTABLE | HOST),
    row("unixsocketperm", "", "0", Kind::Octal, IMMUTABLE | HOST),
    row("vset-force-single-threaded-execution", "", "no", Kind::Bool, 0),
    row("zset-max-listpack-entries", "zset-max-ziplist-entries", "128", Kind::Unsigned(0, MAX), EFFECT),
    row("zset-max-listpack-value", "zset-max-ziplist-value", "64", Kind::Memory(0, false), EFFECT),
];
