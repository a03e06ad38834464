//! `farmout render gitlab-ci`.

use super::ci::CiArguments;
use crate::cli::Exit;
use crate::diagnostic::Failure;
use crate::render::ci::gitlab::{Pipeline, SLAVE};

/// GitLab refuses larger files, unless its admins have set `max_yaml_size_bytes`.
const MOST_BYTES: usize = 2 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    ci: CiArguments,
    /// The job of the parent pipeline that has the plans as an artifact
    #[arg(long, value_name = "NAME", default_value = "plans")]
    parent_job: String,
    /// A tag of the runners that take the jobs (may be repeated)
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let ci = &arguments.ci;
    let compilation = ci.compile()?;
    let jobs = ci.jobs(&compilation, SLAVE)?.complete();
    ci.tell(&jobs)?;
    let pipeline = Pipeline {
        program: ci.program(),
        password: ci.password.as_deref(),
        parent: &arguments.parent_job,
        tags: &arguments.tags,
    };
    let text =
        pipeline.render(&jobs).map_err(|error| Failure::error(format!("the pipeline cannot be written: {error}")))?;
    if text.len() > MOST_BYTES {
        note!(
            "the pipeline has {} MiB, and GitLab refuses more than 2 unless its admins have raised max_yaml_size_bytes: name \
             some builders in one call and others in another",
            text.len() >> 20
        );
    }
    ci.write(&text, jobs)?;
    Ok(Exit::Fine)
}
