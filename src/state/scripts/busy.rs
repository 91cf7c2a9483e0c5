//! A script that takes long: what others may know of it, and do about it.

use crate::resp::Error;

/// How much of a script runs at once. The unit are 100,000 steps of the machine: calls, backward jumps, and as many for
/// a command as it costs about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScriptLimits {
    /// After this much a script pauses until the next tick, if its caller can wait; 0 for never. To be set by a host that
    /// ticks at once when the engine wants it.
    pub slice: u32,
    /// A script that has run for this long without a place where it can pause is ended. The default is half a minute of
    /// ordinary code, and less of loops that do little.
    pub most: u32,
}

impl Default for ScriptLimits {
    fn default() -> ScriptLimits {
        ScriptLimits {
            slice: 0,
            most: 5000,
        }
    }
}

/// A script that is paused: nobody else may touch the data until it is over.
#[derive(Debug)]
pub struct Busy {
    /// FCALL runs it.
    pub is_function: bool,
    /// It has changed something: it cannot be killed any more.
    pub has_written: bool,
    /// The digest, or the function's name.
    pub name: Vec<u8>,
    /// The command that runs it.
    pub command: Vec<Vec<u8>>,
    pub started_ms: i64,
}

impl Busy {
    /// What a command is told that may not run now.
    pub fn refusal(&self) -> Error {
        Error::new(match self.is_function {
            false => {
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
            }
            true => {
                "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
            }
        })
    }
}

impl super::Scripts {
    /// Whether the script that is paused may be ended; `is_function` when it is to be a function.
    ///
    /// # Errors
    /// NOTBUSY, UNKILLABLE; BUSY when it is of the other sort.
    pub fn check_kill(&self, is_function: bool) -> Result<(), Error> {
        let Some(busy) = &self.busy else {
            return Err(Error::new("NOTBUSY No scripts in execution right now."));
        };
        if busy.has_written {
            return Err(Error::new(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the \
                 script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
            ));
        }
        if busy.is_function != is_function {
            return Err(busy.refusal());
        }
        Ok(())
    }
}
