//! What a search visits: a cell as large as the area asked for, and those of its eight neighbours that the area can
//! reach into.
//!
//! ```text
//!   6 | 1 | 5      the order of the visits, which is the order of results nobody sorts
//!   --+---+--
//!   4 | 0 | 3
//!   --+---+--
//!   8 | 2 | 7
//! ```

use super::trigonometry::cos;
use super::{Cell, EARTH_RADIUS_M, LATITUDE_LIMIT, Point, RADIANS, STEPS};

/// Half of the equator on the map, in metres.
const MAP_LIMIT_M: f64 = 20037726.37;

/// Scores from `start` up to before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub start: u64,
    pub end: u64,
}

/// The form of an area, in its own unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    Circle { radius: f64 },
    Rectangle { width: f64, height: f64 },
}

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    center: Point,
    shape: Shape,
    /// Metres in a unit of the shape.
    unit_m: f64,
    /// The cosine of the centre's latitude, which every distance needs.
    cosine: f64,
}

impl Area {
    pub fn new(center: Point, shape: Shape, unit_m: f64) -> Area {
        Area {
            center,
            shape,
            unit_m,
            cosine: cos(center.latitude * RADIANS),
        }
    }

    /// How far a place inside is from the centre, in metres; None for a place outside.
    #[inline]
    pub fn distance_m(&self, point: Point) -> Option<f64> {
        let is_inside = match self.shape {
            Shape::Circle { radius } => {
                let radius_m = radius * self.unit_m;
                // What is too far north or south is too far; the margin is more than rounding makes of it.
                if self.center.latitude_distance_m(point) > radius_m * 1.000_000_1 + 1e-3 {
                    return None;
                }
                let distance_m = self.center.distance_by(self.cosine, point);
                return (distance_m <= radius_m).then_some(distance_m);
            }
            Shape::Rectangle { width, height } => {
                let level = Point {
                    longitude: self.center.longitude,
                    latitude: point.latitude,
                };
                // The distance in latitude is the cheaper one.
                self.center.latitude_distance_m(point) <= height * self.unit_m / 2.0
                    && point.distance_m(level) <= width * self.unit_m / 2.0
            }
        };
        is_inside.then(|| self.center.distance_by(self.cosine, point))
    }

    /// The scores to look at, in the order of the visits.
    pub fn ranges(&self) -> impl Iterator<Item = Range> {
        self.cells().into_iter().flatten().map(Cell::scores)
    }

    /// The cells to look at; None for one that can be left out.
    fn cells(&self) -> [Option<Cell>; 9] {
        const PLACES: [(i32, i32); 9] = [
            (0, 0),
            (0, 1),
            (0, -1),
            (1, 0),
            (-1, 0),
            (1, 1),
            (-1, 1),
            (1, -1),
            (-1, -1),
        ];
        let mut step = self.step();
        // Half of the world or more: nothing can be left out.
        let bounds = (step > 1).then(|| self.bounds());
        let mut center = Cell::around(self.center, step, LATITUDE_LIMIT);
        if let Some([west, south, east, north]) = bounds {
            let is_covered = center.neighbour(0, 1).bounds().latitude.1 >= north
                && center.neighbour(0, -1).bounds().latitude.0 <= south
                && center.neighbour(1, 0).bounds().longitude.1 >= east
                && center.neighbour(-1, 0).bounds().longitude.0 <= west;
            if !is_covered {
                step -= 1;
                center = Cell::around(self.center, step, LATITUDE_LIMIT);
            }
        }
        let reach = bounds.filter(|_| step >= 2).map_or([true; 4], |bounds| {
            let [west, south, east, north] = bounds;
            let own = center.bounds();
            [
                own.longitude.0 >= west,
                own.latitude.0 >= south,
                own.longitude.1 <= east,
                own.latitude.1 <= north,
            ]
        });
        let [west, south, east, north] = reach;
        let mut cells = [None; 9];
        let mut last: Option<Cell> = None;
        for (place, (along, up)) in cells.iter_mut().zip(PLACES) {
            let is_reached = match along {
                1 => east,
                -1 => west,
                _ => true,
            } && match up {
                1 => north,
                -1 => south,
                _ => true,
            };
            let cell = center.neighbour(along, up);
            // Where a neighbour can be the cell just visited, it is not visited again; the first one does not count.
            if is_reached && last != Some(cell) {
                *place = Some(cell);
                if (along, up) != (0, 0) {
                    last = Some(cell);
                }
            }
        }
        cells
    }

    /// How fine a grid has cells not smaller than the area.
    fn step(&self) -> u32 {
        let radius = match self.shape {
            Shape::Circle { radius } => radius,
            Shape::Rectangle { width, height } => {
                let (across, up) = (width / 2.0, height / 2.0);
                (across * across + up * up).sqrt()
            }
        };
        let mut reach_m = radius * self.unit_m;
        if reach_m == 0.0 {
            return STEPS;
        }
        let mut step = 1i32;
        while reach_m < MAP_LIMIT_M {
            reach_m *= 2.0;
            step += 1;
        }
        // The area is to fit from any place of the cell; towards the poles cells are narrow.
        step -= 2;
        let latitude = self.center.latitude.abs();
        if latitude > 66.0 {
            step -= 1;
        }
        if latitude > 80.0 {
            step -= 1;
        }
        step.clamp(1, STEPS as i32) as u32
    }

    /// West, south, east and north end of the area, in degrees; longitudes by its wider half.
    fn bounds(&self) -> [f64; 4] {
        let Point {
            longitude,
            latitude,
        } = self.center;
        let (width, height) = match self.shape {
            Shape::Circle { radius } => (radius, radius),
            Shape::Rectangle { width, height } => (width / 2.0, height / 2.0),
        };
        let up = self.unit_m * height / EARTH_RADIUS_M / RADIANS;
        let edge = if latitude < 0.0 {
            latitude - up
        } else {
            latitude + up
        };
        let across = self.unit_m * width / EARTH_RADIUS_M / cos(edge * RADIANS) / RADIANS;
        [
            longitude - across,
            latitude - up,
            longitude + across,
            latitude + up,
        ]
    }
}
