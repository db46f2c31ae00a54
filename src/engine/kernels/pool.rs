//! Several threads for one computation, without knowing where threads come from: whoever has one lets it [`help`] for ever,
//! and [`run`] divides its work among all that help. Without helpers, the caller does everything.
//!
//! A product of writing takes fifty microseconds, so a helper first spins for the next one, and sleeps only when none comes.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// How often a helper looks for work before it sleeps: a tenth of a millisecond or so.
const SPINS: u32 = 100_000;

/// Work that is divided into parts.
struct Job<'w> {
    work: &'w (dyn Fn(usize) + Sync),
    parts: usize,
    /// The next part that nobody has taken.
    next: AtomicUsize,
    /// Helpers that will not touch this job again.
    left: AtomicUsize,
}

impl Job<'_> {
    fn work(&self) {
        loop {
            let part = self.next.fetch_add(1, Ordering::Relaxed);
            if part >= self.parts {
                return;
            }
            (self.work)(part);
        }
    }
}

/// Held by whoever runs a job, or joins the helpers.
static TURN: Mutex<()> = Mutex::new(());
static HELPERS: AtomicUsize = AtomicUsize::new(0);
/// Counts jobs.
static EPOCH: AtomicU32 = AtomicU32::new(0);
/// The job of this epoch.
static JOB: AtomicPtr<Job<'static>> = AtomicPtr::new(std::ptr::null_mut());
/// Held between the last look for a job and the sleep.
static BED: Mutex<()> = Mutex::new(());
static AWAKE: Condvar = Condvar::new();
static SLEEPING: AtomicUsize = AtomicUsize::new(0);

/// Threads that compute, the caller's included.
#[must_use]
pub fn threads() -> usize {
    1 + HELPERS.load(Ordering::Relaxed)
}

/// Lets this thread help for ever.
pub fn help() -> ! {
    let mut seen = {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        HELPERS.fetch_add(1, Ordering::SeqCst);
        EPOCH.load(Ordering::SeqCst)
    };
    loop {
        wait_for_job_after(seen);
        seen = seen.wrapping_add(1);
        let job = JOB.load(Ordering::Acquire);
        #[expect(unsafe_code, reason = "the job lives on another thread's stack")]
        // SAFETY: `run` publishes the job before the epoch, and stays in it until every helper has said that it left.
        let job = unsafe { &*job };
        job.work();
        job.left.fetch_add(1, Ordering::Release);
    }
}

fn wait_for_job_after(seen: u32) {
    for _ in 0..SPINS {
        if EPOCH.load(Ordering::SeqCst) != seen {
            return;
        }
        spin_loop();
    }
    let mut bed = BED.lock().unwrap_or_else(PoisonError::into_inner);
    SLEEPING.fetch_add(1, Ordering::SeqCst);
    while EPOCH.load(Ordering::SeqCst) == seen {
        bed = AWAKE.wait(bed).unwrap_or_else(PoisonError::into_inner);
    }
    SLEEPING.fetch_sub(1, Ordering::SeqCst);
}

/// Does `work(0)` to `work(parts - 1)`, each once, in any order and on any thread, and returns when all are done.
pub fn run(parts: usize, work: &(dyn Fn(usize) + Sync)) {
    let helpers = HELPERS.load(Ordering::Relaxed);
    // Work that divides itself further, or comes from several threads at once, is done by whoever asks.
    let Some(_turn) = (helpers > 0 && parts > 1).then(|| TURN.try_lock().ok()).flatten() else {
        return (0..parts).for_each(work);
    };
    let helpers = HELPERS.load(Ordering::SeqCst);
    let job = Job {
        work,
        parts,
        next: AtomicUsize::new(0),
        left: AtomicUsize::new(0),
    };
    JOB.store(std::ptr::from_ref(&job).cast_mut().cast(), Ordering::Release);
    EPOCH.fetch_add(1, Ordering::SeqCst);
    if SLEEPING.load(Ordering::SeqCst) > 0 {
        drop(BED.lock().unwrap_or_else(PoisonError::into_inner));
        AWAKE.notify_all();
    }
    job.work();
    while job.left.load(Ordering::Acquire) < helpers {
        spin_loop();
    }
}

/// `work(number, chunk)` of every chunk of a slice, as `chunks_mut` numbers them, in any order and on any thread.
pub fn chunks<T: Send>(slice: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    struct First<T>(*mut T);
    #[expect(unsafe_code, reason = "threads write chunks of one slice")]
    // SAFETY: only chunks that do not overlap are made of it, and values of `T` may go to other threads.
    unsafe impl<T: Send> Sync for First<T> {}
    impl<T> First<T> {
        const fn at(&self, index: usize) -> *mut T {
            self.0.wrapping_add(index)
        }
    }

    let (first, len) = (First(slice.as_mut_ptr()), slice.len());
    run(len.div_ceil(size), &|part| {
        let start = part * size;
        #[expect(unsafe_code, reason = "threads write chunks of one slice")]
        // SAFETY: inside the slice, which is borrowed by this call alone; each part is done once, and parts don't overlap.
        let chunk = unsafe { std::slice::from_raw_parts_mut(first.at(start), size.min(len - start)) };
        work(part, chunk);
    });
}

/// How large chunks should be of `len` things, so that every thread has some, and none so few that it isn't worth it. There
/// are more chunks than threads, so that a slow one holds nobody up.
#[must_use]
pub fn fair(len: usize, least: usize) -> usize {
    let chunks = match threads() {
        1 => 1,
        threads => 2 * threads,
    };
    len.div_ceil(chunks).max(least).max(1)
}
