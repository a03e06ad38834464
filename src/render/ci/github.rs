//! The farm as a workflow of GitHub Actions. Jobs come in, the text of a YAML file goes out.

mod document;

use camino::Utf8Path;
use indexmap::IndexMap;

use super::header::Header;
use super::script::{self, CACHES, PLANS, PROGRAMS, REPORTS};
use super::stand_in::{HOST, USER};
use super::yaml::yaml;
use super::{Job, Jobs, Program};
use document::{
    Concurrency, Container, Defaults, Document, Entry, Input, Job as Entries, Matrix, Minutes, Permissions, Schedule,
    Service, Shell, Step, Strategy, Triggers,
};

/// What the slave is called that stands for a job.
pub const SLAVE: &str = "github-actions";

/// Where workflows are.
pub const FILE: &str = ".github/workflows/farm.yml";

/// GitHub makes no more jobs of matrices in a run.
pub const MOST: usize = 256;

/// After so many minutes GitHub ends a job on a runner of its own, whatever the file says.
const MOST_HOSTED: u64 = 6 * 60;

/// And on any other.
const MOST_MINUTES: u64 = 5 * 24 * 60;

/// The job that makes the plans for the others.
const FIRST: &str = "plans";

/// The event by which hooks of other repositories begin a run.
const ASKED_FOR: &str = "farmout";

/// What a workflow is made with beside its jobs.
#[derive(Debug)]
pub struct Workflow<'a> {
    /// The command that renders it, in the repository's root, but for where to.
    pub command: &'a str,
    /// The file that it is in, which names it.
    pub file: &'a str,
    /// Where farmout comes from.
    pub program: Program<'a>,
    /// The secret that is the password of the jobs' PostgreSQL, if it asks for one.
    pub password: Option<&'a str>,
    /// Which runners take the jobs.
    pub runs_on: &'a [String],
    /// When watched repositories are looked at, as cron has it.
    pub schedule: &'a str,
    /// How many jobs of a run there are at a time.
    pub max_parallel: Option<u32>,
}

impl Workflow<'_> {
    /// The workflow's file.
    ///
    /// # Errors
    /// What JSON cannot hold, which would be a mistake of farmout.
    pub fn render(&self, jobs: &Jobs) -> Result<String, serde_json::Error> {
        let header = Header {
            instead: &["When the farm has changed:".to_owned(), format!("  {}", self.again())],
            settings: "the repository's settings, Secrets and variables, Actions",
            plain: "a variable",
            secret: "a secret",
        };
        let inputs = Inputs::of(jobs);
        let mut entries = IndexMap::from([(FIRST.to_owned(), self.plans(&inputs))]);
        let mut last: Option<String> = None;
        for (number, group) in groups(jobs).into_iter().enumerate() {
            let name = if number == 0 { "builders".to_owned() } else { format!("builders-{}", number + 1) };
            // GitHub counts the jobs at work in each matrix for itself: so that there are no more in all, one waits for another.
            let before = last.replace(name.clone()).filter(|_| self.max_parallel.is_some());
            entries.insert(name, self.builders(&group, &inputs, before));
        }
        let watched = jobs.jobs.iter().any(|job| job.watched);
        let unset = self.program.unset().map(|(name, _)| (name, format!("${{{{ vars.{name} }}}}")));
        let set = self.program.variables().map(|(name, value)| (name, literal(value)));
        let document = Document {
            name: Utf8Path::new(self.file).file_stem().unwrap_or(self.file).to_owned(),
            on: Triggers {
                push: (),
                schedule: watched.then(|| vec![Schedule { cron: self.schedule.to_owned() }]),
                repository_dispatch: watched.then(|| IndexMap::from([("types", vec![ASKED_FOR])])),
                workflow_dispatch: inputs.declared(),
            },
            permissions: Permissions { contents: "read" },
            concurrency: Concurrency {
                // A push makes those before it pointless; what somebody has asked for it does not. Groups are the repository's,
                // and other workflows of it are none of this one's business.
                group: format!(
                    "{}-${{{{ github.event_name == 'push' && github.ref || github.run_id }}}}",
                    literal(Utf8Path::new(self.file).file_name().unwrap_or(self.file))
                ),
                cancel_in_progress: true,
            },
            defaults: Defaults { run: Shell { shell: "sh" } },
            env: set.chain(unset).collect(),
            jobs: entries,
        };
        Ok(header.text(jobs, &self.program) + "\n" + &yaml(&document)?)
    }

    /// The command that writes the file.
    pub fn again(&self) -> String {
        format!("{} -o {}", self.command, shell_words::quote(self.file))
    }

    /// The first job: the file is still the farm's, and what the others run.
    fn plans(&self, inputs: &Inputs) -> Entries {
        let given: String = inputs
            .0
            .iter()
            .map(|input| format!(" ${{{0}:+--property \"{1}=${0}\"}}", input.variable, input.property))
            .collect();
        Entries {
            runs_on: self.runs_on.to_vec(),
            timeout_minutes: Minutes::Fixed(15),
            steps: vec![
                Step::uses::<String>("actions/checkout@v4", []),
                get_farmout(),
                Step::run("Compare this file with the farm", &format!("{} --check", literal(&self.again()))),
                Step {
                    env: inputs.environment(),
                    ..Step::run("Make the plans", &format!("{} --plans {PLANS}{given}", literal(self.command)))
                },
                Step::uses("actions/upload-artifact@v4", [("name", PLANS), ("path", PLANS)]),
            ],
            ..Entries::default()
        }
    }

    /// The longest that a job can take on the runners that take it.
    fn most_minutes(&self) -> u64 {
        let hosted = self.runs_on.iter().all(|label| label.starts_with("ubuntu-"));
        if hosted { MOST_HOSTED } else { MOST_MINUTES }
    }

    /// A job for each builder of a group, once those of the group `before` are done.
    fn builders(&self, group: &[&Job], inputs: &Inputs, before: Option<String>) -> Entries {
        let first = group[0];
        let most = self.most_minutes();
        let entry = |job: &&Job| Entry {
            builder: literal(&job.plan.builder),
            plan: job.plan.directory.clone(),
            image: job.image.clone(),
            postgresql: job.postgresql.clone(),
            minutes: job.minutes(most),
        };
        let secret = |name: &String| (name.clone(), format!("${{{{ secrets.{name} }}}}"));
        let environment: IndexMap<_, _> = first.secrets.iter().map(|given| secret(&given.variable)).collect();
        Entries {
            name: Some("${{ matrix.builder }}"),
            condition: condition(first, inputs, before.is_some()),
            needs: std::iter::once(FIRST.to_owned()).chain(before).collect(),
            runs_on: self.runs_on.to_vec(),
            timeout_minutes: Minutes::Matrix("${{ matrix.minutes }}"),
            strategy: Some(Strategy {
                fail_fast: false,
                max_parallel: self.max_parallel,
                matrix: Matrix { include: group.iter().map(entry).collect() },
            }),
            container: Some(Container { image: "${{ matrix.image }}" }),
            services: first.postgresql.as_ref().map(|_| IndexMap::from([(HOST, self.service())])),
            steps: vec![
                Step::uses("actions/download-artifact@v4", [("name", PLANS), ("path", PLANS)]),
                Step::uses("actions/cache@v4", cached()),
                get_farmout(),
                Step {
                    env: [("PLAN".to_owned(), "${{ matrix.plan }}".to_owned())]
                        .into_iter()
                        .chain(environment)
                        .collect(),
                    ..Step::run(
                        "Build",
                        &[
                            script::hand_over(SLAVE),
                            format!("export PIP_CACHE_DIR=\"$PWD/{}\"", script::pip_cache(SLAVE)),
                            script::build(&first.secrets, &format!("\"{PLANS}/$PLAN.yaml\"")),
                        ]
                        .join("\n"),
                    )
                },
                Step::run("Say how it went", &script::summary("\"$GITHUB_STEP_SUMMARY\"")).always(),
                Step::uses(
                    "actions/upload-artifact@v4",
                    [("name", "report-${{ matrix.plan }}"), ("path", REPORTS.join("\n").as_str())],
                )
                .always(),
            ],
        }
    }

    fn service(&self) -> Service {
        let password = match self.password {
            Some(secret) => ("POSTGRES_PASSWORD", format!("${{{{ secrets.{secret} }}}}")),
            None => ("POSTGRES_HOST_AUTH_METHOD", "trust".to_owned()),
        };
        Service {
            image: "${{ matrix.postgresql }}",
            env: IndexMap::from([("POSTGRES_USER", USER.to_owned()), password]),
            // Asked by TCP: by the socket it also answers while it is still being set up.
            options: format!(
                "--health-cmd \"psql -h 127.0.0.1 -U {USER} -d postgres -l\" --health-interval 2s --health-timeout 5s \
                 --health-retries 30"
            ),
        }
    }
}

fn get_farmout() -> Step {
    Step::run("Get farmout", &script::get_farmout(&format!("echo \"$PWD/{PROGRAMS}\" >> \"$GITHUB_PATH\"")))
}

/// A cache is never changed once it is there: it is found by the plan, and any of the builder's is a beginning.
fn cached() -> [(&'static str, String); 3] {
    let builder = "farmout/${{ matrix.image }}/${{ matrix.plan }}/";
    let paths = CACHES.map(|inside| script::cache(SLAVE, inside));
    let plan = format!("${{{{ hashFiles(format('{PLANS}/{{0}}.yaml', matrix.plan)) }}}}");
    [("path", paths.join("\n")), ("key", format!("{builder}{plan}")), ("restore-keys", builder.to_owned())]
}

/// Jobs of one matrix differ in nothing but what an entry of it says.
fn groups(jobs: &Jobs) -> Vec<Vec<&Job>> {
    let mut groups: IndexMap<_, Vec<&Job>> = IndexMap::new();
    for job in &jobs.jobs {
        groups.entry((job.watched, job.postgresql.is_some(), &job.lacking, &job.secrets)).or_default().push(job);
    }
    groups.into_values().collect()
}

/// When the jobs of a group are run; `after` others, whether those were red, green or left out.
fn condition(job: &Job, inputs: &Inputs, after: bool) -> Option<String> {
    let mut all = Vec::new();
    if after {
        all.push(format!("!cancelled() && needs.{FIRST}.result == 'success'"));
    }
    if !job.watched {
        // No change can have come by itself for it.
        all.push("github.event_name != 'schedule' && github.event_name != 'repository_dispatch'".to_owned());
    }
    let wanted = inputs.0.iter().filter(|input| job.lacking.contains(&input.property));
    all.extend(wanted.map(|input| format!("inputs.{} != ''", input.name)));
    (!all.is_empty()).then(|| format!("${{{{ {} }}}}", all.join(" && ")))
}

/// The properties that whoever begins a run by hand is asked for.
struct Inputs(Vec<Asked>);

struct Asked {
    property: String,
    /// What the input is called.
    name: String,
    /// The variable that has it in the first job.
    variable: String,
}

impl Inputs {
    fn of(jobs: &Jobs) -> Self {
        let mut asked: Vec<Asked> = Vec::new();
        for property in jobs.jobs.iter().flat_map(|job| &job.lacking) {
            if asked.iter().any(|known| known.property == *property) {
                continue;
            }
            let plain: String = property.chars().map(|c| if c == '.' { '_' } else { c }).collect();
            // Names begin with a letter, and differ in more than their case.
            let mut name =
                if plain.starts_with(|c: char| c.is_ascii_alphabetic()) { plain } else { format!("p-{plain}") };
            while asked.iter().any(|known| known.name.eq_ignore_ascii_case(&name)) {
                name.push('_');
            }
            let variable = format!("PROPERTY_{}", asked.len() + 1);
            asked.push(Asked { property: property.clone(), name, variable });
        }
        Self(asked)
    }

    fn declared(&self) -> Option<IndexMap<&'static str, IndexMap<String, Input>>> {
        let input = |asked: &Asked| {
            let description = format!("The property {}; without it, builds that need it are left out", asked.property);
            (asked.name.clone(), Input { description: literal(&description), kind: "string" })
        };
        (!self.0.is_empty()).then(|| IndexMap::from([("inputs", self.0.iter().map(input).collect())]))
    }

    fn environment(&self) -> IndexMap<String, String> {
        self.0.iter().map(|asked| (asked.variable.clone(), format!("${{{{ inputs.{} }}}}", asked.name))).collect()
    }
}

/// A text that GitHub is not to take for an expression, whatever is in it.
fn literal(text: &str) -> String {
    text.replace("${{", "${{ '${{' }}")
}
