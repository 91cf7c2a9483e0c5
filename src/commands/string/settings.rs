//! The options of SET, GETEX and MSETEX: on what condition, and for how long.

use crate::algorithms::bytes::Bytes;
use crate::algorithms::{num, xxh3};
use crate::keyspace::{Condition, Expiry};
use crate::resp::Error;
use crate::table::{Ctx, Options};

type Result<T> = core::result::Result<T, Error>;

/// What a command takes besides a time to live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    /// Conditions, GET, KEEPTTL.
    Set,
    /// PERSIST.
    GetEx,
    /// NX, XX, KEEPTTL.
    MSetEx,
}

pub(super) struct Settings<'a> {
    pub condition: Condition,
    /// What the old value must be; says no more than [`Condition::Always`] then.
    pub comparison: Option<(Comparison, &'a [u8])>,
    pub get: bool,
    pub life: Life<'a>,
}

/// How the old value is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    DigestEqual,
    DigestUnequal,
}

/// How long a key is to live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life<'a> {
    /// Nothing was said.
    Unsaid,
    Keep,
    Persist,
    Until(Moment, &'a [u8]),
}

/// The words of a time to live, or of its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Ex,
    Px,
    ExAt,
    PxAt,
}

const COMPARISONS: [(&str, Comparison); 4] = [
    ("IFEQ", Comparison::Equal),
    ("IFNE", Comparison::Unequal),
    ("IFDEQ", Comparison::DigestEqual),
    ("IFDNE", Comparison::DigestUnequal),
];

const MOMENTS: [(&str, Moment); 4] = [
    ("EX", Moment::Ex),
    ("PX", Moment::Px),
    ("EXAT", Moment::ExAt),
    ("PXAT", Moment::PxAt),
];

/// Whether this option of SET has a value behind it.
pub(super) fn has_value(word: &[u8]) -> bool {
    MOMENTS
        .iter()
        .any(|(name, _)| word.is_word(name.as_bytes()))
        || Comparison::named(word).is_some()
}

impl<'a> Settings<'a> {
    /// Reads all that is left of `options`. A word that contradicts one before is a syntax error, like a word unknown.
    pub fn parse(mut options: Options<'a>, accepts: Accepts) -> Result<Settings<'a>> {
        let mut settings = Settings {
            condition: Condition::Always,
            comparison: None,
            get: false,
            life: Life::Unsaid,
        };
        while !options.is_done() {
            settings.take_one(&mut options, accepts)?;
        }
        Ok(settings)
    }

    fn take_one(&mut self, options: &mut Options<'a>, accepts: Accepts) -> Result<()> {
        if let Some((moment, value)) = Moment::take(options) {
            let is_same = matches!(self.life, Life::Until(before, _) if before == moment);
            return self.set_life(Life::Until(moment, value), is_same);
        }
        if accepts == Accepts::GetEx {
            return match options.take("PERSIST") {
                true => self.set_life(Life::Persist, self.life == Life::Persist),
                false => Err(Error::SYNTAX),
            };
        }
        let is_free = self.comparison.is_none();
        if is_free && self.condition != Condition::IfPresent && options.take("NX") {
            self.condition = Condition::IfMissing;
        } else if is_free && self.condition != Condition::IfMissing && options.take("XX") {
            self.condition = Condition::IfPresent;
        } else if options.take("KEEPTTL") {
            return self.set_life(Life::Keep, self.life == Life::Keep);
        } else if accepts == Accepts::MSetEx {
            return Err(Error::SYNTAX);
        } else if options.take("GET") {
            self.get = true;
        } else {
            return self.take_comparison(options);
        }
        Ok(())
    }

    /// Only one condition of all, though that one as often as one likes.
    fn take_comparison(&mut self, options: &mut Options<'a>) -> Result<()> {
        for (word, comparison) in COMPARISONS {
            if let Some(value) = options.take_value(word) {
                let is_other = matches!(self.comparison, Some((before, _)) if before != comparison);
                if is_other || self.condition != Condition::Always {
                    break;
                }
                self.comparison = Some((comparison, value));
                return Ok(());
            }
        }
        Err(Error::SYNTAX)
    }

    /// The same word twice is no contradiction: the last one counts.
    fn set_life(&mut self, life: Life<'a>, is_same: bool) -> Result<()> {
        if self.life != Life::Unsaid && !is_same {
            return Err(Error::SYNTAX);
        }
        self.life = life;
        Ok(())
    }

    /// Whether the value at the first argument is as the comparison wants it. A key that is not there has no value to be
    /// equal to.
    pub fn holds(&self, ctx: &mut Ctx) -> Result<bool> {
        let Some((comparison, wanted)) = self.comparison else {
            return Ok(true);
        };
        match ctx.keys.peek_string(ctx.arg(1))? {
            Some(value) => comparison.holds(&value.text(), wanted),
            None => Ok(!comparison.wants_equal()),
        }
    }
}

impl Comparison {
    pub fn named(word: &[u8]) -> Option<Comparison> {
        let mut all = COMPARISONS.into_iter();
        all.find_map(|(name, comparison)| word.is_word(name.as_bytes()).then_some(comparison))
    }

    fn wants_equal(self) -> bool {
        matches!(self, Comparison::Equal | Comparison::DigestEqual)
    }

    /// Whether `value` compares as it should; a digest of the wrong length is an error. O(n).
    pub fn holds(self, value: &[u8], wanted: &[u8]) -> Result<bool> {
        let is_equal = match self {
            Comparison::Equal | Comparison::Unequal => value == wanted,
            _ if wanted.len() != DIGEST_BYTES => {
                return Err(Error::new("ERR must be exactly 16 hexadecimal characters"));
            }
            _ => wanted.is_word(&digest(value)),
        };
        Ok(is_equal == self.wants_equal())
    }
}

const DIGEST_BYTES: usize = 16;

/// The XXH3 of a value in hexadecimal digits.
pub(super) fn digest(value: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut hash = xxh3::hash(value);
    let mut text = [0; DIGEST_BYTES];
    for digit in text.iter_mut().rev() {
        let nibble = (hash & 15) as u8;
        *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
        hash >>= 4;
    }
    text
}

impl Life<'_> {
    /// What that means for a key that is set.
    pub fn expiry(self, ctx: &Ctx, command: &str) -> Result<Expiry> {
        Ok(match self {
            Life::Unsaid | Life::Persist => Expiry::Clear,
            Life::Keep => Expiry::Keep,
            Life::Until(moment, value) => Expiry::At(moment.at_ms(value, ctx.now_ms, command)?),
        })
    }
}

impl Moment {
    /// One of the words with its value.
    pub fn take<'a>(options: &mut Options<'a>) -> Option<(Moment, &'a [u8])> {
        let mut all = MOMENTS.into_iter();
        all.find_map(|(word, moment)| options.take_value(word).map(|value| (moment, value)))
    }

    /// The moment in ms since the epoch. Times of zero, in negative or out of reach are refused.
    pub fn at_ms(self, value: &[u8], now_ms: i64, command: &str) -> Result<i64> {
        let value = num::parse_i64(value).ok_or(Error::NOT_INTEGER)?;
        let unit_ms = match self {
            Moment::Ex | Moment::ExAt => 1000,
            Moment::Px | Moment::PxAt => 1,
        };
        let start_ms = match self {
            Moment::Ex | Moment::Px => now_ms,
            Moment::ExAt | Moment::PxAt => 0,
        };
        Some(value)
            .filter(|value| *value > 0)
            .and_then(|value| value.checked_mul(unit_ms)?.checked_add(start_ms))
            .ok_or_else(|| Error::invalid_expire(command))
    }
}
