//! What a blocked client waits for.

/// Why and how long a client waits.
#[derive(Debug, Clone)]
pub struct Block {
    pub on: BlockOn,
    /// When to give up, in ms since the epoch; None for never.
    pub deadline_ms: Option<i64>,
    /// What the client reads then.
    pub timeout_reply: TimeoutReply,
}

/// What a blocked client waits for.
#[derive(Debug, Clone)]
pub enum BlockOn {
    /// One of these keys becomes ready: the command runs again.
    Keys(Vec<Vec<u8>>),
    /// Time alone (WAIT without replicas, DEBUG SLEEP).
    Time,
}

/// What a blocked client is told when its time is up.
#[derive(Debug, Clone)]
pub enum TimeoutReply {
    Nil,
    NilArray,
    Ok,
    Int(i64),
    Ints(Vec<i64>),
}
