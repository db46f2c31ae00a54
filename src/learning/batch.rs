//! Texts laid out for teaching, several in one pass: a text's tokens are predicted from prompt and text, the prompt's own are
//! not.

use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::Error;
use super::loss::{self, Evaluation, Reading, Reference};
use crate::engine::{Adapter, Completion, Model};

/// Some texts, side by side. Shorter ones are padded at their end, where nothing looks back from.
pub struct Batch {
    /// Prompt and text without its last token, `[b, t]`.
    inputs: Tensor,
    texts: Vec<Place>,
}

/// Where a text lies.
struct Place {
    /// Its tokens, `m` of them.
    targets: Arc<[u32]>,
    /// Position in `inputs` that predicts the first of them.
    start: usize,
}

impl Batch {
    /// Lays texts out.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a Completion>, n_positions: usize) -> Result<Self, Error> {
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        for Completion { prompt_ids, ids, .. } in texts {
            if ids.is_empty() || prompt_ids.is_empty() {
                return Err(Error::EmptyPost);
            }
            let mut row = [prompt_ids.as_slice(), ids].concat();
            row.pop();
            if row.len() > n_positions {
                return Err(Error::TooLong(n_positions));
            }
            places.push(Place {
                targets: ids.as_slice().into(),
                start: prompt_ids.len() - 1,
            });
            rows.push(row);
        }
        let t = rows.iter().map(Vec::len).max().ok_or(Error::EmptyPost)?;
        let b = rows.len();
        for row in &mut rows {
            row.resize(t, 0);
        }
        Ok(Self {
            inputs: Tensor::from_vec(rows.concat(), (b, t), &Device::Cpu)?,
            texts: places,
        })
    }

    /// Hidden states at each position that predicts a token of a text, `[m, n]` for each.
    pub fn hidden(&self, model: &Model, adapter: Option<&Adapter>) -> Result<Vec<Tensor>, Error> {
        let hidden = model.gpt2().hidden(&self.inputs, adapter)?; // [b, t, n]
        let of_text = |(row, Place { targets, start }): (usize, &Place)| -> Result<Tensor, Error> {
            Ok(hidden.get(row)?.narrow(0, *start, targets.len())?)
        };
        self.texts.iter().enumerate().map(of_text).collect()
    }

    /// The untaught model at the texts' positions.
    pub fn references(&self, model: &Model) -> Result<Vec<Reference>, Error> {
        let hidden = self.hidden(model, None)?;
        Ok(hidden.iter().map(Reference::new).collect::<Result<_, _>>()?)
    }

    /// How far another adapter, or none, is from this one: for each text, the mean divergence per token.
    pub fn divergences(&self, model: &Model, adapter: &Adapter, other: Option<&Adapter>) -> Result<Vec<f64>, Error> {
        let other = self.hidden(model, other)?;
        let other: Vec<Reference> = other.iter().map(Reference::new).collect::<Result<_, _>>()?;
        let readings = self.read(model, Some(adapter), &other)?;
        Ok(readings.into_iter().map(|reading| reading.kl).collect())
    }

    /// What hidden states say of each text, with gradients.
    pub fn evaluate(
        &self,
        model: &Model,
        hidden: &[Tensor],
        references: &[Reference],
    ) -> Result<Vec<Evaluation>, Error> {
        let texts = self.texts.iter().zip(hidden).zip(references);
        let evaluate = |((text, hidden), reference): ((&Place, &Tensor), &Reference)| {
            Evaluation::new(model.gpt2().head(), hidden, &text.targets, Some(reference))
        };
        Ok(texts.map(evaluate).collect::<Result<_, _>>()?)
    }

    /// What a model with an adapter says of each text.
    pub fn read(
        &self,
        model: &Model,
        adapter: Option<&Adapter>,
        references: &[Reference],
    ) -> Result<Vec<Reading>, Error> {
        self.readings(model, &self.hidden(model, adapter)?, references)
    }

    fn readings(&self, model: &Model, hidden: &[Tensor], references: &[Reference]) -> Result<Vec<Reading>, Error> {
        let texts = self.texts.iter().zip(hidden).enumerate();
        let read = |(at, (text, hidden)): (usize, (&Place, &Tensor))| {
            loss::read(model.gpt2().head(), hidden, &text.targets, references.get(at))
        };
        Ok(texts.map(read).collect::<Result<_, _>>()?)
    }
}
