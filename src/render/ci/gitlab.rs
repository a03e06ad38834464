//! The farm as a child pipeline of GitLab CI. Jobs come in, the text of a YAML file goes out.

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::header::Header;
use super::script::{self, CACHES, PLANS, PROGRAMS, REPORTS};
use super::stand_in::{HOST, USER};
use super::yaml::yaml;
use super::{Job, Jobs, Program};

/// What the slave is called that stands for a job.
pub const SLAVE: &str = "gitlab-ci";

/// GitLab refuses the whole file if a job's limit is more than a month; no month is shorter than these minutes.
const MOST_MINUTES: u64 = 28 * 24 * 60;

/// The longest name of a job.
const LONGEST_NAME: usize = 255;

/// Names that are keywords at a pipeline's top.
const RESERVED: [&str; 18] = [
    "after_script",
    "before_script",
    "cache",
    "default",
    "false",
    "image",
    "include",
    "nil",
    "pages",
    "pages:deploy",
    "services",
    "spec",
    "stage",
    "stages",
    "true",
    "types",
    "variables",
    "workflow",
];

/// What is said once for all jobs; names of jobs never begin so.
const COMMON: &str = ".builder";

/// What a pipeline is made with beside its jobs.
#[derive(Debug)]
pub struct Pipeline<'a> {
    /// Where farmout comes from.
    pub program: Program<'a>,
    /// The variable that has the password of the jobs' PostgreSQL, if it asks for one.
    pub password: Option<&'a str>,
    /// The job of the parent pipeline that made the plans.
    pub parent: &'a str,
    /// Which runners take the jobs.
    pub tags: &'a [String],
}

impl Pipeline<'_> {
    /// The pipeline's file.
    ///
    /// # Errors
    /// What JSON cannot hold, which would be a mistake of farmout.
    pub fn render(&self, jobs: &Jobs) -> Result<String, serde_json::Error> {
        let header = Header {
            instead: &["The parent pipeline makes it anew each time.".to_owned()],
            settings: "the project's settings, CI/CD, Variables",
            plain: "a variable",
            secret: "a masked variable",
        };
        let pip = ("PIP_CACHE_DIR", format!("$CI_PROJECT_DIR/{}", script::pip_cache(SLAVE)));
        let document = Document {
            stages: jobs.jobs.iter().map(stage).collect::<IndexSet<_>>().into_iter().collect(),
            workflow: Workflow { rules: vec![Rule { condition: None, when: "always" }] },
            variables: self.program.variables().map(|(name, value)| (name, value.to_owned())).chain([pip]).collect(),
            jobs: std::iter::once((COMMON.to_owned(), Entry::Common(self.common())))
                .chain(jobs.jobs.iter().map(|job| (name(job), Entry::Builder(Box::new(self.builder(job))))))
                .collect(),
        };
        Ok(header.text(jobs, &self.program) + "\n" + &yaml(&document)?)
    }

    fn common(&self) -> Common<'_> {
        let [junit, page] = REPORTS;
        Common {
            needs: vec![Need { pipeline: "$PARENT_PIPELINE_ID", job: self.parent }],
            tags: self.tags,
            interruptible: true,
            retry: Retry {
                max: 2,
                when: vec!["api_failure", "data_integrity_failure", "runner_system_failure", "scheduler_failure"],
            },
            before_script: vec![
                script::get_farmout(&format!("export PATH=\"$PWD/{PROGRAMS}:$PATH\"")),
                script::hand_over(SLAVE),
            ],
            artifacts: Artifacts { when: "always", paths: vec![page], reports: Reports { junit } },
        }
    }

    fn builder<'a>(&'a self, job: &'a Job) -> Builder<'a> {
        let service = |image: &'a String| Service {
            name: image,
            alias: HOST,
            variables: IndexMap::from([
                ("POSTGRES_USER", USER.to_owned()),
                match self.password {
                    Some(variable) => ("POSTGRES_PASSWORD", format!("${variable}")),
                    None => ("POSTGRES_HOST_AUTH_METHOD", "trust".to_owned()),
                },
            ]),
        };
        Builder {
            extends: COMMON,
            stage: stage(job),
            image: &job.image,
            services: job.postgresql.iter().map(service).collect(),
            rules: if job.watched {
                Vec::new()
            } else {
                // No change can have come by itself for it.
                let scheduled = r#"$PARENT_PIPELINE_SOURCE == "schedule""#;
                vec![Rule { condition: Some(scheduled), when: "never" }, Rule { condition: None, when: "on_success" }]
            },
            timeout: format!("{} minutes", job.minutes(MOST_MINUTES)),
            cache: Cache {
                key: format!("{}-{}", job.plan.directory, lock(job)),
                paths: CACHES.iter().map(|inside| script::cache(SLAVE, inside)).collect(),
            },
            script: vec![script::build(&job.secrets, &format!("{PLANS}/{}.yaml", job.plan.directory))],
        }
    }
}

/// A job's name: the builder's, where GitLab takes that for a job.
fn name(job: &Job) -> String {
    /// No name of a builder that is taken as it is begins so.
    const OTHERWISE: &str = "builder ";
    let name = &job.plan.builder;
    let fine = name.len() <= LONGEST_NAME
        && !name.starts_with(['.', ' '])
        && !name.starts_with(OTHERWISE)
        && !name.chars().any(char::is_control)
        && !RESERVED.contains(&name.as_str());
    if fine { name.clone() } else { format!("{OTHERWISE}{}", job.plan.directory) }
}

/// A job's stage: the build's category. Stages do not wait for each other, as all jobs need but one of the parent's.
fn stage(job: &Job) -> String {
    match job.plan.category.as_deref().map(str::trim) {
        None | Some("") => "builds".to_owned(),
        Some(hidden) if hidden.starts_with('.') => format!("category {hidden}"),
        Some(category) => category.chars().take(LONGEST_NAME).collect(),
    }
}

/// What a cache depends on: the image, since eggs are compiled in it, and the configuration that the plan carries.
fn lock(job: &Job) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    add(&job.image);
    for file in &job.plan.files {
        add(file.path.as_str());
        add(&file.content);
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Serialize)]
struct Document<'a> {
    stages: Vec<String>,
    workflow: Workflow,
    variables: IndexMap<&'static str, String>,
    #[serde(flatten)]
    jobs: IndexMap<String, Entry<'a>>,
}

/// Without rules of its own, a pipeline for a merge request would have no jobs.
#[derive(Serialize)]
struct Workflow {
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Common(Common<'a>),
    Builder(Box<Builder<'a>>),
}

#[derive(Serialize)]
struct Common<'a> {
    needs: Vec<Need<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    interruptible: bool,
    retry: Retry,
    before_script: Vec<String>,
    artifacts: Artifacts,
}

#[derive(Serialize)]
struct Builder<'a> {
    extends: &'static str,
    stage: String,
    image: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<Service<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<Rule>,
    timeout: String,
    cache: Cache,
    script: Vec<String>,
}

#[derive(Serialize)]
struct Need<'a> {
    pipeline: &'static str,
    job: &'a str,
}

#[derive(Serialize)]
struct Retry {
    max: u8,
    when: Vec<&'static str>,
}

#[derive(Serialize)]
struct Artifacts {
    when: &'static str,
    paths: Vec<&'static str>,
    reports: Reports,
}

#[derive(Serialize)]
struct Reports {
    junit: &'static str,
}

#[derive(Serialize)]
struct Service<'a> {
    name: &'a str,
    alias: &'static str,
    variables: IndexMap<&'static str, String>,
}

#[derive(Serialize)]
struct Rule {
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    condition: Option<&'static str>,
    when: &'static str,
}

#[derive(Serialize)]
struct Cache {
    key: String,
    paths: Vec<String>,
}
