//! Four ratings, and how much each counts.

use leptos::prelude::*;

use crate::feedback::{Metric, Stars};
use crate::ui::desk::Desk;
use crate::ui::keys;
use crate::ui::teach::TeachPanel;
use crate::ui::teaching::TeachingFold;
use crate::view::{ViewState, words};

/// The four metrics, the reward, and Teach.
#[component]
pub fn RatingPanel() -> impl IntoView {
    let keeping = Desk::here().read(ViewState::is_keeping_ratings);
    let metrics = Metric::ALL.map(|metric| view! { <MetricRow metric /> });
    view! {
        <section class="rate" aria-labelledby="rate-title">
            <h2 id="rate-title" class="unseen">"Rate what was written"</h2>
            <div class="metrics" aria-busy=move || keeping.get().then_some("true")>{metrics}</div>
            <Reweighted />
            <TeachPanel />
            <TeachingFold />
        </section>
    }
}

/// Where the weights have changed since lessons were taught: the offer to teach those ratings once more.
#[component]
fn Reweighted() -> impl IntoView {
    let desk = Desk::here();
    let offer = desk.read(|state| {
        let count = state.reweighted();
        (count > 0).then(|| words::reweighted(state.content, count))
    });
    let idle = desk.read(ViewState::is_idle);
    move || {
        offer.get().map(|offer| {
            view! {
                <p class="reweighted">
                    {offer} " "
                    <button
                        class="quiet"
                        type="button"
                        aria-disabled=move || (!idle.get()).then_some("true")
                        on:click=move |_| desk.teach_reweighted()
                    >
                        "Teach them again"
                    </button>
                </p>
            }
        })
    }
}

/// One metric: its five ratings and its weight.
#[component]
fn MetricRow(metric: Metric) -> impl IntoView {
    let desk = Desk::here();
    let rateable = desk.read(|state| state.rateable().is_some());
    // While a post is being written, the sheet shows that one: it has no ratings yet.
    let rating = desk.read(move |state| match (&state.draft, state.current()) {
        (None, Some(post)) => state.shown(post).get(metric),
        (Some(_), _) | (None, None) => None,
    });
    let filled_in = desk.read(move |state| match (&state.draft, state.current()) {
        (None, Some(post)) => state.filled_in(post).get(metric).is_some(),
        (Some(_), _) | (None, None) => false,
    });
    let current = move || rateable.get() && desk.metric.get() == metric;
    let id = metric.name().to_lowercase();
    let (legend_id, question_id) = (format!("{id}-legend"), format!("{id}-question"));

    let stars = Stars::all()
        .map(|stars| {
            view! {
                <label class="star">
                    <input
                        type="radio"
                        id=keys::radio_id(metric, stars)
                        name=id.clone()
                        value=stars.count()
                        prop:checked=move || rating.get() == Some(stars)
                        on:change=move |_| {
                            desk.rate(metric, stars);
                        }
                        // What was filled in is confirmed by choosing it.
                        on:click=move |_| {
                            if filled_in.get_untracked() {
                                desk.rate(metric, stars);
                            }
                        }
                    />
                    <span>{stars.count()}</span>
                </label>
            }
        })
        .collect_view();

    let weights = move || desk.preferences.with(|preferences| preferences.weights);
    let weight = Memo::new(move |_| weights().get(metric).round());
    let percent = Memo::new(move |_| (weights().share(metric) * 100.0).round());
    let set_weight = move |event| {
        if let Ok(weight) = event_target_value(&event).parse() {
            desk.preferences
                .update(|preferences| preferences.weights.set(metric, weight));
        }
    };

    view! {
        <div class="metric" class:current=current class:filled-in=move || filled_in.get()>
            <fieldset
                role="radiogroup"
                aria-labelledby=legend_id.clone()
                aria-describedby=question_id.clone()
                disabled=move || !rateable.get()
                on:focusin=move |_| desk.metric.set(metric)
            >
                <legend id=legend_id.clone()>{metric.name()}</legend>
                <p class="question" id=question_id.clone()>
                    {metric.question()}
                    {move || filled_in.get().then_some(" (filled in)")}
                </p>
                <div class="stars">{stars}</div>
            </fieldset>
            <div class="weight">
                <input
                    class="slider"
                    type="range"
                    min="0"
                    max="100"
                    step="1"
                    aria-label=format!("{} weight", metric.name())
                    aria-valuetext=move || format!("{} percent of the reward", percent.get())
                    prop:value=move || weight.get().to_string()
                    style:--value=move || format!("{}%", weight.get())
                    on:input=set_weight
                />
                <span class="share" aria-hidden="true">{move || format!("{} %", percent.get())}</span>
            </div>
        </div>
    }
}
