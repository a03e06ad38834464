//! `farmout render gitlab-ci`: what is written, whether GitLab's own schema takes it, and what a job does.

mod common;

use std::fs;
use std::path::Path;

use common::ci::{Document, Runner, download, kinds};
use common::snapshot::snapshot;
use common::{Farm, Ran, command, postgresql};
use serde_json::Value;

fn show(name: &str, text: &str) {
    snapshot!(name, text, [(env!("CARGO_PKG_VERSION"), "[VERSION]")]);
}

/// Renders, has the file checked, and reads it.
fn rendered(farm: &Farm, arguments: &[&str]) -> Value {
    farm.run(&[&["render", "gitlab-ci", "-o", "pipeline.yml"], arguments].concat()).exits(0);
    let path = farm.root.join("pipeline.yml");
    Document(&path).is_a_pipeline();
    Document(&path).read()
}

#[test]
fn the_sample_farm_is_a_pipeline() {
    let farm = Farm::sample().with_slave("ci", "postgresql 15 host=pg15\npostgresql 17 host=pg17");
    let ran = farm.run(&["render", "gitlab-ci"]).exits(0);
    assert_eq!(ran.err, "");
    show("render-gitlab-ci-sample", &ran.out);
    assert_eq!(farm.run(&["render", "gitlab-ci"]).out, ran.out);
    rendered(&farm, &[]);
}

#[test]
fn builds_of_all_kinds_are_jobs_or_are_left_out_with_a_reason() {
    let farm = kinds();
    let ran = farm.run(&["render", "gitlab-ci"]).exits(0);
    show("render-gitlab-ci-kinds", &ran.out);
    show("render-gitlab-ci-kinds-said", &ran.err);
    assert!(!ran.all().contains("hyacinth"));
    rendered(&farm, &[]);
    // All that was missing, given.
    let given = [
        "--image",
        "wkhtmltopdf,python=registry.example/print:{python.version}-{wkhtmltopdf.version}",
        "--image",
        "${CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX}/python:3",
        "--postgresql",
        "registry.example/postgres:{postgresql.version}",
        "--password",
        "PG_PASSWORD",
        "--property",
        "buildout-tag=1.2",
        "--farmout",
        "https://dist.example/farmout",
        "--sha256",
        &"0A".repeat(32),
        "--tag",
        "docker",
        "--parent-job",
        "make plans",
        "--plans",
        "plans",
    ];
    let pipeline = rendered(&farm, &given);
    assert_eq!(pipeline["reports-pg17"]["image"], "registry.example/print:2.7-0.12");
    assert_eq!(pipeline["museum-pg8.4"]["services"][0]["name"], "registry.example/postgres:8.4");
    assert_eq!(pipeline["lint"]["image"], "${CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX}/python:3");
    assert_eq!(pipeline["variables"]["FARMOUT_SHA256"], "0a".repeat(32));
    assert_eq!(pipeline[".builder"]["needs"][0]["job"], "make plans");
    assert_eq!(pipeline[".builder"]["tags"][0], "docker");
    let service = &pipeline["shop-pg17-py3.11"]["services"][0]["variables"];
    assert_eq!(service["POSTGRES_PASSWORD"], "$PG_PASSWORD");
    assert_eq!(service["POSTGRES_HOST_AUTH_METHOD"], Value::Null);
    let text = fs::read_to_string(farm.root.join("pipeline.yml")).unwrap();
    assert!(text.contains("PG_PASSWORD             a masked variable"), "{text}");
    // What is left out still is what no image can make up for.
    let ran = farm.run(&[&["render", "gitlab-ci"], &given[..]].concat());
    show("render-gitlab-ci-kinds-given-said", &ran.exits(0).err);
    // Each job has its plan.
    for (name, job) in pipeline.as_object().unwrap().iter().filter(|(_, job)| job["extends"] == ".builder") {
        let script = job["script"][0].as_str().unwrap();
        let plan = script.rsplit(' ').next().unwrap();
        let plan: Value = serde_yaml::from_str(&fs::read_to_string(farm.root.join(plan)).unwrap()).unwrap();
        assert_eq!(plan["slave"], "gitlab-ci");
        assert!(name.starts_with("builder ") || plan["builder"] == name.as_str(), "{name}");
        assert!(serde_json::to_string(&plan).unwrap().find("hyacinth").is_none());
    }
}

/// The plan of a job is the one of a slave that offers the same.
#[test]
fn a_job_does_what_a_slave_would_do() {
    let farm = Farm::sample().with_slave("gitlab-ci", "postgresql 17 host=postgres user=farmout");
    farm.run(&["render", "gitlab-ci", "--plans", "plans"]).exits(0);
    farm.run(&["plan", "-o", "slave"]).exits(0);
    let read = |folder: &str| fs::read_to_string(farm.root.join(folder).join("demo-pg17.yaml")).unwrap();
    assert_eq!(read("plans"), read("slave"));
}

/// As every target does.
#[test]
fn a_directory_that_is_missing_is_made_and_a_link_stays_one() {
    let farm = kinds();
    farm.run(&["render", "gitlab-ci", "lint", "-o", "made/for/it/farm.yml"]).exits(0);
    std::os::unix::fs::symlink("made/for/it/farm.yml", farm.root.join("link.yml")).unwrap();
    farm.run(&["render", "gitlab-ci", "lint", "shop-*", "-o", "link.yml"]).exits(0);
    assert!(farm.root.join("link.yml").is_symlink());
    let text = fs::read_to_string(farm.root.join("made/for/it/farm.yml")).unwrap();
    assert!(text.contains("shop-pg17-py3.11:"), "{text}");
}

#[test]
fn what_cannot_be_rendered_is_said() {
    let farm = kinds();
    let mut all = String::new();
    for arguments in [
        &["museum*"][..],
        &["lint", "release*"],
        &["nothing"],
        &["--image", "python="],
        &["--image", "postgresql=x"],
        &["--image", "=x"],
        &["--image", "a b"],
        &["--image", "{wkhtmltopdf.version}", "lint"],
        &["--postgresql", "a=b"],
        &["--password", "pg-password"],
        &["--sha256", "abc"],
        &["--farmout", "https://deploy:zinnia@dist.example/farmout"],
        &["-o", "slaves.cfg/farm.yml"],
    ] {
        let ran = farm.run(&[&["render", "gitlab-ci"], arguments].concat());
        assert!(ran.code == Some(1) || ran.code == Some(2), "{arguments:?}: {}", ran.all());
        all += &format!("# {}\n{}\n", arguments.join(" "), ran.shown());
    }
    fs::remove_file(farm.root.join("slaves.cfg")).unwrap();
    all += &format!("# no fragments\n{}", farm.run(&["render", "gitlab-ci"]).exits(1).shown());
    assert!(!all.replace("# --farmout https://deploy:zinnia@", "").contains("zinnia"), "{all}");
    snapshot!("render-gitlab-ci-mistakes", all);
}

/// A job's script, as GitLab's runner puts it together, and its variables.
fn job<'a>(pipeline: &'a Value, name: &str, directory: &Path) -> (String, Vec<(&'a str, String)>) {
    let lines = |script: &'a Value| script.as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let (common, job) = (&pipeline[".builder"], &pipeline[name]);
    let script: Vec<&str> = lines(&common["before_script"]).chain(lines(&job["script"])).collect();
    let value = |value: &Value| {
        let value = value.as_str().unwrap().replace("$CI_PROJECT_DIR", directory.to_str().unwrap());
        assert!(!value.contains('$'), "{value}");
        value
    };
    let variables = pipeline["variables"].as_object().unwrap().iter();
    (script.join("\n"), variables.map(|(name, given)| (name.as_str(), value(given))).collect())
}

/// The parent pipeline of the documentation.
fn documented() -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/render.md")).unwrap();
    let from = text.split("```yaml\n# .gitlab-ci.yml\n").nth(1).unwrap();
    from.split("```").next().unwrap().to_owned()
}

/// The fragment of the documentation, which is in the repository.
fn fragment() -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/render.md")).unwrap();
    text.split("```ini\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

#[test]
fn the_documented_parent_makes_the_plans_and_begins_the_child() {
    let farm = Farm::sample();
    farm.write(".gitlab-ci.yml", &documented());
    farm.write("ci.cfg", &fragment());
    let path = farm.root.join(".gitlab-ci.yml");
    Document(&path).is_a_pipeline();
    let parent = Document(&path).read();
    farm.run(&["compile", "--slaves", "ci.cfg", "--deny", "warnings"]).exits(0).says_no("secret::");
    let script: Vec<&str> =
        parent["plans"]["script"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let (url, sum) = download();
    let run = |tag: &str| -> Ran {
        let mut sh = command("sh");
        sh.args(["-e", "-c", &script.join("\n")]).current_dir(&farm.root);
        sh.envs([("FARMOUT_URL", url.as_str()), ("FARMOUT_SHA256", &sum), ("BUILDOUT_TAG", tag)]);
        sh.output().unwrap().into()
    };
    run("").exits(0);
    for made in parent["plans"]["artifacts"]["paths"].as_array().unwrap() {
        assert!(farm.root.join(made.as_str().unwrap()).exists(), "{made}");
    }
    let plan = || fs::read_to_string(farm.root.join("plans/demo-pg17.yaml")).unwrap();
    assert!(!plan().contains("buildout-tag"));
    run("1 2").exits(0);
    assert!(plan().contains("buildout-tag: 1 2\n"), "{}", plan());
    // What the child asks of its parent.
    let pipeline = rendered(&farm, &["--slaves", "ci.cfg"]);
    let trigger = &parent["builds"];
    let passed = trigger["variables"].as_object().unwrap();
    let need = &pipeline[".builder"]["needs"][0];
    assert!(passed.contains_key(need["pipeline"].as_str().unwrap().trim_start_matches('$')), "{need}");
    assert!(parent.get(need["job"].as_str().unwrap()).is_some(), "{need}");
    let rule = pipeline["demo-pg17"]["rules"][0]["if"].as_str().unwrap();
    assert!(passed.keys().any(|name| rule.starts_with(&format!("${name} "))), "{rule}");
    assert_eq!(trigger["trigger"]["include"][0]["artifact"], parent["plans"]["artifacts"]["paths"][0]);
}

/// What jobs ask of their image beside curl: busybox has it.
#[test]
fn an_image_may_have_busybox_and_little_else() {
    let farm = Farm::sample().with_slave("ci", "postgresql 17 host=anywhere");
    let (url, sum) = download();
    let pipeline = rendered(&farm, &["--farmout", &url, "--sha256", &sum]);
    let (small, directory) = (farm.directory.path().join("bin"), farm.directory.path().join("job"));
    fs::create_dir_all(directory.join(".farmout/slaves/gitlab-ci")).unwrap();
    fs::create_dir(&small).unwrap();
    assert!(command("busybox").args(["--install", "-s"]).arg(&small).status().unwrap().success());
    let curl = Ran::from(command("sh").args(["-c", "command -v curl"]).output().unwrap()).exits(0).out;
    std::os::unix::fs::symlink(curl.trim(), small.join("curl")).unwrap();
    let before = pipeline[".builder"]["before_script"].as_array().unwrap();
    let script: Vec<&str> = before.iter().map(|line| line.as_str().unwrap()).chain(["farmout --version"]).collect();
    let (_, variables) = job(&pipeline, "demo-pg17", &directory);
    let run = |sum: Option<String>| -> Ran {
        let mut shell = command(small.join("sh"));
        shell.args(["-e", "-c", &script.join("\n")]).envs(variables.clone()).env("PATH", &small);
        shell.envs(sum.map(|sum| ("FARMOUT_SHA256", sum))).current_dir(&directory).output().unwrap().into()
    };
    run(Some("0".repeat(64))).exits(1).says("FAILED");
    fs::remove_dir_all(directory.join(".farmout/bin")).unwrap();
    run(None).exits(0).says(&format!("farmout {}", env!("CARGO_PKG_VERSION")));
}

mod root {
    use super::*;

    #[test]
    fn a_job_builds_and_is_red_where_the_build_is() {
        let runner = Runner::new();
        let server = runner.postgresql(None);
        let (url, sum) = download();
        let major = postgresql().0;
        let builder = format!("demo-pg{major}");
        let farm = Farm::sample().with_slave("ci", &format!("postgresql {major} host=anywhere"));
        let render = |farm: &Farm| rendered(farm, &["--plans", "plans", "--farmout", &url, "--sha256", &sum]);
        let workspace = |name: &str| {
            let directory = farm.directory.path().join(name);
            fs::create_dir(&directory).unwrap();
            let plans = farm.root.join("plans");
            assert!(command("cp").arg("-r").arg(plans).arg(&directory).status().unwrap().success());
            directory
        };
        let run = |pipeline: &Value, directory: &Path| -> Ran {
            let (script, variables) = job(pipeline, &builder, directory);
            runner.run(directory, &script, variables)
        };

        let pipeline = render(&farm);
        let first = workspace("first");
        run(&pipeline, &first)
            .exits(0)
            .says(&format!("{builder}  success"))
            .says("running as root: servers and steps run as");
        let junit = fs::read_to_string(first.join("junit.xml")).unwrap();
        assert!(junit.contains("name=\"test\"") && !junit.contains("<failure"), "{junit}");
        assert!(fs::read_to_string(first.join("page.html")).unwrap().contains(&builder));
        assert_eq!(server.databases(), "");

        // The next job finds the caches, which the runner brings back as root's.
        let second = workspace("second");
        let cached = pipeline[&builder]["cache"]["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap());
        let cached: Vec<&str> = cached.filter(|path| first.join(path).is_dir()).collect();
        // pip keeps nothing of what it has found on this machine.
        assert!(cached[0].ends_with("/buildout-caches"), "{cached:?}");
        for path in cached {
            fs::create_dir_all(second.join(path)).unwrap();
            let mut copy = command("cp");
            copy.args(["-r", "--no-preserve=all"]).arg(first.join(path).join(".")).arg(second.join(path));
            assert!(copy.status().unwrap().success());
        }
        run(&pipeline, &second).exits(0).says(&format!("{builder}  success"));

        // A program that is not the one that was meant is not run.
        let third = workspace("third");
        let (script, mut variables) = job(&pipeline, &builder, &third);
        variables.retain(|(name, _)| *name != "FARMOUT_SHA256");
        variables.push(("FARMOUT_SHA256", "0".repeat(64)));
        runner.run(&third, &script, variables).exits(1).says("FAILED").says_no("running as root");

        farm.edit(
            "buildouts/demo/demo_server/modules/invoice/tests/test_invoice.py",
            "Decimal(\"42.49\")",
            "Decimal(\"42.5\")",
        );
        let pipeline = render(&farm);
        let red = workspace("red");
        run(&pipeline, &red).exits(1).says(&format!("{builder}  failure"));
        let junit = fs::read_to_string(red.join("junit.xml")).unwrap();
        assert!(junit.contains("<failure") && junit.contains("test_total_is_the_sum_of_the_lines"), "{junit}");
        assert!(red.join("page.html").exists());
        assert_eq!(server.databases(), "");
    }
}
