//! The page.

fn main() {
    fledge::ui::start();
}
