//! The reward curve: each rated post a dot, the running mean a line, the untaught model's mean a dashed line.

use leptos::prelude::*;

use crate::content::ContentType;
use crate::ui::desk::Desk;
use crate::view::curve::{Point, points, sentence, untaught_mean};

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 168.0;
const LEFT: f64 = 30.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
/// Posts that have room from the start, so that the first dots stay where they are.
const ROOM: usize = 8;

/// Where the `index`th of `count` posts stands.
fn x(index: usize, count: usize) -> f64 {
    let slots = count.max(ROOM) as f64;
    LEFT + (index as f64 + 0.5) / slots * (WIDTH - LEFT - RIGHT)
}

/// Where a reward stands.
fn y(reward: f64) -> f64 {
    TOP + (1.0 - reward) * (HEIGHT - TOP - BOTTOM)
}

/// The running mean as a path.
fn mean_path(points: &[Point]) -> String {
    let count = points.len();
    let corner = |(index, point): (usize, &Point)| {
        let verb = if index == 0 { 'M' } else { 'L' };
        format!("{verb}{:.1} {:.1}", x(index, count), y(point.running_mean))
    };
    points.iter().enumerate().map(corner).collect()
}

/// The curve, its sentence and its table. On narrow screens the picture folds to a sparkline.
#[component]
pub fn Curve() -> impl IntoView {
    let desk = Desk::here();
    let points = Memo::new(move |_| {
        let weights = desk.preferences.with(|preferences| preferences.weights);
        desk.state.with(|state| points(&state.posts, &weights))
    });
    let content = desk.read(|state| state.content);
    let unfolded = RwSignal::new(false);
    view! {
        <section class="curve" class:unfolded=unfolded aria-labelledby="curve-title">
            <h2 id="curve-title">"Reward"</h2>
            <button
                class="quiet unfold"
                type="button"
                aria-expanded=move || unfolded.get().to_string()
                aria-controls="curve-picture"
                on:click=move |_| unfolded.update(|unfolded| *unfolded = !*unfolded)
            >
                {move || if unfolded.get() { "Fold" } else { "Unfold" }}
            </button>
            <div id="curve-picture" class="picture">
                {move || points.with(|points| picture(content.get(), points))}
            </div>
            <p class="curve-sentence">{move || points.with(|points| sentence(content.get(), points))}</p>
            <div class="curve-more">
                <ul class="key" aria-hidden="true">
                    <li class="key-untaught">"untaught"</li>
                    <li class="key-taught">"taught"</li>
                    <li class="key-mean">"mean"</li>
                    <li class="key-base">"untaught mean"</li>
                </ul>
                <details class="fold">
                    <summary>"As a table"</summary>
                    {move || points.with(|points| table(content.get(), points))}
                </details>
            </div>
        </section>
    }
}

fn picture(content: ContentType, points: &[Point]) -> impl IntoView + use<> {
    let count = points.len();
    let grid = [0.0, 0.5, 1.0].map(|reward| {
        view! {
            <line class="grid" x1=LEFT x2=WIDTH - RIGHT y1=y(reward) y2=y(reward) />
            <text class="tick" x=LEFT - 8.0 y=y(reward) text-anchor="end" dominant-baseline="central">{reward.to_string()}</text>
        }
    });
    let base = untaught_mean(points).map(|mean| {
        view! { <line class="base" x1=LEFT x2=WIDTH - RIGHT y1=y(mean) y2=y(mean) /> }
    });
    let dots = points
        .iter()
        .enumerate()
        .map(|(index, point)| {
            let title = format!("{}: {:.2}", content.numbered(point.post), point.reward);
            view! {
                <circle class="dot" class:untaught=point.untaught cx=x(index, count) cy=y(point.reward) r="4">
                    <title>{title}</title>
                </circle>
            }
        })
        .collect_view();
    let post = |index: usize, point: &Point| {
        view! { <text class="tick" x=x(index, count) y=HEIGHT - 6.0 text-anchor="middle">{point.post}</text> }
    };
    let first = points.first().map(|point| post(0, point));
    let last = points.last().filter(|_| count > 1).map(|point| post(count - 1, point));
    // The axis' title stands where no post's number does.
    let (title, anchor) = if count < 6 {
        (WIDTH - RIGHT, "end")
    } else {
        ((LEFT + WIDTH - RIGHT) / 2.0, "middle")
    };
    view! {
        <svg
            viewBox=format!("0 0 {WIDTH} {HEIGHT}")
            role="img"
            aria-label=format!("Reward of each rated {}, from 0 to 1. {}", content.noun(), sentence(content, points))
        >
            {grid}
            {base}
            <path class="mean" d=mean_path(points) />
            {dots}
            {first}
            {last}
            <text class="tick axis" x=title y=HEIGHT - 6.0 text-anchor=anchor>{format!("rated {}s, in order", content.noun())}</text>
        </svg>
    }
}

fn table(content: ContentType, points: &[Point]) -> impl IntoView + use<> {
    let rows = points
        .iter()
        .map(|point| {
            view! {
                <tr>
                    <th scope="row">{point.post}</th>
                    <td>{format!("{:.2}", point.reward)}</td>
                    <td>{format!("{:.2}", point.running_mean)}</td>
                    <td>{if point.untaught { "no" } else { "yes" }}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <table>
            <thead>
                <tr>
                    <th scope="col">{content.name()}</th>
                    <th scope="col">"Reward"</th>
                    <th scope="col">"Mean so far"</th>
                    <th scope="col">"Taught"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
}
