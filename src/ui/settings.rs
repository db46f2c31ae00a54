//! Theme, models, keyboard, and Forget everything.

use leptos::prelude::*;

use crate::ui::desk::Desk;
use crate::ui::dialogs::{Modal, Open};
use crate::ui::models::Models;
use crate::ui::offline::OfflineNote;
use crate::ui::preferences::Theme;
use crate::ui::segment::Segment;
use crate::view::{Phase, Place};

/// The settings that belong to no single step.
#[component]
pub fn SettingsDialog() -> impl IntoView {
    let desk = Desk::here();
    let open = expect_context::<Open>();
    let theme = Memo::new(move |_| desk.preferences.with(|preferences| preferences.theme));
    let themes = Theme::ALL.map(|choice| {
        let checked = Signal::derive(move || theme.get() == choice);
        let choose = move || desk.preferences.update(|preferences| preferences.theme = choice);
        view! { <Segment group="theme" name=choice.name() checked choose /> }
    });
    let problem = desk.read(|state| state.problem_at(Place::Settings).map(str::to_owned));
    let idle = desk.read(|state| state.phase == Phase::Ready);
    view! {
        <Modal open=open.settings id="settings" title="Settings">
            <fieldset class="theme">
                <legend>"Theme"</legend>
                <div class="segments">{themes}</div>
            </fieldset>
            <Models />
            <OfflineNote />
            <h3>"Help"</h3>
            <p><button class="quiet" type="button" on:click=move |_| open.keys.set(true)>"Keyboard"</button></p>
            <h3>"Start over"</h3>
            <p class="note">"Deletes every post, rating and lesson from this browser. You are asked once more."</p>
            <p role="alert" class="problem">{problem}</p>
            <button
                class="quiet danger"
                type="button"
                disabled=move || !idle.get()
                on:click=move |_| open.forget.set(true)
            >
                "Forget everything …"
            </button>
        </Modal>
    }
}
