//! The mark: a fledgling in three strokes.

use leptos::prelude::*;

/// The mark, as large as the text beside it. Says nothing to a screen reader.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path class="mark-body" d="M3.5 22.5C9 28.5 21 29 24 19.5C26 13 23.500 7 18 7C13.500 7 11.500 10.500 12.500 14.500" />
            <path class="mark-wing" d="M3.500 22.500C6.500 17.500 13 14 19 18.500C16.500 22 12.500 23.500 8.500 22.800" />
            <path class="mark-beak" d="M24 11.200L28.500 13L24.400 15" />
            <circle class="mark-eye" cx="19" cy="11.800" r="1.300" />
        </svg>
    }
}
