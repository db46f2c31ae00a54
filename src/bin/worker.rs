//! The web worker: everything that computes or keeps. `worker_loader.js` starts it.

fn main() {
    fledge::worker::run();
}
