//! The screen: what goes where.

use leptos::prelude::*;

use crate::ui::curve::Curve;
use crate::ui::desk::Desk;
use crate::ui::dialogs::{ForgetDialog, KeysDialog, Open};
use crate::ui::header::Header;
use crate::ui::history::History;
use crate::ui::keys;
use crate::ui::lesson::LastLesson;
use crate::ui::offline::{NewVersion, Offline};
use crate::ui::post::PostSheet;
use crate::ui::prompt::Prompt;
use crate::ui::proof::{Proof, ProofDialog};
use crate::ui::rater::AutomaticRater;
use crate::ui::rating::RatingPanel;
use crate::ui::settings::SettingsDialog;
use crate::ui::status::{Keeping, StatusLine};
use crate::ui::timeline::Lessons;
use crate::ui::travel::{Picker, TastePicker, Travel};

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    let desk = Desk::open();
    let open = Open::default();
    provide_context(open);
    provide_context(Picker::default());
    keys::listen(desk, open);
    Offline::open(desk);

    let phase = desk.read(|state| state.phase);
    Effect::new(move |_| set_on_root("data-fledge", phase.get().name()));
    let theme = Memo::new(move |_| desk.preferences.with(|preferences| preferences.theme));
    Effect::new(move |_| set_on_root("data-theme", theme.get().name()));

    view! {
        <Header />
        <main class="desk">
            <div class="work">
                <Prompt />
                <StatusLine />
                <NewVersion />
                <PostSheet />
                <RatingPanel />
                <Keeping />
            </div>
            <aside class="record" aria-label="What has been learned">
                <Curve />
                <LastLesson />
                <Lessons />
                <Proof />
                <AutomaticRater />
                <Travel />
                <History />
            </aside>
        </main>
        <SettingsDialog />
        <ForgetDialog />
        <KeysDialog />
        <ProofDialog />
        <TastePicker />
    }
}

fn set_on_root(attribute: &str, value: &str) {
    let set = document()
        .document_element()
        .map(|root| root.set_attribute(attribute, value));
    if let Some(Err(error)) = set {
        leptos::logging::warn!("{attribute} could not be set: {error:?}");
    }
}
