//! What is taught here goes elsewhere, and the other way round: files, pages in one file, links.

use std::rc::Rc;

use web_sys::Blob;

use super::Session;
use crate::content::ContentType;
use crate::exchange::{Taste, link};
use crate::feedback::Weights;
use crate::protocol::{Event, RequestId};
use crate::worker::parcel;
use crate::worker::problem::Problem;

impl Session {
    pub(super) fn export(&self, request: RequestId, ratings: bool, weights: Weights) -> Result<(), Problem> {
        let studio = self.studio.as_ref().ok_or(Problem::NothingOpen)?;
        let file = studio.pack(ratings, weights, js_sys::Date::now())?;
        let event = Event::Exported {
            name: parcel::name_of_file(studio, js_sys::Date::now()),
            bytes: file.len() as u64,
        };
        self.page.tell_with_files(request, event, &[file]);
        Ok(())
    }

    /// Packs what was taught to every type of text that was taught anything, the one that is chosen first.
    pub(super) async fn share(&mut self, request: RequestId, ratings: bool, weights: Weights) -> Result<(), Problem> {
        let now = js_sys::Date::now();
        let studio = self.studio.as_ref().ok_or(Problem::NothingOpen)?;
        let (model, here, name) = (
            Rc::clone(&studio.model),
            studio.content,
            parcel::name_of_page(studio, now),
        );
        let (mut contents, mut files) = (vec![here], vec![studio.pack(ratings, weights, now)?]);
        let mut lost = None;
        for content in ContentType::ALL.into_iter().filter(|content| *content != here) {
            let (studio, problem) = self.other(Rc::clone(&model), content).await;
            let packed = studio.pack(ratings, weights, now);
            self.others.push(studio);
            lost = lost.or(problem);
            match packed {
                Ok(file) => {
                    contents.push(content);
                    files.push(file);
                }
                Err(Problem::NothingToExport) => {}
                Err(problem) => return Err(problem),
            }
        }
        self.page
            .tell_with_files(request, Event::Shared { name, contents }, &files);
        lost.map_or(Ok(()), Err)
    }

    /// Reads a taste file whole and puts it aside. Nothing else changes.
    pub(super) async fn inspect(&mut self, request: RequestId, files: &[(String, Blob)]) -> Result<(), Problem> {
        self.make_room()?;
        self.parcel = None;
        let studio = self.studio.as_ref().ok_or(Problem::NothingOpen)?;
        let taste = parcel::read(files, studio).await?;
        self.put_aside(request, taste);
        Ok(())
    }

    /// The same with a link.
    pub(super) fn inspect_link(&mut self, request: RequestId, fragment: &str) -> Result<(), Problem> {
        self.make_room()?;
        self.parcel = None;
        let studio = self.studio.as_ref().ok_or(Problem::NothingOpen)?;
        let taste = link::read(fragment, &studio.model, studio.content).map_err(Problem::OpenLink)?;
        self.put_aside(request, taste);
        Ok(())
    }

    fn put_aside(&mut self, request: RequestId, taste: Taste) {
        let info = taste.info.clone();
        self.parcel = Some(taste);
        self.page.tell(request, Event::Inspected { taste: info });
    }

    pub(super) async fn import(&mut self, request: RequestId) -> Result<(), Problem> {
        self.make_room()?;
        self.postponed = None;
        let taste = self.parcel.take().ok_or(Problem::NotAtHand)?;
        let studio = self.studio.as_mut().ok_or(Problem::NothingOpen)?;
        let (posts, new, node) = studio.take_in(taste, js_sys::Date::now()).await?;
        self.page.tell(request, Event::Imported { posts, new, node });
        Ok(())
    }
}
