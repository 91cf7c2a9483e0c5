//! What redis-server 8.2.3 says.

use super::{Area, Point, Range, Shape};
use crate::algorithms::rng::Rng;

fn at(longitude: f64, latitude: f64) -> Point {
    Point::new(longitude, latitude).unwrap()
}

/// Places with their score, the middle of the score's cell and the geohash.
type Place = ((f64, f64), u64, (f64, f64), &'static [u8; 11]);

const PLACES: [Place; 7] = [
    (
        (13.361389, 38.115556),
        3479099956230698,
        (13.361389338970184, 38.1155563954963),
        b"sqc8b49rny0",
    ),
    (
        (15.087269, 37.502669),
        3479447370796909,
        (15.087267458438873, 37.50266842333162),
        b"sqdtr74hyu0",
    ),
    (
        (180.0, 85.05112878),
        13510798882111488,
        (180.0, 85.05112878),
        b"bp05b5048p0",
    ),
    (
        (-180.0, -85.05112878),
        0,
        (-179.99999731779099, -85.05112751263943),
        b"00bh0hbj200",
    ),
    (
        (0.0, 0.0),
        3377699720527872,
        (2.682209014892578e-6, 1.2673605809254695e-6),
        b"s0000000000",
    ),
    (
        (-122.27652, 37.805186),
        1367952638197536,
        (-122.27652043104172, 37.80518485897756),
        b"9q9p1d0znt0",
    ),
    (
        (-77.0353, 38.8895),
        1790437267380171,
        (-77.03529864549637, 38.889500550125376),
        b"dqcjpp8eg20",
    ),
];

#[test]
fn scores_and_geohashes() {
    for ((longitude, latitude), score, middle, geohash) in PLACES {
        assert_eq!(at(longitude, latitude).score(), score);
        let point = Point::of_score(score);
        assert_eq!((point.longitude, point.latitude), middle);
        assert_eq!(&point.geohash(), geohash);
    }
    assert_eq!(Point::new(180.1, 0.0), None);
    assert_eq!(Point::new(0.0, -85.06), None);
    assert_eq!(Point::new(f64::NAN, 0.0), None);
}

#[test]
fn distances() {
    let place = |index: usize| Point::of_score(PLACES[index].1);
    assert_eq!(place(0).distance_m(place(1)), 166274.15156960033);
    assert_eq!(
        format!("{:.4}", place(2).distance_m(place(3))),
        "18919844.5891"
    );
    assert_eq!(
        format!("{:.4}", place(4).distance_m(place(2)) / 1000.0),
        "10560.8115"
    );
    assert_eq!(
        format!("{:.4}", place(6).distance_m(place(5))),
        "3907223.2938"
    );
    let center = at(15.0, 37.0);
    for (index, kilometers) in [
        (1, 56.4412578701582),
        (0, 190.44242984775784),
        (4, 4395.461229041461),
        (6, 7692.4439937746665),
        (5, 1.0614502325632495e+4),
        (3, 1.465609805049547e+4),
    ] {
        assert_eq!(center.distance_m(place(index)) / 1000.0, kilometers);
    }
}

#[test]
fn a_search_visits_every_place_inside() {
    let mut rng = Rng::new([1, 2]);
    for _ in 0..20_000 {
        let mut part = |limit: f64| (rng.below(2_000_001) as f64 / 1e6 - 1.0) * limit;
        let center = at(part(170.0), part(85.0));
        let size = 10f64.powf(part(3.0) + 3.0);
        let shape = if part(1.0) > 0.0 {
            Shape::Circle { radius: size }
        } else {
            Shape::Rectangle {
                width: size * 2.0,
                height: size * 10f64.powf(part(1.0)),
            }
        };
        let area = Area::new(center, shape, 1.0);
        // Degrees per metre, and narrower towards the poles.
        let degrees = size / 111_000.0;
        let longitude = center.longitude + part(1.0) * degrees / center.latitude.to_radians().cos();
        let Some(point) = Point::new(longitude, center.latitude + part(1.0) * degrees) else {
            continue;
        };
        let score = point.score();
        let is_visited = area
            .ranges()
            .any(|range| (range.start..range.end).contains(&score));
        if area.distance_m(Point::of_score(score)).is_some() {
            assert!(is_visited, "{area:?} {point:?}");
        }
    }
}

#[test]
fn the_whole_world_is_visited_once() {
    let area = Area::new(at(0.5, 0.5), Shape::Circle { radius: 30_000.0 }, 1000.0);
    let mut ranges: Vec<Range> = area.ranges().collect();
    ranges.sort_by_key(|range| range.start);
    ranges.dedup();
    let covered: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    assert_eq!(covered, 1 << 52);
}
