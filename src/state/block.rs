//! What a blocked client waits for.

/// Why and how long a client waits.
#[derive(Debug, Clone)]
pub struct Block {
    pub on: BlockOn,
    /// When to give up, in ms since the epoch; None for never.
    pub deadline_ms: Option<i64>,
    /// What the client reads then.
    pub timeout_reply: TimeoutReply,
    /// What the command runs with when it runs again, name included; None for the arguments it was called with.
    pub args: Option<Vec<Vec<u8>>>,
    /// It runs again when one of its keys is deleted, too, or gets another type, and when a list grows.
    pub wakes_on_deletion: bool,
}

impl Block {
    /// Waits until one of the keys is ready: see [`BlockOn::Keys`].
    pub fn on_keys(keys: Vec<Vec<u8>>, deadline_ms: Option<i64>) -> Block {
        Block {
            on: BlockOn::Keys(keys),
            deadline_ms,
            timeout_reply: TimeoutReply::NilArray,
            args: None,
            wakes_on_deletion: false,
        }
    }

    /// Waits for time to pass, and nothing else.
    pub fn on_time(deadline_ms: Option<i64>, timeout_reply: TimeoutReply) -> Block {
        Block {
            on: BlockOn::Time,
            deadline_ms,
            timeout_reply,
            args: None,
            wakes_on_deletion: false,
        }
    }
}

/// What a blocked client waits for.
#[derive(Debug, Clone)]
pub enum BlockOn {
    /// One of these keys becomes ready, that is, it is created, or `Keyspace::wake` is called for it, and has the type
    /// of the command's group: then the command runs again. A key may stand here twice.
    Keys(Vec<Vec<u8>>),
    /// The session's writes survive a power cut, and replicas, which there are none of, have them too.
    Stored { with_replicas: bool },
    /// Time alone (WAIT without replicas, DEBUG SLEEP).
    Time,
}

/// What a blocked client is told when its time is up.
#[derive(Debug, Clone)]
pub enum TimeoutReply {
    NilArray,
    Ok,
    Int(i64),
    Ints(Vec<i64>),
}
