//! DEBUG DIGEST and DEBUG DIGEST-VALUE: one number for all data, the same for the same data whatever its encodings are.

use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;
use crate::algorithms::sha1::sha1;
use crate::resp::Reply;
use crate::table::{Ctx, Outcome, Result};
use crate::values::array::MAX_INDEX;
use crate::values::stream::Id;
use crate::values::{Entry, Type};

/// One copy of it for all callers: speed is no matter here.
#[inline(never)]
fn hash(bytes: &[u8]) -> [u8; 20] {
    sha1(bytes)
}

/// A digest under construction, as Redis defines it: order counts for what is mixed, not for what is xored.
#[derive(Default)]
struct Digest([u8; 20]);

impl Digest {
    #[inline(never)]
    fn xor(&mut self, bytes: &[u8]) {
        for (mine, other) in self.0.iter_mut().zip(hash(bytes)) {
            *mine ^= other;
        }
    }

    #[inline(never)]
    fn mix(&mut self, bytes: &[u8]) {
        self.xor(bytes);
        self.0 = hash(&self.0);
    }

    /// Adds an element of an unordered collection: its parts in order, and a mark.
    #[inline(never)]
    fn element(&mut self, first: &[u8], second: &[u8], mark: &[u8]) {
        let mut one = Digest::default();
        one.mix(first);
        one.mix(second);
        if !mark.is_empty() {
            one.xor(mark);
        }
        self.xor(&one.0);
    }

    /// Mixes a value in: its type, what it holds, whether it expires.
    #[inline(never)]
    fn value(&mut self, entry: &Entry) {
        let number: u32 = match entry.value_type() {
            Type::String => 0,
            Type::List => 1,
            Type::Set => 2,
            Type::SortedSet => 3,
            Type::Hash => 4,
            Type::Stream => 6,
            Type::Array => 7,
        };
        self.mix(&number.to_be_bytes());
        self.content(entry);
        if entry.expiry_ms().is_some() {
            self.xor(b"!!expire!!");
        }
    }

    fn content(&mut self, entry: &Entry) {
        if let Some(string) = entry.string() {
            self.mix(&string.text());
        }
        if let Some(list) = entry.list() {
            list.iter().for_each(|element| self.mix(&element.text()));
        }
        if let Some(set) = entry.set() {
            set.walk(&mut |member| {
                self.xor(&member.text());
                true
            });
        }
        if let Some(hash) = entry.hash() {
            hash.each(&mut |field, value, expiry_ms| {
                let mark: &[u8] = if expiry_ms.is_some() {
                    b"!!hexpire!!"
                } else {
                    b""
                };
                self.element(&field.text(), &value.text(), mark);
            });
        }
        if let Some(sorted_set) = entry.sorted_set() {
            let mut text = Vec::new();
            for (member, score) in sorted_set.iter() {
                text.clear();
                num::write_shortest(&mut text, score);
                self.element(&member.text(), &text, b"");
            }
        }
        if let Some(stream) = entry.stream() {
            for found in stream.range(Id::MIN, Id::MAX, false) {
                // With a point here, not as ids are written elsewhere.
                let mut id = found.id.text().owned();
                let dash = id.iter_mut().find(|byte| **byte == b'-');
                dash.into_iter().for_each(|byte| *byte = b'.');
                self.mix(&id);
                found.each(&mut |field, value| {
                    self.mix(field);
                    self.mix(value);
                });
            }
        }
        if let Some(array) = entry.array() {
            array.visit(0, MAX_INDEX, &mut |index, value| {
                self.mix(&num::format_u64(index));
                self.mix(&value.text());
                true
            });
        }
    }

    #[inline(never)]
    fn write(&self, reply: &mut Reply) {
        let mut text = [0; 40];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            for (digit, half) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
                *digit = b"0123456789abcdef"[usize::from(half)];
            }
        }
        reply.status_bytes(&text);
    }
}

pub(super) fn digest(ctx: &mut Ctx) -> Result {
    let mut all = Digest::default();
    for db in 0..ctx.keys.db_count() {
        // Those that have expired count until they are removed.
        let Some(table) = ctx.keys.db(db).filter(|table| !table.is_empty()) else {
            continue;
        };
        all.mix(&(db as u32).to_be_bytes());
        for entry in table.iter().map(Entry::new) {
            let mut one = Digest::default();
            one.mix(entry.key());
            one.value(&entry);
            all.xor(&one.0);
        }
    }
    all.write(ctx.reply);
    Ok(Outcome::Done)
}

pub(super) fn digest_value(ctx: &mut Ctx) -> Result {
    ctx.reply.array(ctx.args.len() - 2);
    for key in ctx.args.iter().skip(2) {
        let mut one = Digest::default();
        let table = ctx.keys.db(ctx.keys.selected());
        if let Some(view) = table.and_then(|table| table.find(key)) {
            one.value(&Entry::new(view));
        }
        one.write(ctx.reply);
    }
    Ok(Outcome::Done)
}
