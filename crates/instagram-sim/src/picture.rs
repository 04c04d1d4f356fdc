//! Profile pictures: small real PNG files, drawn from the account's number.

use std::io::Write;

use flate2::{Compression, Crc, write::ZlibEncoder};

const SIZE: usize = 96;
const CELLS: usize = 8;

/// A PNG of 96 × 96 pixels; the same seed gives the same bytes.
pub(crate) fn png(seed: u64) -> Vec<u8> {
    let mut bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1f83_d9ab_fb41_bd6b;
    let colour = [(bits >> 8) as u8 | 0x40, (bits >> 24) as u8 | 0x40, (bits >> 40) as u8 | 0x40];
    // A symmetric pattern of cells, as generated avatars look.
    let mut cells = [[false; CELLS]; CELLS];
    for row in &mut cells {
        for column in 0..CELLS / 2 {
            bits = bits.rotate_left(7).wrapping_mul(0xd129_0f3d_1a6b_5c71);
            let filled = bits & 1 == 1;
            row[column] = filled;
            row[CELLS - 1 - column] = filled;
        }
    }
    let mut raw = Vec::with_capacity(SIZE * (SIZE * 3 + 1));
    for y in 0..SIZE {
        raw.push(0); // filter of the line: none
        for x in 0..SIZE {
            let filled = cells[y * CELLS / SIZE][x * CELLS / SIZE];
            raw.extend_from_slice(if filled { &colour } else { &[0xf4, 0xf4, 0xf4] });
        }
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&raw).expect("writing to memory does not fail");
    let pixels = encoder.finish().expect("writing to memory does not fail");

    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let size = (SIZE as u32).to_be_bytes();
    let header = [&size[..], &size[..], &[8, 2, 0, 0, 0]].concat();
    chunk(&mut file, b"IHDR", &header);
    chunk(&mut file, b"IDAT", &pixels);
    chunk(&mut file, b"IEND", &[]);
    file
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend_from_slice(&(data.len() as u32).to_be_bytes());
    file.extend_from_slice(kind);
    file.extend_from_slice(data);
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    file.extend_from_slice(&crc.sum().to_be_bytes());
}

/// The signature of a media address, as its `oh` parameter carries it. It holds a slash, so a client that encodes the
/// query again is refused, as Instagram's servers do.
pub(crate) fn signature(path: &str) -> String {
    let mut crc = Crc::new();
    crc.update(path.as_bytes());
    format!("00_AY/{:08x}", crc.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_the_parts_of_a_png_file_and_is_repeatable() {
        let file = png(7);
        assert!(file.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert_eq!(&file[12..16], b"IHDR");
        assert!(file.ends_with(&[b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82]));
        assert_eq!(file, png(7));
        assert_ne!(file, png(8));
    }
}
