//! `numkeys key ... <which end> [COUNT count]`: what LMPOP, ZMPOP and their waiting forms take.

use super::{Ctx, Options};
use crate::algorithms::num;
use crate::resp::Error;

/// What is said of a count that is none.
pub const NO_COUNT: &str = "ERR count should be greater than 0";

/// Keys of which the first that is there gives up to `count` elements from one end.
#[derive(Debug)]
pub struct MultiPop<'a, W> {
    pub keys: &'a [&'a [u8]],
    pub which: W,
    pub count: usize,
}

impl<'a> Ctx<'a> {
    /// Reads such arguments from the number of keys on; `which` reads the word for the end.
    ///
    /// # Errors
    /// In Redis' order: the number of keys, the keys, the word, the count, anything behind it.
    pub fn multi_pop<W>(
        &self,
        at: usize,
        which: fn(&mut Options<'a>) -> Result<W, Error>,
    ) -> Result<MultiPop<'a, W>, Error> {
        let key_count = positive(self.arg(at), "ERR numkeys should be greater than 0")?;
        let behind = at.saturating_add(1).saturating_add(key_count);
        let keys = self.args.get(at + 1..behind).ok_or(Error::SYNTAX)?;
        let options = &mut self.options(behind);
        let which = which(options)?;
        let count = match options.take_value("COUNT") {
            Some(count) => positive(count, NO_COUNT)?,
            None => 1,
        };
        match options.is_done() {
            true => Ok(MultiPop { keys, which, count }),
            false => Err(Error::SYNTAX),
        }
    }
}

/// A count of one at least.
///
/// # Errors
/// `error` when it is none.
pub fn positive(text: &[u8], error: &'static str) -> Result<usize, Error> {
    num::parse_count(text)
        .filter(|number| *number > 0)
        .ok_or(Error::new(error))
}
