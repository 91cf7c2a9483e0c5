//! LOLWUT: a picture, and the version below it.

use super::VERSION;
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num;
use crate::resp::Error;
use crate::table::{Ctx, Outcome, Result};

const WIDTH_CELLS: i64 = 40;
const HEIGHT_CELLS: i64 = 12;
const SIZE_LIMIT_CELLS: i64 = 200;
/// From night to the sun's disc.
const SHADES: &[u8] = b" .:-=+*#%@";

/// A sun over water, another one each time. `LOLWUT [VERSION version [width [height]]]`; versions are not told apart.
pub fn lolwut(ctx: &mut Ctx) -> Result {
    let mut sizes = [WIDTH_CELLS, HEIGHT_CELLS];
    let mut picture = Vec::new();
    let mut is_drawn = true;
    if ctx.args.len() > 2 && ctx.arg(1).is_word(b"version") {
        let mut numbers = Vec::new();
        for arg in ctx.args.iter().skip(2) {
            numbers.push(num::parse_i64(arg).ok_or(Error::NOT_INTEGER)?);
        }
        is_drawn = matches!(numbers.first(), Some(5..=8));
        for (size, number) in sizes.iter_mut().zip(numbers.iter().skip(1)) {
            *size = (*number).clamp(1, SIZE_LIMIT_CELLS);
        }
    }
    if is_drawn {
        draw(&mut picture, sizes[0], sizes[1], &mut || ctx.rng.next_u64());
        picture.put(b"\nSun over water, drawn by the dice. ");
    }
    picture.put(b"Redis ver. ");
    picture.put(VERSION.as_bytes());
    picture.push(b'\n');
    ctx.reply.verbatim("txt", &picture);
    Ok(Outcome::Done)
}

/// The upper half holds the disc with its halo, the lower half its broken mirror image.
fn draw(out: &mut Vec<u8>, width: i64, height: i64, random: &mut impl FnMut() -> u64) {
    let mut below = |limit: i64| (random() % limit.max(1) as u64) as i64;
    let horizon = (height * 2 / 3).max(1);
    let (sun_x, sun_y) = (width / 4 + below(width / 2), below(horizon));
    let radius = 2 + below(height / 3);
    for y in 0..height {
        for x in 0..width {
            // A cell is twice as high as it is wide. Below the horizon rows are mirrored and shaken.
            let is_water = y >= horizon;
            let row = if is_water { 2 * horizon - y } else { y };
            let shake = if is_water { below(7) - 3 } else { 0 };
            let (dx, dy) = ((x - sun_x + shake) / 2, row - sun_y);
            let distance = dx * dx + dy * dy;
            let rings = distance * 4 / (radius * radius).max(1);
            let shade =
                (SHADES.len() as i64 - 1 - rings - i64::from(is_water)).max(i64::from(is_water));
            out.push(SHADES[shade as usize % SHADES.len()]);
        }
        out.push(b'\n');
    }
}
