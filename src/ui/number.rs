//! One number with its bounds: a spin button that never loses what is being typed.

use leptos::prelude::*;

/// What a number is and may be.
#[derive(Clone, Copy)]
pub struct Number {
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    pub min: f64,
    pub max: f64,
    pub step: f64,
}

/// A labelled spin button. What is out of bounds is marked and not taken over.
#[component]
pub fn NumberField(
    number: Number,
    #[prop(into)] value: Signal<f64>,
    set: impl Fn(f64) + 'static,
    #[prop(into, optional)] disabled: Signal<bool>,
) -> impl IntoView {
    let Number {
        name,
        about,
        min,
        max,
        step,
    } = number;
    let id = name.to_lowercase().replace([' ', '-'], "_");
    let about_id = format!("{id}_about");
    let value = Memo::new(move |_| value.get());
    let invalid = RwSignal::new(false);
    let typed = move |event| match event_target_value(&event).trim().parse::<f64>() {
        Ok(typed) if (min..=max).contains(&typed) => {
            invalid.set(false);
            set(typed);
        }
        Ok(_) | Err(_) => invalid.set(true),
    };
    // On leaving the field, what is in force is shown again.
    let settled = move |event: leptos::ev::Event| {
        invalid.set(false);
        event_target::<web_sys::HtmlInputElement>(&event).set_value(&value.get_untracked().to_string());
    };
    view! {
        <div class="number">
            <label for=id.clone()>{name}</label>
            <input
                id=id
                type="number"
                inputmode="decimal"
                min=min.to_string()
                max=max.to_string()
                step=step.to_string()
                aria-describedby=about_id.clone()
                aria-invalid=move || invalid.get().then_some("true")
                disabled=disabled
                prop:value=move || value.get().to_string()
                on:input=typed
                on:change=settled
            />
            <p class="about-number" id=about_id>{about}</p>
        </div>
    }
}
