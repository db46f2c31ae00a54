//! What can happen to a file on its way.

use rand::Rng as _;
use rand::rngs::StdRng;

/// A file that is cut, or of which bytes within the first `head` have changed, become zeros, are doubled or lost.
pub fn damage(bytes: &[u8], rng: &mut StdRng, head: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = rng.random_range(0..head.min(bytes.len()));
    match rng.random_range(0..5) {
        0 => bytes.truncate(rng.random_range(0..bytes.len())),
        1 => bytes[at] = rng.random(),
        2 => {
            let end = (at + 8).min(bytes.len());
            bytes[at..end].fill(if rng.random() { 0xff } else { 0 });
        }
        3 => {
            let end = (at + rng.random_range(1..64)).min(bytes.len());
            let stretch = bytes[at..end].to_vec();
            bytes.splice(at..at, stretch);
        }
        _ => {
            let end = (at + rng.random_range(1..64)).min(bytes.len());
            bytes.drain(at..end);
        }
    }
    bytes
}
