//! Lists of values of one kind, with places that are used again when a collection has found them free.

/// A list of values of one kind with places to be used again.
#[derive(Debug)]
pub struct Arena<T> {
    pub(super) items: Vec<T>,
    pub(super) marks: Vec<Mark>,
    free: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Free,
    White,
    Black,
}

impl<T: Default> Arena<T> {
    pub(super) const fn new() -> Arena<T> {
        Arena {
            items: Vec::new(),
            marks: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, item: T) -> u32 {
        if let Some(id) = self.free.pop()
            && let (Some(place), Some(mark)) = (
                self.items.get_mut(id as usize),
                self.marks.get_mut(id as usize),
            )
        {
            *place = item;
            *mark = Mark::White;
            return id;
        }
        self.items.push(item);
        self.marks.push(Mark::White);
        (self.items.len() - 1) as u32
    }

    #[inline(always)]
    pub fn get(&self, id: u32) -> Option<&T> {
        self.items.get(id as usize)
    }

    #[inline(always)]
    pub fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.items.get_mut(id as usize)
    }

    /// Marks a value; true when it was not marked before.
    pub(super) fn mark(&mut self, id: u32) -> bool {
        match self.marks.get_mut(id as usize) {
            Some(mark) if *mark == Mark::White => {
                *mark = Mark::Black;
                true
            }
            _ => false,
        }
    }

    pub(super) fn is_white(&self, id: u32) -> bool {
        self.marks
            .get(id as usize)
            .is_none_or(|mark| *mark != Mark::Black)
    }

    /// Takes out what is not marked, and unmarks the rest.
    pub(super) fn sweep(&mut self, mut bury: impl FnMut(T)) {
        for (id, mark) in self.marks.iter_mut().enumerate() {
            match *mark {
                Mark::Free => {}
                Mark::Black => *mark = Mark::White,
                Mark::White => {
                    *mark = Mark::Free;
                    self.free.push(id as u32);
                    if let Some(item) = self.items.get_mut(id) {
                        bury(std::mem::take(item));
                    }
                }
            }
        }
        self.shrink();
    }

    /// Gives back the places at the end that a greedy script has left, which every sweep would look at.
    fn shrink(&mut self) {
        const KEPT_PLACES: usize = 1024;
        let last = self.marks.iter().rposition(|mark| *mark != Mark::Free);
        let end = last.map_or(0, |last| last + 1).max(KEPT_PLACES);
        if end * 2 < self.items.len() {
            self.items.truncate(end);
            self.items.shrink_to(end * 2);
            self.marks.truncate(end);
            self.marks.shrink_to(end * 2);
            self.free.retain(|id| (*id as usize) < end);
            self.free.shrink_to(end * 2);
        }
    }
}
