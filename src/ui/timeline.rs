//! All lessons: which are in force, what each was taught from, and the ways between them.

use leptos::prelude::*;

use crate::timeline::{Node, NodeId, ROOT, Timeline};
use crate::ui::desk::Desk;
use crate::view::{Place, ViewState, words};

/// A lesson as the list shows it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four things that may be true of a lesson, or not"
)]
#[derive(Clone, PartialEq, Eq, Hash)]
struct Entry {
    id: NodeId,
    name: String,
    about: String,
    /// How many branches lie to its left.
    indent: usize,
    in_force: bool,
    here: bool,
    reachable: bool,
    broken: bool,
}

/// The lessons as a tree, each branch under the lesson that it leaves: the newest branch goes on in the line.
#[component]
pub fn Lessons() -> impl IntoView {
    let desk = Desk::here();
    let entries = desk.read(|state| entries(&state.timeline, |node| words::taught_from(state.content, &node.lesson)));
    let problem = desk.read(|state| state.problem_at(Place::Timeline).map(str::to_owned));
    let sentence = desk.read(|state| words::snapshots(&state.timeline));
    let empty = Memo::new(move |_| entries.with(|entries| entries.len() < 2));
    view! {
        <section class="lessons" aria-labelledby="lessons-title">
            <h2 id="lessons-title">"Lessons"</h2>
            <Strength />
            <p role="alert" class="problem">{problem}</p>
            {move || empty.get().then(|| view! {
                <p class="empty">"Every lesson stands here. You can go back to any of them, and on from there."</p>
            })}
            <details class="fold" hidden=empty>
                <summary>{move || entries.with(|entries| heading(entries))}</summary>
                <ol class="tree">
                    <For each=move || entries.get() key=Clone::clone let:entry>
                        <Lesson entry />
                    </For>
                </ol>
                <p class="fact">{sentence}</p>
            </details>
        </section>
    }
}

fn heading(entries: &[Entry]) -> String {
    let here = entries.iter().find(|entry| entry.here);
    let count = entries.len() - 1;
    match here {
        Some(Entry { id: ROOT, .. }) | None => format!("None of {count} in force"),
        Some(entry) => {
            let in_force = entries
                .iter()
                .filter(|entry| entry.in_force && entry.id != ROOT)
                .count();
            format!("{in_force} of {count} in force, up to {}", title(entry))
        }
    }
}

fn title(entry: &Entry) -> String {
    match (entry.id, entry.name.as_str()) {
        (ROOT, _) => "Untaught".into(),
        (id, "") => format!("lesson {id}"),
        (id, name) => format!("lesson {id}, “{name}”"),
    }
}

/// One lesson, and what can be done with it.
#[component]
fn Lesson(entry: Entry) -> impl IntoView {
    let desk = Desk::here();
    let id = entry.id;
    let naming = RwSignal::new(false);
    let idle = desk.read(ViewState::is_idle);
    let label = title(&entry);
    let about = [
        Some(entry.about.as_str()),
        entry.here.then_some("in force"),
        entry.broken.then_some("broke a guard rail"),
        (!entry.reachable).then_some("its state is not kept any more"),
    ];
    let about = about.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let go = (!entry.here && entry.reachable).then(|| {
        let label = label.clone();
        view! {
            <button
                class="quiet"
                type="button"
                aria-label=format!("Go there: {label}")
                aria-disabled=move || (!idle.get()).then_some("true")
                on:click=move |_| desk.go(id)
            >
                "Go there"
            </button>
        }
    });
    let change = (id != ROOT).then(|| {
        let (name, delete) = (format!("Name {label}"), format!("Delete {label}"));
        view! {
            <button class="quiet" type="button" aria-label=name on:click=move |_| naming.update(|naming| *naming = !*naming)>
                "Name"
            </button>
            <button
                class="quiet"
                type="button"
                aria-label=delete
                aria-disabled=move || (!idle.get()).then_some("true")
                on:click=move |_| desk.delete_lesson(id)
            >
                "Delete"
            </button>
        }
    });
    let name = entry.name.clone();
    let field = move || {
        let name = name.clone();
        naming.get().then(|| {
            view! {
                <input
                    class="lesson-name"
                    type="text"
                    maxlength="60"
                    aria-label=format!("Name of lesson {id}")
                    value=name
                    autofocus
                    on:change=move |event| {
                        desk.name_lesson(id, event_target_value(&event));
                        naming.set(false);
                    }
                />
            }
        })
    };
    view! {
        <li class="node" class:in-force=entry.in_force class:here=entry.here style:--indent=entry.indent.to_string()>
            <span class="node-title">{label}</span>
            <span class="node-about">{about}</span>
            <span class="node-buttons">{go} {change}</span>
            {field}
        </li>
    }
}

/// How strongly what was taught counts, live: the next text is written so.
#[component]
fn Strength() -> impl IntoView {
    let desk = Desk::here();
    let strength = Memo::new(move |_| desk.preferences.with(|preferences| preferences.strength));
    let set = move |event| {
        if let Ok(strength) = event_target_value(&event).parse() {
            desk.preferences.update(|preferences| preferences.strength = strength);
        }
    };
    let said = move || match (strength.get() * 100.0).round() {
        0.0 => "untaught".to_owned(),
        percent => format!("{percent} %"),
    };
    view! {
        <div class="strength">
            <label for="strength">"Strength"</label>
            <input
                id="strength"
                class="slider"
                type="range"
                min="0"
                max="1.5"
                step="0.05"
                aria-valuetext=said
                prop:value=move || strength.get().to_string()
                style:--value=move || format!("{}%", strength.get() / 1.5 * 100.0)
                on:input=set
            />
            <span class="share">{said}</span>
        </div>
    }
}

/// The untaught model and every lesson, each after its parent. Of several that follow one, the older ones are branches.
fn entries(timeline: &Timeline, about: impl Fn(&Node) -> String) -> Vec<Entry> {
    let in_force = timeline.path_to(timeline.at());
    let mut entries = vec![Entry {
        id: ROOT,
        name: String::new(),
        about: "what the model was on the first day".into(),
        indent: 0,
        in_force: true,
        here: timeline.at() == ROOT,
        reachable: true,
        broken: false,
    }];
    // What is still to be listed, the next one last: a lesson and its indent.
    let mut left = followers(timeline, ROOT, 0);
    while let Some((node, indent)) = left.pop() {
        entries.push(Entry {
            id: node.id,
            name: node.name.clone(),
            about: about(node),
            indent,
            in_force: in_force.contains(&node.id),
            here: timeline.at() == node.id,
            reachable: timeline.can_go(node.id),
            broken: node.lesson.breach.is_some(),
        });
        left.extend(followers(timeline, node.id, indent));
    }
    entries
}

/// The lessons after one, the newest first, which goes on in the line; the others are listed before it, further in.
fn followers(timeline: &Timeline, id: NodeId, indent: usize) -> Vec<(&Node, usize)> {
    let all: Vec<&Node> = timeline.nodes().filter(|node| node.parent == id).collect();
    let newest = all.iter().map(|node| node.id).max();
    let indented = all
        .iter()
        .rev()
        .map(|node| (*node, if Some(node.id) == newest { indent } else { indent + 1 }));
    indented.collect()
}
