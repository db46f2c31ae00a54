//! What the last lesson changed.

use leptos::prelude::*;

use crate::protocol::{Lesson, LessonKind, Step};
use crate::timeline::Node;
use crate::ui::desk::Desk;
use crate::view::{Phase, words};

/// The last lesson in force: what it said, how long it took, what the model writes now.
#[component]
pub fn LastLesson() -> impl IntoView {
    let desk = Desk::here();
    let taught = desk.read(|state| {
        // What came from a file has no before and after of its own.
        let node = state
            .last_lesson()
            .filter(|node| node.lesson.kind != LessonKind::Imported)?
            .clone();
        let first = node.lesson.posts.first()?;
        let before = state.posts.iter().find(|post| post.id == first.post)?;
        // What the model wrote itself: of an edit, the text that it replaces.
        let id = before.edit_of.unwrap_or(before.id);
        let text = state.posts.iter().find(|post| post.id == id)?.text.clone();
        Some((state.content, text, node))
    });
    let comparing = desk.read(|state| state.comparing);
    let watching = desk.read(|state| state.watching);
    let after = move |node, before: &str, lesson: &Lesson| match &lesson.after {
        Some(after) if after == before => "The same, word for word.".to_owned(),
        Some(after) => after.clone(),
        None if comparing.get() == Some(node) => "Being written …".to_owned(),
        None => "Was not written.".to_owned(),
    };
    view! {
        <section class="lesson" aria-labelledby="lesson-title">
            <h2 id="lesson-title">"Last lesson"</h2>
            {move || match taught.get() {
                None => view! {
                    <p class="empty">"What a lesson changes is shown here: the same text, before and after."</p>
                }
                .into_any(),
                Some((content, before, Node { id, lesson, .. })) => view! {
                    <p>{format!("Lesson {id}, {}. {}", words::taught_from(content, &lesson), words::verdict(&lesson))}</p>
                    <p class="fact">
                        {words::lesson_effort(&lesson)} ". It now finds "
                        {if lesson.posts.len() > 1 { "the first of them".to_owned() } else { format!("that {}", content.noun()) }} " "
                        <strong>{lesson.posts.first().map(words::likelier_words)}</strong> ", word for word."
                        {words::practice(content, &lesson).map(|sentence| format!(" {sentence}"))}
                        {move || (watching.get() == Some(id)).then_some(" The guard rails are being watched …")}
                    </p>
                    <dl class="compare">
                        <dt>"Before"</dt>
                        <dd>{before.clone()}</dd>
                        <dt>"After, same seed"</dt>
                        <dd>{after(id, &before, &lesson)}</dd>
                    </dl>
                }
                .into_any(),
            }}
            <Details />
        </section>
    }
}

/// The numbers of the lesson that is being taught, or of the last one, for the curious.
#[component]
fn Details() -> impl IntoView {
    let desk = Desk::here();
    let numbers = desk.read(|state| {
        if state.phase == Phase::Teaching {
            return Some((state.steps.clone(), None));
        }
        let lesson = &state.last_lesson()?.lesson;
        let coefficients = lesson.posts.iter().map(|taught| format!("{:+.2}", taught.coefficient));
        Some((lesson.steps.clone(), Some(coefficients.collect::<Vec<_>>().join(", "))))
    });
    let formula = move || {
        let (_, coefficient) = numbers.get()?;
        let formula = format!("loss = mean of c · mean(−log p) + KL weight · KL, c = {}", coefficient?);
        Some(view! { <p class="formula">{formula}</p> })
    };
    let rows = move || {
        numbers
            .get()
            .map(|(steps, _)| steps.into_iter().map(row).collect_view())
    };
    view! {
        <details class="fold" hidden=move || numbers.with(Option::is_none)>
            <summary>"Details"</summary>
            {formula}
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

fn row(step: Step) -> impl IntoView {
    view! {
        <tr>
            <th scope="row">{step.number}</th>
            <td>{format!("{:.3}", step.loss)}</td>
            <td>{format!("{:.2}", step.gradient_norm)}</td>
            <td>{format!("{:.4}", step.kl)}</td>
            <td>{format!("{:.0}", step.millis)}</td>
        </tr>
    }
}
