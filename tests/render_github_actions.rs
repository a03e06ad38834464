//! `farmout render github-actions`: what is written, whether the published checkers take it, and what its jobs do.

mod common;

use std::fs;
use std::path::Path;

use common::ci::{Document, Runner, download, kinds};
use common::snapshot::snapshot;
use common::{Farm, command, postgresql};
use serde_json::Value;

/// Where GitHub looks for workflows.
const FILE: &str = ".github/workflows/farm.yml";

fn show(name: &str, text: &str) {
    snapshot!(name, text, [(env!("CARGO_PKG_VERSION"), "[VERSION]")]);
}

/// Renders, has the file checked, and reads it.
fn rendered(farm: &Farm, arguments: &[&str]) -> Value {
    farm.run(&[&["render", "github-actions", "-o", FILE], arguments].concat()).exits(0);
    let path = farm.root.join(FILE);
    Document(&path).is_a_workflow();
    Document(&path).read()
}

#[test]
fn the_sample_farm_is_a_workflow() {
    let farm = Farm::sample().with_slave("ci", "postgresql 15 host=pg15\npostgresql 17 host=pg17");
    let ran = farm.run(&["render", "github-actions"]).exits(0);
    assert_eq!(ran.err, "");
    show("render-github-actions-sample", &ran.out);
    assert_eq!(farm.run(&["render", "github-actions"]).out, ran.out);
    rendered(&farm, &[]);
}

#[test]
fn builds_of_all_kinds_are_in_matrices_or_are_left_out_with_a_reason() {
    let farm = kinds();
    let ran = farm.run(&["render", "github-actions"]).exits(0);
    show("render-github-actions-kinds", &ran.out);
    show("render-github-actions-kinds-said", &ran.err);
    assert!(!ran.all().contains("hyacinth"));
    rendered(&farm, &[]);
    let given = [
        "--image",
        "wkhtmltopdf,python=registry.example/print:{python.version}",
        "--image",
        "ghcr.io/${{github.repository_owner}}/odoo:3",
        "--postgresql",
        "registry.example/postgres:{postgresql.version}",
        "--password",
        "PG_PASSWORD",
        "--farmout",
        "https://dist.example/farmout",
        "--sha256",
        &"0a".repeat(32),
        "--runs-on",
        "self-hosted",
        "--runs-on",
        "linux",
        "--schedule",
        "5  4 * * 1",
        "--max-parallel",
        "4",
    ];
    let workflow = rendered(&farm, &given);
    assert_eq!(workflow["jobs"]["builders"]["runs-on"], serde_json::json!(["self-hosted", "linux"]));
    // GitHub counts in each matrix for itself, so one waits for the other.
    let mut needs = vec!["plans".to_owned()];
    for (name, job) in workflow["jobs"].as_object().unwrap().iter().skip(1) {
        assert_eq!(job["strategy"]["max-parallel"], 4);
        assert_eq!(job["needs"], serde_json::json!(needs), "{name}");
        let condition = job["if"].as_str().unwrap_or_default();
        assert_eq!(
            condition.contains("!cancelled() && needs.plans.result == 'success'"),
            needs.len() > 1,
            "{condition}"
        );
        needs = vec!["plans".to_owned(), name.clone()];
        // Five days, on runners that are not GitHub's.
        let minutes = job["strategy"]["matrix"]["include"][0]["minutes"].as_u64().unwrap();
        assert!((361..=7200).contains(&minutes), "{minutes}");
    }
    assert!(needs[1].starts_with("builders-"), "{needs:?}");
    assert_eq!(workflow["on"]["schedule"][0]["cron"], "5 4 * * 1");
    assert_eq!(workflow["env"]["FARMOUT_URL"], "https://dist.example/farmout");
    let service = &workflow["jobs"]["builders"]["services"]["postgres"]["env"];
    assert_eq!(service["POSTGRES_PASSWORD"], "${{ secrets.PG_PASSWORD }}");
    // A job is given the secrets of its own plan and no other.
    let entry = |builder: &str| {
        let jobs = workflow["jobs"].as_object().unwrap().values();
        let all = jobs.flat_map(|job| {
            let entries = job["strategy"]["matrix"]["include"].as_array().into_iter().flatten();
            entries.map(move |entry| (job, entry))
        });
        all.into_iter().find(|(_, entry)| entry["builder"] == builder).unwrap()
    };
    let secrets = |builder: &str| {
        let steps = entry(builder).0["steps"].as_array().unwrap();
        let build = steps.iter().find(|step| step["name"] == "Build").unwrap();
        build["env"].as_object().unwrap().keys().filter(|name| *name != "PLAN").cloned().collect::<Vec<_>>()
    };
    assert_eq!(secrets("shop-pg14-py2.7"), ["PG_PASSWORD", "FARM_SHOP_BUILDOUT_URL"]);
    assert_eq!(secrets("museum-pg8.4"), ["PG_PASSWORD"]);
    assert_eq!(secrets("lint"), [""; 0]);
    assert_eq!(entry("lint").1["image"], "ghcr.io/${{github.repository_owner}}/odoo:3");
    // A name is no expression.
    entry("${{ '${{' }} secrets.X }} 'ü\": #1");
}

/// Names of concurrency groups are the repository's.
#[test]
fn workflows_of_one_repository_leave_each_other_alone() {
    let farm = kinds();
    let groups = [("shop", "shop-*"), ("${{x}} lint", "lint")].map(|(name, builders)| {
        let file = format!(".github/workflows/{name}.yml");
        farm.run(&["render", "github-actions", "-o", &file, builders]).exits(0);
        let workflow = Document(&farm.root.join(&file)).read();
        assert_eq!(workflow["name"], name);
        assert_eq!(workflow["concurrency"]["cancel-in-progress"], true);
        workflow["concurrency"]["group"].as_str().unwrap().to_owned()
    });
    let of_the_run = "${{ github.event_name == 'push' && github.ref || github.run_id }}";
    assert_eq!(groups[0], format!("shop.yml-{of_the_run}"));
    assert_eq!(groups[1], format!("${{{{ '${{{{' }}}}x}}}} lint.yml-{of_the_run}"));
}

#[test]
fn what_cannot_be_rendered_is_said() {
    let farm = kinds();
    let mut all = String::new();
    let absolute = farm.root.join("slaves.cfg").display().to_string();
    for arguments in [
        &["habit"][..],
        &["--schedule", "daily"],
        &["--schedule", "99 99 * * x"],
        &["--schedule", "0 0 * * 7"],
        &["--max-parallel", "0"],
        &["--check"],
        &["--check", "-o", "farm.yml"],
        &["--slaves", &absolute],
        &["-o", "/tmp/farm.yml"],
        &["-o", "farm/../../farm.yml"],
        &["--slaves", "../ci.cfg"],
    ] {
        let ran = farm.run(&[&["render", "github-actions"], arguments].concat());
        assert!(ran.code == Some(1) || ran.code == Some(2), "{arguments:?}: {}", ran.all());
        let shown = ran.shown().replace(&absolute, "[FARM]/slaves.cfg");
        let said: Vec<&str> = shown.lines().filter(|line| !line.contains(" is left out: ")).collect();
        all += &format!("# {}\n{}\n\n", arguments.join(" ").replace(&absolute, "[FARM]/slaves.cfg"), said.join("\n"));
    }
    let offers: Vec<String> = (0..257).map(|minor| format!("postgresql 17.{minor} host=pg{minor}")).collect();
    let many = Farm::sample().with_slave("ci", &offers.join("\n"));
    all += &format!("# 257 builders\n{}", many.run(&["render", "github-actions"]).exits(1).shown());
    snapshot!("render-github-actions-mistakes", all);
}

#[test]
fn a_file_that_is_not_the_farms_any_more_is_found() {
    let farm = Farm::sample().with_slave("ci", "postgresql 17 host=pg17");
    let check = ["render", "github-actions", "-o", FILE, "--check"];
    rendered(&farm, &[]);
    farm.run(&check).exits(0).says_no("error");
    // The configuration of a build is in its plan, which the first job makes.
    farm.edit("buildouts/demo.cfg", "setuptools = 75.3.2", "setuptools = 75.3.1");
    farm.run(&check).exits(0);
    farm.edit("buildouts/MANIFEST.cfg", "[demo]\n", "[demo]\nbuild-for = postgresql\n    python\n");
    farm.edit("slaves.d/ci.cfg", "host=pg17", "host=pg17\n    python 3.11");
    let ran = farm.run(&check).exits(1);
    snapshot!("render-github-actions-stale", ran.shown());
    rendered(&farm, &[]);
    farm.run(&check).exits(0);
}

/// What GitHub's runner knows while it does a job.
struct Doing<'a> {
    runner: &'a Runner,
    directory: &'a Path,
    /// What expressions stand for.
    known: Vec<(&'a str, String)>,
    path: String,
}

impl<'a> Doing<'a> {
    fn new(runner: &'a Runner, directory: &'a Path, known: Vec<(&'a str, String)>) -> Self {
        fs::create_dir_all(directory).unwrap();
        Self { runner, directory, known, path: common::SYSTEM.to_owned() }
    }

    fn fill(&self, text: &str) -> String {
        let text = text.replace("${{ '${{' }}", "\0");
        let fill = |text: String, (name, value): &(&str, String)| text.replace(&format!("${{{{ {name} }}}}"), value);
        let filled = self.known.iter().fold(text, fill);
        assert!(!filled.contains("${{"), "{filled}");
        filled.replace('\0', "${{")
    }

    /// Does the steps of a job that are scripts, as far as it comes; what they wrote, and whether the job is green.
    fn scripts(&mut self, workflow: &Value, job: &str) -> (bool, String) {
        assert_eq!(workflow["defaults"]["run"]["shell"], "sh");
        let (mut green, mut said) = (true, String::new());
        let files = ["path", "summary"].map(|name| self.directory.with_extension(name));
        for step in workflow["jobs"][job]["steps"].as_array().unwrap() {
            let Some(script) = step["run"].as_str() else { continue };
            if !green && step["if"] != "${{ always() }}" {
                continue;
            }
            let variables = [&workflow["env"], &step["env"]].into_iter().filter_map(Value::as_object).flatten();
            let mut variables: Vec<(&str, String)> =
                variables.map(|(name, value)| (name.as_str(), self.fill(value.as_str().unwrap()))).collect();
            let file = |at: usize| files[at].display().to_string();
            variables.extend([("GITHUB_PATH", file(0)), ("GITHUB_STEP_SUMMARY", file(1)), ("PATH", self.path.clone())]);
            let ran = self.runner.run(self.directory, &self.fill(script), variables);
            green &= ran.code == Some(0);
            said += &ran.all();
            let added = fs::read_to_string(&files[0]).unwrap_or_default();
            if let Some(first) = added.lines().next() {
                self.path = format!("{first}:{}", common::SYSTEM);
            }
        }
        (green, said)
    }
}

mod root {
    use super::*;

    const PASSWORD: &str = "orchid-7d20";

    #[test]
    fn jobs_build_and_are_red_where_the_build_is() {
        let runner = Runner::new();
        let server = runner.postgresql(Some(PASSWORD));
        let (url, sum) = download();
        let major = postgresql().0;
        let builder = format!("demo-pg{major}");
        let farm = Farm::sample().with_slave("ci", &format!("postgresql {major} host=anywhere"));
        let workflow = rendered(&farm, &["--password", "PG_PASSWORD"]);
        let known = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            let usual = [("vars.FARMOUT_URL", url.as_str()), ("vars.FARMOUT_SHA256", &sum)];
            usual.into_iter().chain(more.iter().copied()).map(|(name, value)| (name, value.to_owned())).collect()
        };

        // The first job, in a checkout.
        let (green, said) = Doing::new(&runner, &farm.root, known(&[])).scripts(&workflow, "plans");
        assert!(green, "{said}");
        let plans = farm.root.join("plans");
        let build = |name: &str| {
            let directory = farm.directory.path().join(name);
            let secret = [("matrix.plan", builder.as_str()), ("secrets.PG_PASSWORD", PASSWORD)];
            let mut doing = Doing::new(&runner, &directory, known(&secret));
            assert!(command("cp").arg("-r").arg(&plans).arg(&directory).status().unwrap().success());
            let done = doing.scripts(&workflow, "builders");
            let summary = fs::read_to_string(directory.with_extension("summary")).unwrap();
            let junit = fs::read_to_string(directory.join("junit.xml")).unwrap();
            assert!(directory.join("page.html").exists());
            assert_eq!(server.databases(), "");
            for text in [&done.1, &summary, &junit] {
                assert!(!text.contains(PASSWORD), "{text}");
            }
            (done, summary, junit)
        };
        let ((green, said), summary, junit) = build("first");
        assert!(green && said.contains(&format!("{builder}  success")), "{said}");
        assert!(summary.starts_with("~~~~text\n") && summary.contains(&format!("{builder}  success")), "{summary}");
        assert!(!junit.contains("<failure"), "{junit}");

        farm.edit(
            "buildouts/demo/demo_server/modules/invoice/tests/test_invoice.py",
            "Decimal(\"42.49\")",
            "Decimal(\"42.5\")",
        );
        let (green, said) = Doing::new(&runner, &farm.root, known(&[])).scripts(&workflow, "plans");
        assert!(green, "{said}");
        let ((green, said), summary, junit) = build("red");
        assert!(!green && said.contains(&format!("{builder}  failure")), "{said}");
        assert!(summary.contains("test_total_is_the_sum_of_the_lines"), "{summary}");
        assert!(junit.contains("<failure") && junit.contains("test_total_is_the_sum_of_the_lines"), "{junit}");
    }

    /// Who begins a run by hand gives a property; without it there is no plan of the builder.
    #[test]
    fn the_first_job_makes_plans_of_what_it_is_given() {
        let (url, sum) = download();
        let runner = Runner::new();
        let farm = kinds();
        let image = "ghcr.io/${{github.repository_owner}}/it's";
        let workflow = rendered(&farm, &["--farmout", &url, "--sha256", &sum, "--image", image]);
        for (tag, made) in [("", false), ("1.2 \"x\" $(touch here)", true)] {
            let _ = fs::remove_dir_all(farm.root.join("plans"));
            let known = vec![("inputs.buildout-tag", tag.to_owned())];
            let (green, said) = Doing::new(&runner, &farm.root, known).scripts(&workflow, "plans");
            assert!(green, "{said}");
            assert!(farm.root.join("plans/lint.yaml").exists());
            let plan = fs::read_to_string(farm.root.join("plans/release-pg17.yaml"));
            assert_eq!(plan.is_ok(), made, "{said}");
            assert_eq!(said.contains("release-pg17 is left out: it needs the property"), !made, "{said}");
            let plan: Option<Value> = plan.ok().map(|plan| serde_yaml::from_str(&plan).unwrap());
            assert!(plan.is_none_or(|plan| plan["properties"]["buildout-tag"] == tag));
        }
        assert!(!farm.root.join("here").exists());
    }
}
