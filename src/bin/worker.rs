//! The web worker: everything that computes or keeps. `worker_loader.js` starts it, and its helpers, which only compute.

fn main() {
    if !fledge::worker::threads::is_helper() {
        fledge::worker::run();
    }
}
