//! Steps with their texts taken apart, so that a master need not know what a placeholder looks like.

use std::collections::HashMap;

use super::document::{Pairs, Step, Text};
use super::transfer;
use crate::plan::placeholder::{self, Piece, pieces};
use crate::plan::{Condition, LowerError, ProcedureStep};

pub(super) fn taken_apart(procedure_step: ProcedureStep, texts: &mut Texts) -> Result<Step, LowerError> {
    let ProcedureStep { step, only_if, .. } = procedure_step;
    let failed = |error| LowerError::Placeholder { step: step.name.clone(), error };
    let mut run = step.run.iter().map(|part| texts.take_apart(part)).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let follow =
        step.follow.iter().map(|path| texts.take_apart(path)).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let directory = texts.take_apart(&step.directory).map_err(failed)?;
    let environment = step.environment.iter().map(|(name, value)| Ok((name.clone(), texts.take_apart(value)?)));
    Ok(Step {
        upload: transfer::upload(&run),
        download: transfer::download(&mut run),
        run,
        directory,
        environment: Pairs(environment.collect::<Result<_, _>>().map_err(failed)?),
        only_if: only_if.as_ref().map(variant),
        phase: step.phase,
        write: step.write,
        infrastructure: step.infrastructure,
        idle_timeout: step.idle_timeout,
        timeout: step.timeout,
        on_failure: step.on_failure,
        always_run: step.always_run,
        name: step.name,
        template: step.template,
        help: step.help,
        lock: step.lock,
        permanent: step.permanent,
        property: step.property,
        keep: step.keep,
        follow,
    })
}

/// What settings and steps call a condition.
pub(super) fn variant(condition: &Condition) -> String {
    format!("{}.{}={}", condition.capability, condition.option, condition.is)
}

pub(super) fn text(text: &str) -> Result<Text, placeholder::Error> {
    let mut pieces = pieces(text)?;
    Ok(match pieces.as_mut_slice() {
        [] => Text::Plain(String::new()),
        [Piece::Literal(literal)] => Text::Plain(std::mem::take(literal)),
        _ => Text::Pieces(pieces),
    })
}

/// Texts with placeholders, each taken apart once: steps of all builders have the same few.
#[derive(Default)]
pub(super) struct Texts(HashMap<String, Text>);

impl Texts {
    fn take_apart(&mut self, whole: &str) -> Result<Text, placeholder::Error> {
        if !whole.contains("${") {
            return Ok(Text::Plain(whole.to_owned()));
        }
        if let Some(known) = self.0.get(whole) {
            return Ok(known.clone());
        }
        let made = text(whole)?;
        self.0.insert(whole.to_owned(), made.clone());
        Ok(made)
    }
}
