//! Places on the globe: the 52-bit geohash Redis keeps as a sorted set's score, distances, and the areas a search visits.
//!
//! The globe is a grid that halves with every *step*: at step 26 a cell is a place's score, at smaller steps it is a
//! range of scores. Longitude and latitude alternate in a cell's bits, latitude in the lowest:
//!
//! ```text
//!   step 1        step 2                       bits of a cell at step 2: lo1 la1 lo2 la2
//!   1 | 3         5 | 7 | 13 | 15
//!   --+--         4 | 6 | 12 | 14
//!   0 | 2         1 | 3 |  9 | 11
//!                 0 | 2 |  8 | 10
//! ```
//!
//! Order of operations is part of the result here: a score, a distance and what lies within a radius agree with Redis
//! bit by bit only because every sum and product is formed as Redis forms it.
//!
//! <https://redis.io/docs/latest/develop/data-types/geospatial/>

mod search;
mod trigonometry;

pub use search::{Area, Range, Shape};
use trigonometry::{asin, cos, sin};

/// The largest longitude, in degrees; the smallest is its opposite.
pub const LONGITUDE_LIMIT: f64 = 180.0;
/// The largest latitude a score can hold (that of a square Mercator map), in degrees; the smallest is its opposite.
pub const LATITUDE_LIMIT: f64 = 85.05112878;
/// The step of a score: 26 bits for each coordinate.
const STEPS: u32 = 26;
const EARTH_RADIUS_M: f64 = 6372797.560856;
const RADIANS: f64 = core::f64::consts::PI / 180.0;

/// A place, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub longitude: f64,
    pub latitude: f64,
}

/// One cell of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    bits: u64,
    step: u32,
}

/// The rectangle of a cell, in degrees.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    longitude: (f64, f64),
    latitude: (f64, f64),
}

const EVEN_BITS: u64 = 0x5555_5555_5555_5555;

/// Puts a zero bit above each bit.
fn spread(value: u32) -> u64 {
    let mut bits = u64::from(value);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, EVEN_BITS),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Takes every second bit, from the lowest on: what [`spread`] undoes.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & EVEN_BITS;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

impl Point {
    /// A place with a score; None when it is outside of the map, or no place at all.
    pub fn new(longitude: f64, latitude: f64) -> Option<Point> {
        let is_inside = (-LONGITUDE_LIMIT..=LONGITUDE_LIMIT).contains(&longitude)
            && (-LATITUDE_LIMIT..=LATITUDE_LIMIT).contains(&latitude);
        is_inside.then_some(Point {
            longitude,
            latitude,
        })
    }

    /// The place's score.
    pub fn score(self) -> u64 {
        Cell::around(self, STEPS, LATITUDE_LIMIT).bits
    }

    /// The middle of the cell that a score stands for.
    pub fn of_score(score: u64) -> Point {
        let bounds = Cell {
            bits: score,
            step: STEPS,
        }
        .bounds();
        let middle =
            |(low, high): (f64, f64), limit: f64| ((low + high) / 2.0).clamp(-limit, limit);
        Point {
            longitude: middle(bounds.longitude, LONGITUDE_LIMIT),
            latitude: middle(bounds.latitude, LATITUDE_LIMIT),
        }
    }

    /// The standard geohash, whose map has all latitudes. Its last letter is always `0`: 52 bits are no more than ten
    /// letters and a bit.
    pub fn geohash(self) -> [u8; 11] {
        let bits = Cell::around(self, STEPS, 90.0).bits;
        let mut text = [b'0'; 11];
        for (at, letter) in text.iter_mut().take(10).enumerate() {
            let index = bits >> (52 - (at + 1) * 5) & 31;
            *letter = *b"0123456789bcdefghjkmnpqrstuvwxyz"
                .get(index as usize)
                .unwrap_or(&b'0');
        }
        text
    }

    /// The way to another place along the surface, in metres.
    pub fn distance_m(self, other: Point) -> f64 {
        self.distance_by(cos(self.latitude * RADIANS), other)
    }

    /// The same with the cosine of this place's latitude at hand.
    #[inline]
    fn distance_by(self, cosine: f64, other: Point) -> f64 {
        let east = sin((other.longitude * RADIANS - self.longitude * RADIANS) / 2.0);
        // On one meridian the way is an arc, exactly.
        if east == 0.0 {
            return self.latitude_distance_m(other);
        }
        let (from, to) = (self.latitude * RADIANS, other.latitude * RADIANS);
        let north = sin((to - from) / 2.0);
        let square = north * north + cosine * cos(to) * east * east;
        2.0 * EARTH_RADIUS_M * asin(square.sqrt())
    }

    /// The way to another place's circle of latitude, in metres.
    fn latitude_distance_m(self, other: Point) -> f64 {
        EARTH_RADIUS_M * (other.latitude * RADIANS - self.latitude * RADIANS).abs()
    }
}

impl Cell {
    /// The cell of `step` that a place lies in, on a map of latitudes up to `latitude_limit`. A place on the upper edge
    /// counts to the cell behind it.
    fn around(point: Point, step: u32, latitude_limit: f64) -> Cell {
        let scale = (1u64 << step) as f64;
        let part = |value: f64, limit: f64| {
            let part = (value + limit) / (limit + limit) * scale;
            spread(part as u32)
        };
        let longitude = part(point.longitude, LONGITUDE_LIMIT);
        Cell {
            bits: part(point.latitude, latitude_limit) | longitude << 1,
            step,
        }
    }

    fn bounds(self) -> Bounds {
        let scale = (1u64 << self.step) as f64;
        let edge = |number: f64, limit: f64| -limit + number / scale * (limit + limit);
        let edges = |bits: u64, limit: f64| {
            let number = gather(bits);
            let (low, high) = (f64::from(number), f64::from(number.wrapping_add(1)));
            (edge(low, limit), edge(high, limit))
        };
        Bounds {
            longitude: edges(self.bits >> 1, LONGITUDE_LIMIT),
            latitude: edges(self.bits, LATITUDE_LIMIT),
        }
    }

    /// The cell `east` and `north` of this one (each -1, 0 or 1), round the map's edges. The bits of a coordinate that
    /// does not change stay as they are, even such as a cell of this step does not have.
    fn neighbour(self, east: i32, north: i32) -> Cell {
        let (odd, even) = (!EVEN_BITS, EVEN_BITS);
        let shift = 64 - self.step * 2;
        // With ones in the bits of the other coordinate a carry runs through them.
        let step_by = |bits: u64, own: u64, other: u64, direction: i32| match direction {
            0 => bits,
            1 => bits.wrapping_add((other >> shift).wrapping_add(1)) & own >> shift,
            _ => {
                let fill = other >> shift;
                (bits | fill).wrapping_sub(fill.wrapping_add(1)) & own >> shift
            }
        };
        let longitude = step_by(self.bits & odd, odd, even, east);
        let latitude = step_by(self.bits & even, even, odd, north);
        Cell {
            bits: longitude | latitude,
            step: self.step,
        }
    }

    /// The scores of the places in the cell: from the first up to before the second.
    fn scores(self) -> Range {
        let shift = 52 - self.step * 2;
        Range {
            start: self.bits << shift,
            end: (self.bits + 1) << shift,
        }
    }
}

#[cfg(test)]
mod tests;
