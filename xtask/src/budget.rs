//! What the page may weigh. A visitor pays for every byte before the first word is written.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::bundle;
use crate::shell::files;

/// One limit.
struct Limit {
    /// What is weighed.
    what: &'static str,
    /// The most bytes that it may have.
    bytes: u64,
    /// Whether they are counted as sent, gzip-compressed, or as they lie on the disk.
    compressed: bool,
    /// Which files count.
    counts: fn(&str) -> bool,
}

const KB: u64 = 1000;

/// The limits, about an eighth above what was measured when they were set: room for a feature, not for an accident
/// (a second copy of a crate, debug information, an unused tokenizer).
const LIMITS: [Limit; 7] = [
    Limit {
        what: "page, wasm",
        bytes: 820 * KB,
        compressed: true,
        counts: |name| name.starts_with("app-") && is(name, "wasm"),
    },
    Limit {
        what: "worker, wasm",
        bytes: 2400 * KB,
        compressed: true,
        counts: |name| name.starts_with("worker") && is(name, "wasm"),
    },
    // A visitor gets one of the two.
    Limit {
        what: "worker, wasm, fast",
        bytes: 2400 * KB,
        compressed: true,
        counts: |name| name.starts_with("fast/") && is(name, "wasm"),
    },
    Limit {
        what: "scripts, styles and HTML",
        bytes: 36 * KB,
        compressed: true,
        counts: |name| {
            (is(name, "js") && !name.starts_with("fast/") && name != "sw.js") || is(name, "css") || name == "index.html"
        },
    },
    // Fetched when the page is in use already, and asked for again at each visit.
    Limit {
        what: "service worker",
        bytes: 6 * KB,
        compressed: true,
        counts: |name| name == "sw.js",
    },
    // What fits into a mail is less; what fits onto a stick is more.
    Limit {
        what: "all in one file",
        bytes: 36_000 * KB,
        compressed: false,
        counts: |name| name == bundle::NAME,
    },
    // Half a minute on a slow line (4 Mbit/s), and small enough to lie in a git repository.
    Limit {
        what: "embedded model",
        bytes: 16_000 * KB,
        compressed: false,
        counts: |name| name.starts_with("model/"),
    },
];

fn is(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

/// Weighs `dist/`, prints the table and fails if a limit is passed.
pub fn check(dist: &Path) -> Result<()> {
    let files =
        files(dist).with_context(|| format!("{} can't be read; `cargo xtask build` makes it", dist.display()))?;
    let mut over = Vec::new();
    println!("{:<26}{:>12}{:>12}{:>12}", "", "on disk", "as sent", "limit");
    for limit in &LIMITS {
        let (mut raw, mut sent) = (0, 0);
        for file in &files {
            let name = file.strip_prefix(dist)?.to_string_lossy().replace('\\', "/");
            if (limit.counts)(&name) {
                raw += file.metadata()?.len();
                sent += if limit.compressed {
                    gzipped(file)?
                } else {
                    file.metadata()?.len()
                };
            }
        }
        println!(
            "{:<26}{:>12}{:>12}{:>12}",
            limit.what,
            kilobytes(raw),
            kilobytes(sent),
            kilobytes(limit.bytes)
        );
        ensure!(raw > 0, "dist/ has no {}", limit.what);
        if sent > limit.bytes {
            over.push(format!(
                "{} weighs {} of {}",
                limit.what,
                kilobytes(sent),
                kilobytes(limit.bytes)
            ));
        }
    }
    ensure!(
        over.is_empty(),
        "too heavy: {} (the limits are in xtask/src/budget.rs)",
        over.join("; ")
    );
    Ok(())
}

fn kilobytes(bytes: u64) -> String {
    format!("{} kB", bytes.div_ceil(KB))
}

/// How many bytes a gzipping server would send.
fn gzipped(file: &Path) -> Result<u64> {
    struct Counter(u64);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut encoder = GzEncoder::new(Counter(0), Compression::best());
    std::io::copy(&mut File::open(file)?, &mut encoder)?;
    encoder.flush()?;
    Ok(encoder.finish()?.0)
}
