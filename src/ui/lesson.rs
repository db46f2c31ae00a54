//! What the last lesson changed.

use leptos::prelude::*;

use crate::protocol::Step;
use crate::ui::desk::Desk;
use crate::view::{Phase, words};

/// The last lesson in force: what it said, how long it took, what the model writes now.
#[component]
pub fn LastLesson() -> impl IntoView {
    let desk = Desk::here();
    let lesson = desk.read(|state| {
        state
            .last_lesson()
            .map(|(post, lesson)| (post.id, post.text.clone(), lesson.clone()))
    });
    let comparing = desk.read(|state| state.comparing);
    let running = desk.read(|state| (state.phase == Phase::Teaching).then(|| state.steps.clone()));
    view! {
        <section class="lesson" aria-labelledby="lesson-title">
            <h2 id="lesson-title">"Last lesson"</h2>
            {move || match lesson.get() {
                None => view! { <p class="empty">"What a lesson changes is shown here: the same post, before and after."</p> }
                    .into_any(),
                Some((post, before, lesson)) => view! {
                    <p>
                        {format!("Lesson {}, from post {post}. ", lesson.number)}
                        {words::verdict(&lesson)}
                    </p>
                    <p class="fact">
                        {words::lesson_effort(&lesson)} ". It now finds that post "
                        <strong>{words::likelier_words(&lesson)}</strong> ", word for word."
                    </p>
                    <dl class="compare">
                        <dt>"Before"</dt>
                        <dd>{before}</dd>
                        <dt>"After, same seed"</dt>
                        <dd>{match lesson.after.clone() {
                            Some(after) => after,
                            None if comparing.get() == Some(post) => "Being written …".to_owned(),
                            None => "Was not written.".to_owned(),
                        }}</dd>
                    </dl>
                    <Details steps=lesson.steps.clone() coefficient=Some(lesson.coefficient) />
                }
                .into_any(),
            }}
            {move || running.get().filter(|steps| !steps.is_empty()).map(|steps| view! {
                <p class="fact">"The lesson that is being taught:"</p>
                <Details steps coefficient=None />
            })}
        </section>
    }
}

/// The numbers, for the curious.
#[component]
fn Details(steps: Vec<Step>, coefficient: Option<f64>) -> impl IntoView {
    let rows = steps
        .into_iter()
        .map(|step| {
            view! {
                <tr>
                    <th scope="row">{step.number}</th>
                    <td>{format!("{:.3}", step.loss)}</td>
                    <td>{format!("{:.2}", step.gradient_norm)}</td>
                    <td>{format!("{:.4}", step.kl)}</td>
                    <td>{format!("{:.0}", step.millis)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <details class="fold">
            <summary>"Details"</summary>
            {coefficient.map(|coefficient| view! {
                <p class="formula">{format!("loss = {coefficient:+.2} · mean(−log p) + KL weight · KL")}</p>
            })}
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Step"</th>
                        <th scope="col">"Loss"</th>
                        <th scope="col">"Gradient"</th>
                        <th scope="col">"KL, nats"</th>
                        <th scope="col">"ms"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </details>
    }
}
