//! Native tests. In a browser, `trust` compares what is used with the plain kernels.

use super::checks::{Random, failures};
use super::*;

const PLAIN: &dyn Kernels = &plain::Plain;

#[test]
fn kernels_do_what_the_plainest_arithmetic_does() {
    let failures = failures();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_number_that_is_not_finite_reaches_the_result() {
    let values = Random::new(3).normals(20 * 70);
    let w = Packed::new(&values, 20, 70, Order::OutIn);
    for kernels in available() {
        for m in [1, 2] {
            let mut x = Random::new(4).normals(m * 70);
            x[65] = f32::INFINITY;
            let (mut activations, mut y) = (Activations::default(), vec![0.0; m * 20]);
            kernels.round(&x, m, 70, &mut activations);
            kernels.matmul(&w, &activations, &mut y);
            assert!(y[..20].iter().all(|y| !y.is_finite()), "{}", kernels.name());
            assert!(y[20..].iter().all(|y| y.is_finite()), "{}", kernels.name());
        }
    }
}

#[test]
fn panels_are_computed_apart() {
    let values = Random::new(5).normals(50 * 64);
    let w = Packed::new(&values, 50, 64, Order::OutIn);
    let (x, mut activations) = (Random::new(6).normals(3 * 64), Activations::default());
    best().round(&x, 3, 64, &mut activations);
    let (mut whole, mut parts) = (vec![0.0; 150], vec![0.0; 150]);
    best().matmul(&w, &activations, &mut whole);
    let target = Target::new(&mut parts, 3, 50);
    for panels in [0..1, 1..4] {
        #[expect(unsafe_code, reason = "nothing else writes meanwhile")]
        // SAFETY: one after the other.
        unsafe {
            best().matmul_panels(&w, &activations, panels, &target);
        }
    }
    assert_eq!(whole, parts);
}

/// The plain kernels, except that the inputs of a product count as ones.
#[derive(Debug)]
struct Broken;

impl Kernels for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn round(&self, x: &[f32], m: usize, k: usize, to: &mut Activations) {
        PLAIN.round(x, m, k, to);
    }

    #[expect(unsafe_code, reason = "passed on")]
    unsafe fn matmul_panels(&self, w: &Packed, x: &Activations, panels: Range<usize>, y: &Target) {
        let mut ones = Activations::default();
        self.round(&vec![1.0; x.tokens() * x.inputs()], x.tokens(), x.inputs(), &mut ones);
        // SAFETY: the caller's promise.
        unsafe { PLAIN.matmul_panels(w, &ones, panels, y) }
    }

    fn round_rows(&self, x: &[f32], m: usize, k: usize, to: &mut Activations) {
        PLAIN.round_rows(x, m, k, to);
    }

    fn scores(&self, keys: &Heads<Block>, queries: &Activations, scores: &mut [[f32; PANEL]]) {
        PLAIN.scores(keys, queries, scores);
    }

    fn round_gradient(&self, w: &Packed, dy: &[f32], m: usize, to: &mut Activations) {
        PLAIN.round_gradient(w, dy, m, to);
    }

    fn grad_input_rounded(
        &self,
        w: &Packed,
        dy: &Activations,
        groups: Range<usize>,
        dx: &mut [f32],
        scratch: &mut Scratch,
    ) {
        PLAIN.grad_input_rounded(w, dy, groups, dx, scratch);
    }

    fn gemm_rows(&self, a: View, b: View, rows: Range<usize>, c: &mut [f32], scratch: &mut Scratch) {
        PLAIN.gemm_rows(a, b, rows, c, scratch);
    }
}

#[test]
fn kernels_that_are_wrong_here_are_not_used() {
    assert_eq!(trust::first_right(&[&Broken, PLAIN]).name(), "plain");
    assert_eq!(trust::first_right(available()).name(), available()[0].name());
}
