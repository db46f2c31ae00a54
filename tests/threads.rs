//! Promise: with helpers the engine computes what it computes alone. A process of its own: helpers stay for ever.

#[expect(dead_code, reason = "a few of the native tests' words")]
#[path = "native/fixtures.rs"]
mod fixtures;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fledge::engine::kernels::pool;
use fledge::settings::Precision;

use fixtures::{embedded_as, logits, values};

#[test]
#[expect(clippy::disallowed_methods, reason = "natively there are threads")]
fn helpers_change_nothing_but_the_time() {
    let model = embedded_as(Precision::EightBit);
    let ids: Vec<u32> = (0..40).map(|i| i * 97 % 8000).collect();
    let alone = values(&logits(model.gpt2(), &ids));
    for _ in 0..2 {
        std::thread::spawn(|| pool::help());
    }
    while pool::threads() < 3 {
        std::thread::yield_now();
    }
    for _ in 0..5 {
        assert_eq!(values(&logits(model.gpt2(), &ids)), alone);
        // Long enough that they fall asleep.
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for parts in [0, 1, 2, 1000] {
        let (sum, seen) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        pool::run(parts, &|part| {
            sum.fetch_add(part, Ordering::Relaxed);
            seen.lock().expect("a lock").push(part);
        });
        let mut seen = seen.into_inner().expect("a lock");
        seen.sort_unstable();
        assert_eq!(seen, (0..parts).collect::<Vec<_>>());
        assert_eq!(sum.into_inner(), parts * parts.saturating_sub(1) / 2);
    }
}
