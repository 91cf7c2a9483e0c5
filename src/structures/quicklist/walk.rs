//! Going through a list.

use super::chunks::Place;
use super::{NodeRef, Quicklist};
use crate::structures::listpack::{self, Item, ListpackRef};

/// What is left of one node.
#[derive(Debug, Clone)]
enum Rest<'a> {
    Packed(listpack::Iter<'a>),
    Plain(Option<&'a [u8]>),
}

/// The elements of a list from one on, forwards or backwards.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    /// Where the next nodes are; None for a listpack that is a list by itself.
    list: Option<(&'a Quicklist, Place)>,
    rest: Rest<'a>,
    is_backwards: bool,
}

impl<'a> Walk<'a> {
    /// Through a listpack.
    pub fn of_pack(pack: ListpackRef<'a>, rank: usize, is_backwards: bool) -> Walk<'a> {
        Walk {
            list: None,
            rest: Rest::of(NodeRef::Packed(pack), rank, is_backwards),
            is_backwards,
        }
    }

    pub(super) fn of_list(list: &'a Quicklist, rank: usize, is_backwards: bool) -> Walk<'a> {
        let found = list.chunks.seek(rank);
        let rest = found.and_then(|(place, offset)| {
            let node = list.chunks.get(place)?;
            Some(Rest::of(node.view(), offset, is_backwards))
        });
        Walk {
            list: found.map(|(place, _)| (list, place)),
            rest: rest.unwrap_or(Rest::Plain(None)),
            is_backwards,
        }
    }

    /// Goes on to the next node.
    #[inline(never)]
    fn turn(&mut self) -> Option<Item<'a>> {
        let (list, place) = self.list?;
        let place = list.chunks.beside(place, !self.is_backwards)?;
        let node = list.chunks.get(place)?;
        self.list = Some((list, place));
        let from = match self.is_backwards {
            true => node.len as usize - 1,
            false => 0,
        };
        self.rest = Rest::of(node.view(), from, self.is_backwards);
        self.rest.next(self.is_backwards)
    }
}

impl<'a> Rest<'a> {
    fn of(node: NodeRef<'a>, offset: usize, is_backwards: bool) -> Rest<'a> {
        match node {
            NodeRef::Plain(text) => Rest::Plain(Some(text)),
            NodeRef::Packed(pack) => {
                let position = pack.seek(offset as i64);
                Rest::Packed(match (position, is_backwards) {
                    (None, _) => pack.iter_from(pack.end()),
                    (Some(position), false) => pack.iter_from(position),
                    (Some(position), true) => {
                        pack.iter_before(pack.next(position).unwrap_or(pack.end()))
                    }
                })
            }
        }
    }

    #[inline]
    fn next(&mut self, is_backwards: bool) -> Option<Item<'a>> {
        match self {
            Rest::Plain(text) => text.take().map(Item::Bytes),
            Rest::Packed(elements) if is_backwards => elements.next_back().map(|(_, item)| item),
            Rest::Packed(elements) => elements.next().map(|(_, item)| item),
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self.rest.next(self.is_backwards) {
            None => self.turn(),
            item => item,
        }
    }
}
