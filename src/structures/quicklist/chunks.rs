//! The nodes in order, in chunks.

use super::{Body, Node};
use std::collections::VecDeque;

/// A chunk is split when it would hold more nodes than this.
const CHUNK_NODES: usize = 128;

#[derive(Debug, Clone, Default)]
struct Chunk {
    nodes: Vec<Node>,
    /// Elements in them.
    len: usize,
}

/// Where a node stands; void after any insertion or removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    chunk: usize,
    node: usize,
}

impl Place {
    pub const FIRST: Place = Place { chunk: 0, node: 0 };
}

/// All nodes.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    chunks: VecDeque<Chunk>,
    /// Elements.
    len: usize,
    nodes: usize,
    /// What nodes and lists of nodes hold from the allocator.
    heap_bytes: usize,
}

impl Clone for Chunks {
    fn clone(&self) -> Chunks {
        let mut copy = Chunks {
            chunks: self.chunks.clone(),
            ..*self
        };
        // Copies have no spare room.
        copy.heap_bytes = copy.chunks.iter().map(Chunk::heap_bytes).sum();
        copy
    }
}

impl Chunk {
    fn heap_bytes(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(Node::heap_bytes).sum();
        nodes + self.nodes.capacity() * size_of::<Node>()
    }
}

impl Chunks {
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn node_count(&self) -> usize {
        self.nodes
    }

    pub fn heap_bytes(&self) -> usize {
        self.chunks.capacity() * size_of::<Chunk>() + self.heap_bytes
    }

    pub fn iter(&self) -> impl Iterator<Item = &Node> {
        self.chunks.iter().flat_map(|chunk| &chunk.nodes)
    }

    #[inline]
    pub fn get(&self, place: Place) -> Option<&Node> {
        self.chunks.get(place.chunk)?.nodes.get(place.node)
    }

    /// The first node, or the last.
    #[inline(always)]
    pub fn end(&self, at_front: bool) -> Option<Place> {
        if at_front {
            return (self.nodes > 0).then_some(Place::FIRST);
        }
        let chunk = self.chunks.len().checked_sub(1)?;
        let node = self.chunks.get(chunk)?.nodes.len().checked_sub(1)?;
        Some(Place { chunk, node })
    }

    /// The node behind that one, or the one before it.
    pub fn beside(&self, place: Place, is_after: bool) -> Option<Place> {
        let Place { chunk, node } = place;
        if is_after {
            let here = Place {
                chunk,
                node: node + 1,
            };
            let next = Place {
                chunk: chunk + 1,
                node: 0,
            };
            let is_there = |place: &Place| self.get(*place).is_some();
            return Some(here).filter(is_there).or(Some(next).filter(is_there));
        }
        if let Some(node) = node.checked_sub(1) {
            return Some(Place { chunk, node });
        }
        let chunk = chunk.checked_sub(1)?;
        let node = self.chunks.get(chunk)?.nodes.len().checked_sub(1)?;
        Some(Place { chunk, node })
    }

    /// How many nodes stand before that one.
    pub fn ordinal(&self, place: Place) -> usize {
        let before = self.chunks.iter().take(place.chunk);
        before.map(|chunk| chunk.nodes.len()).sum::<usize>() + place.node
    }

    /// The node before which so many others stand.
    pub fn place_of(&self, ordinal: usize) -> Option<Place> {
        let mut node = ordinal;
        for (index, chunk) in self.chunks.iter().enumerate() {
            match node.checked_sub(chunk.nodes.len()) {
                Some(rest) => node = rest,
                None => return Some(Place { chunk: index, node }),
            }
        }
        None
    }

    /// The node of the element with a rank, and its offset there; counted from the nearer end.
    pub fn seek(&self, rank: usize) -> Option<(Place, usize)> {
        if rank >= self.len {
            return None;
        }
        if rank < self.len / 2 {
            return self.seek_from_front(rank);
        }
        let mut after = self.len - rank;
        for (chunk, found) in self.chunks.iter().enumerate().rev() {
            if after > found.len {
                after -= found.len;
                continue;
            }
            for (node, found) in found.nodes.iter().enumerate().rev() {
                match (found.len as usize).checked_sub(after) {
                    Some(offset) => return Some((Place { chunk, node }, offset)),
                    None => after -= found.len as usize,
                }
            }
        }
        None
    }

    fn seek_from_front(&self, rank: usize) -> Option<(Place, usize)> {
        let mut offset = rank;
        for (chunk, found) in self.chunks.iter().enumerate() {
            if offset >= found.len {
                offset -= found.len;
                continue;
            }
            for (node, found) in found.nodes.iter().enumerate() {
                match offset.checked_sub(found.len as usize) {
                    Some(rest) => offset = rest,
                    None => return Some((Place { chunk, node }, offset)),
                }
            }
        }
        None
    }

    /// Lets `change` change a node, and keeps the accounts.
    #[inline]
    pub fn change(&mut self, place: Place, change: &mut dyn FnMut(&mut Node)) {
        let Some(chunk) = self.chunks.get_mut(place.chunk) else {
            return;
        };
        let Some(node) = chunk.nodes.get_mut(place.node) else {
            return;
        };
        let (len, bytes) = (node.len as usize, node.heap_bytes());
        change(node);
        chunk.len = chunk.len + node.len as usize - len;
        self.len = self.len + node.len as usize - len;
        self.heap_bytes = self.heap_bytes + node.heap_bytes() - bytes;
    }

    /// Puts a node behind or before another; without one, the list being empty, as the first. Where it stands then.
    pub fn insert(&mut self, beside: Option<Place>, is_after: bool, node: Node) -> Place {
        let mut at = beside.unwrap_or(Place::FIRST);
        at.node += usize::from(is_after && beside.is_some());
        if self.chunks.get(at.chunk).is_none() {
            self.chunks.push_back(Chunk::default());
        }
        if self.nodes_at(at.chunk) >= CHUNK_NODES {
            at = self.make_room(at);
        }
        let (len, bytes) = (node.len as usize, node.heap_bytes());
        if let Some(chunk) = self.chunks.get_mut(at.chunk) {
            let before = chunk.nodes.capacity();
            chunk.nodes.insert(at.node.min(chunk.nodes.len()), node);
            chunk.len += len;
            self.heap_bytes += bytes + (chunk.nodes.capacity() - before) * size_of::<Node>();
            self.len += len;
            self.nodes += 1;
        }
        at
    }

    #[inline(always)]
    fn nodes_at(&self, chunk: usize) -> usize {
        self.chunks.get(chunk).map_or(0, |chunk| chunk.nodes.len())
    }

    /// The chunk is full: at the ends of the list another is put beside it, elsewhere it is cut in two.
    fn make_room(&mut self, at: Place) -> Place {
        let is_last = at.chunk + 1 == self.chunks.len();
        if at.node >= CHUNK_NODES && is_last {
            self.chunks.push_back(Chunk::default());
            return Place {
                chunk: at.chunk + 1,
                node: 0,
            };
        }
        if at == Place::FIRST {
            self.chunks.push_front(Chunk::default());
            return at;
        }
        let Some(chunk) = self.chunks.get_mut(at.chunk) else {
            return at;
        };
        let middle = chunk.nodes.len() / 2;
        let nodes = chunk.nodes.split_off(middle);
        let len = nodes.iter().map(|node| node.len as usize).sum();
        chunk.len -= len;
        self.heap_bytes += nodes.capacity() * size_of::<Node>();
        self.chunks.insert(at.chunk + 1, Chunk { nodes, len });
        match at.node.checked_sub(middle) {
            Some(node) if node > 0 => Place {
                chunk: at.chunk + 1,
                node,
            },
            _ => at,
        }
    }

    /// Takes a node out.
    pub fn remove(&mut self, place: Place) -> Option<Node> {
        let chunk = self.chunks.get_mut(place.chunk)?;
        if place.node >= chunk.nodes.len() {
            return None;
        }
        let node = chunk.nodes.remove(place.node);
        chunk.len -= node.len as usize;
        self.len -= node.len as usize;
        self.nodes -= 1;
        self.heap_bytes -= node.heap_bytes();
        if chunk.nodes.is_empty() {
            self.heap_bytes -= chunk.nodes.capacity() * size_of::<Node>();
            self.chunks.remove(place.chunk);
        } else if chunk.nodes.len() < CHUNK_NODES / 4 {
            self.join(place.chunk);
        }
        Some(node)
    }

    /// Joins a chunk that has become short with the one behind it, so that there are never many short ones.
    fn join(&mut self, at: usize) {
        let (here, next) = (self.nodes_at(at), self.nodes_at(at + 1));
        if next == 0 || here + next > CHUNK_NODES / 2 {
            return;
        }
        if let Some(mut next) = self.chunks.remove(at + 1)
            && let Some(chunk) = self.chunks.get_mut(at)
        {
            let before = chunk.nodes.capacity() + next.nodes.capacity();
            chunk.nodes.append(&mut next.nodes);
            chunk.len += next.len;
            let after = chunk.nodes.capacity();
            self.heap_bytes =
                self.heap_bytes + after * size_of::<Node>() - before * size_of::<Node>();
        }
    }

    /// Verifies the invariants.
    ///
    /// # Errors
    /// A sentence about the first violation found.
    pub fn check(&self) -> Result<(), String> {
        let (mut len, mut nodes, mut heap_bytes) = (0, 0, 0);
        for (index, chunk) in self.chunks.iter().enumerate() {
            if chunk.nodes.is_empty() || chunk.nodes.len() > CHUNK_NODES {
                return Err(format!("chunk {index} has {} nodes", chunk.nodes.len()));
            }
            let mut in_chunk = 0;
            for node in &chunk.nodes {
                let counted = match &node.body {
                    Body::Plain(_) => 1,
                    Body::Packed(pack) => {
                        pack.check()?;
                        pack.len()
                    }
                };
                if counted == 0 || counted != node.len as usize {
                    return Err(format!(
                        "a node of {counted} in chunk {index} says {}",
                        node.len
                    ));
                }
                in_chunk += counted;
            }
            if in_chunk != chunk.len {
                return Err(format!("chunk {index} of {in_chunk} says {}", chunk.len));
            }
            heap_bytes += chunk.heap_bytes();
            len += in_chunk;
            nodes += chunk.nodes.len();
        }
        let said = (self.len, self.nodes, self.heap_bytes);
        match said == (len, nodes, heap_bytes) {
            true => Ok(()),
            false => Err(format!("says {said:?}, has {:?}", (len, nodes, heap_bytes))),
        }
    }
}
