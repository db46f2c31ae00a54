//! One of a few choices that stand side by side: a radio button that looks like a segment.

use leptos::prelude::*;

/// A segment. Those of one `group` belong together.
#[component]
pub fn Segment(
    group: &'static str,
    name: &'static str,
    #[prop(into)] checked: Signal<bool>,
    choose: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <label class="segment">
            <input type="radio" name=group value=name prop:checked=checked on:change=move |_| choose() />
            <span>{name}</span>
        </label>
    }
}
