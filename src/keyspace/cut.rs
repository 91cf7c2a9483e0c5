//! The data set as of one moment, handed out in slices while it goes on changing.
//!
//! ```text
//!   table  | handed out, current        | cursor ->      some current, some not                     |
//!            a write: nothing to do        a write to one that is not: handed out before it changes
//! ```
//!
//! At the cut every table begins an epoch. An entry of another epoch than its table's was there at the cut, is as it was
//! then, and was not handed out yet. [`Keyspace::walk`] hands such entries out in table order and makes them current; the
//! write guard does the same with an entry right before it changes or goes ([`guard`]). What is created meanwhile is
//! current from the start. So the receiver gets every entry exactly once, as it was at the cut, and the price of a cut is
//! one bit of work per entry; without a cut the guard is a branch that is never taken.
//!
//! A database that is emptied, or replaced by a load, cannot change any more: its table is kept aside and the walk goes on
//! there. Databases that change places are followed. A cut that is given up leaves entries of several epochs behind; as
//! epochs are counted, they are all different from the next one's.

use super::clock::AccessClock;
use super::{Db, Keyspace};
use crate::algorithms::bytes::Bytes;
use crate::structures::table::{EPOCHS, EntryMut, EntryView};
use crate::values::{Entry, Object};
use core::any::Any;

/// Who gets the entries of a cut. Databases have the numbers they had at the cut.
pub trait Keep: Any + Send {
    /// An entry that is about to change or to go: all of it, now; or the rest of it, if `take` was given a part.
    fn keep(&mut self, db: usize, entry: Entry<'_>, clock: &AccessClock);

    /// An entry that the walk meets. `left` is how much may be done yet, in bytes of work, and is lowered. False when it is
    /// used up before all of the entry is taken: the walk then comes back with this entry, and no other, unless the rest
    /// is kept before.
    fn take(&mut self, db: usize, entry: Entry<'_>, clock: &AccessClock, left: &mut usize) -> bool;

    /// Bytes it holds.
    fn held_bytes(&self) -> usize;
}

/// Where a database of the cut is now.
enum Place {
    /// It is the database of this number.
    Here(usize),
    /// It was emptied or replaced.
    Aside(Box<Db>),
    /// All of it was handed out.
    Done,
}

/// What is under way.
pub(super) struct Cut {
    keeper: Box<dyn Keep>,
    /// For every database of the cut.
    places: Vec<Place>,
    /// Where the walk is: the database and the place in its table, and the key of an entry taken in part.
    db: usize,
    cursor: u64,
    partial: Option<Vec<u8>>,
    /// Bytes of the objects of tables that are aside.
    aside_bytes: usize,
}

/// How many entries the walk visits before it looks at how much is left to do.
const ENTRIES_A_STEP: usize = 64;
/// What a step costs by itself, and a look at an entry: in the time of so many bytes.
const STEP_BYTES: usize = 64;
const LOOK_BYTES: usize = 16;

/// To be called with every entry that is about to change or to go.
#[inline(always)]
pub(super) fn guard(
    cut: &mut Option<Box<Cut>>,
    clock: &AccessClock,
    db: usize,
    entry: &EntryMut<'_, Object>,
) {
    if let Some(cut) = cut
        && !entry.is_current()
    {
        cut.keep(clock, db, entry.view());
        entry.make_current();
    }
}

impl Cut {
    /// Hands out an entry of the present database `db`.
    #[cold]
    #[inline(never)]
    pub(super) fn keep(&mut self, clock: &AccessClock, db: usize, view: EntryView<'_, Object>) {
        if let Some(at) = self.number_of(db) {
            self.keeper.keep(at, Entry::new(view), clock);
        }
    }

    /// The number that the present database `db` had at the cut.
    fn number_of(&self, db: usize) -> Option<usize> {
        let is_here = |place: &Place| matches!(place, Place::Here(at) if *at == db);
        self.places.iter().position(is_here)
    }

    /// The table that was database `db` is not that any more.
    pub(super) fn set_aside(&mut self, db: usize, table: Db, object_bytes: usize) {
        let at = self.number_of(db).filter(|_| !table.is_empty());
        if let Some(place) = at.and_then(|at| self.places.get_mut(at)) {
            *place = Place::Aside(Box::new(table));
            self.aside_bytes += object_bytes;
        }
    }

    /// Two databases change places.
    pub(super) fn swap(&mut self, one: usize, other: usize) {
        let (at_one, at_other) = (self.number_of(one), self.number_of(other));
        for (at, db) in [(at_one, other), (at_other, one)] {
            if let Some(place) = at.and_then(|at| self.places.get_mut(at)) {
                *place = Place::Here(db);
            }
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        let aside = self.places.iter().map(|place| match place {
            Place::Aside(table) => table.used_bytes(),
            Place::Here(_) | Place::Done => 0,
        });
        self.keeper.held_bytes() + self.aside_bytes + aside.sum::<usize>()
    }

    fn walk(&mut self, dbs: &[Db], clock: &AccessClock, left: &mut usize) -> bool {
        while *left > 0 {
            let table = match self.places.get(self.db) {
                None => return false,
                Some(Place::Here(at)) => dbs.get(*at),
                Some(Place::Aside(table)) => Some(table.as_ref()),
                Some(Place::Done) => None,
            };
            let (db, keeper) = (self.db, &mut self.keeper);
            let Some(table) = table else {
                self.leave_db();
                continue;
            };
            let epoch = table.epoch();
            if let Some(key) = &self.partial {
                // When it changed or went meanwhile, the rest of it was kept.
                let view = table.find(key).filter(|view| view.epoch() != epoch);
                if let Some(view) = view {
                    if !keeper.take(db, Entry::new(view), clock, left) {
                        break;
                    }
                    view.set_epoch(epoch);
                }
                self.partial = None;
                continue;
            }
            let (mut looks, mut is_complete) = (0, true);
            let next = table.scan(self.cursor, ENTRIES_A_STEP, |view| {
                looks += 1;
                if view.epoch() == epoch || !is_complete {
                    return;
                }
                if *left == 0 {
                    is_complete = false;
                } else if keeper.take(db, Entry::new(view), clock, left) {
                    view.set_epoch(epoch);
                } else {
                    is_complete = false;
                    self.partial = Some(view.key().owned());
                }
            });
            *left = left.saturating_sub(STEP_BYTES + looks * LOOK_BYTES);
            if is_complete {
                self.cursor = next;
                if next == 0 {
                    self.leave_db();
                }
            }
        }
        true
    }

    fn leave_db(&mut self) {
        if let Some(place) = self.places.get_mut(self.db) {
            if let Place::Aside(table) = place {
                self.aside_bytes -= super::write::object_bytes_of(table);
            }
            *place = Place::Done;
        }
        self.db += 1;
    }
}

impl Keyspace {
    /// Makes a cut: `keeper` gets every entry as it is now, by [`Keyspace::walk`] or before it changes. A cut that was
    /// under way ends. O(1), but for every thirtieth cut in a row that was not walked to its end.
    pub fn begin_cut(&mut self, keeper: Box<dyn Keep>) {
        self.delete_stale();
        self.end_cut();
        if self.given_up >= EPOCHS - 2 {
            self.given_up = 0;
            for table in &self.dbs {
                table.iter().for_each(|view| view.set_epoch(table.epoch()));
            }
        }
        for table in &mut self.dbs {
            table.begin_epoch();
        }
        self.cut = Some(Box::new(Cut {
            keeper,
            places: (0..self.dbs.len()).map(Place::Here).collect(),
            db: 0,
            cursor: 0,
            partial: None,
            aside_bytes: 0,
        }));
    }

    /// Hands out entries of the cut until about `left` bytes of work are done, and lowers `left` by what was done. False
    /// when all are out.
    pub fn walk(&mut self, left: &mut usize) -> bool {
        let Some(cut) = &mut self.cut else {
            return false;
        };
        cut.walk(&self.dbs, &self.clock, left)
    }

    /// Who gets the entries of the cut under way, if it is of that type.
    pub fn keeper<K: Keep>(&mut self) -> Option<&mut K> {
        let keeper: &mut dyn Any = self.cut.as_mut()?.keeper.as_mut();
        keeper.downcast_mut()
    }

    /// Ends the cut, walked to its end or not.
    pub fn end_cut(&mut self) {
        if let Some(cut) = self.cut.take() {
            match cut.places.get(cut.db) {
                Some(_) => self.given_up += 1,
                None => self.given_up = 0,
            }
        }
    }

    /// Whether a cut is under way.
    pub fn is_cut(&self) -> bool {
        self.cut.is_some()
    }
}
