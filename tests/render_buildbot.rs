//! `farmout render buildbot` through the binary: which files it writes, which it leaves alone, and what is in them.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use common::binary::{farmout, text};
use common::snapshot::snapshot;
use serde_json::Value;
use tempfile::TempDir;

const MANIFEST: &str = "[shop]
buildout = git https://ann:not-a-t0ken@git.example/shop main buildout.cfg
build-for = postgresql >= 14
build-requires = python == 3.11
build-category = shops
watch = hg https://hg.example/addons default
    bzr lp:~shop/trunk
post-buildout-steps = install-modules-test
    doc
doc.upload-dir = shop
openerp-addons = crm

[tagged]
buildout = hgtag https://hg.example/tagged buildout.cfg
build-for =
watch =
";
const FRAGMENT: &str = "[DEFAULT]
password = not-a-secret-a81c

[atlas.example]
capability = postgresql 14 port=5433 user=ann passwd=not-a-secret-b92d
    postgresql 15 bin=/usr/lib/postgresql/15/bin cluster=ephemeral
    python 3.11
max_builds = 2
notify_on_missing = ann@shop.example, bob@shop.example

[zeus]
capability = postgresql 15 port=5434 host=/run/pg passwd=@/nowhere/password
    python 3.11 bin=/opt/python/bin/python3
slave_priority = 2.5
cellar = yes
";

fn farm(manifest: &str) -> TempDir {
    let farm = tempfile::tempdir().unwrap();
    fs::create_dir(farm.path().join("buildouts")).unwrap();
    fs::write(farm.path().join("buildouts/MANIFEST.cfg"), manifest).unwrap();
    let rewrites = "rewrite-urls:\n  - {from: 'https://hg.example/', to: 'ssh://hg@mirror.example/'}\n";
    fs::write(farm.path().join("farm.yaml"), rewrites).unwrap();
    let fragment = farm.path().join("slaves.cfg");
    fs::write(&fragment, FRAGMENT).unwrap();
    fs::set_permissions(fragment, fs::Permissions::from_mode(0o600)).unwrap();
    farm
}

fn render(farm: &TempDir) -> Output {
    farmout(&["render", "buildbot", "-o", "master"]).current_dir(farm.path()).output().unwrap()
}

#[track_caller]
fn fine(farm: &TempDir) -> String {
    let output = render(farm);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
    text(&output.stderr)
}

fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_master_gets_all_that_it_needs() {
    let farm = farm(MANIFEST);
    snapshot!("render-buildbot-said", fine(&farm));
    let master = farm.path().join("master");
    let names: Vec<String> = files(&master).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["farm.json", "farm.py", "master.cfg"]);
    snapshot!("render-buildbot-farm", fs::read_to_string(master.join("farm.json")).unwrap());
}

#[test]
fn the_same_farm_makes_the_same_bytes() {
    let farm = farm(MANIFEST);
    fine(&farm);
    let before = files(&farm.path().join("master"));
    fine(&farm);
    assert_eq!(files(&farm.path().join("master")), before);
    fs::rename(farm.path().join("master"), farm.path().join("old")).unwrap();
    fine(&farm);
    assert_eq!(files(&farm.path().join("master")), before);
}

#[test]
fn passwords_are_in_files_of_their_own_that_stay() {
    let farm = farm(MANIFEST);
    fine(&farm);
    let master = farm.path().join("master");
    let secrets = master.join("secrets");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&secrets), 0o700);
    let kept = files(&secrets);
    for (name, content) in &kept {
        assert_eq!(mode(&secrets.join(name)), 0o600, "{name}");
        let expected = match name.as_str() {
            "atlas.example-postgresql-14-passwd" => "not-a-secret-b92d",
            "atlas.example-worker-password" | "zeus-worker-password" => "not-a-secret-a81c",
            "zeus-postgresql-15-passwd" => "",
            _ => "ann:not-a-t0ken",
        };
        assert_eq!(text(content), expected, "{name}");
    }
    let named: Value = serde_json::from_slice(&fs::read(master.join("farm.json")).unwrap()).unwrap();
    let mut named: Vec<&str> = named["secrets"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    named.sort_unstable();
    assert_eq!(named, kept.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
    for (name, content) in files(&master) {
        assert!(!text(&content).contains("not-a-"), "a password is in {name}");
    }

    fs::write(secrets.join("zeus-postgresql-15-passwd"), "by hand").unwrap();
    fs::write(secrets.join("zeus-worker-password"), "another").unwrap();
    let said = fine(&farm);
    assert!(!said.contains("secrets/"), "{said}");
    assert_eq!(fs::read_to_string(secrets.join("zeus-postgresql-15-passwd")).unwrap(), "by hand");
    assert_eq!(fs::read_to_string(secrets.join("zeus-worker-password")).unwrap(), "another");
}

#[test]
fn what_an_admin_wrote_stays() {
    let farm = farm(MANIFEST);
    fs::create_dir(farm.path().join("master")).unwrap();
    let configuration = farm.path().join("master/master.cfg");
    fs::write(&configuration, "# mine\n").unwrap();
    fs::write(farm.path().join("master/farm.py"), "# of another version\n").unwrap();
    let said = fine(&farm);
    assert_eq!(fs::read_to_string(configuration).unwrap(), "# mine\n");
    assert!(said.contains("master/farm.py: changed; a running master takes it when it is restarted"), "{said}");
}

#[test]
fn a_farm_that_does_not_compile_changes_nothing() {
    let farm = farm(MANIFEST);
    fine(&farm);
    let before = files(&farm.path().join("master"));
    fs::write(farm.path().join("buildouts/MANIFEST.cfg"), MANIFEST.replace(">= 14", "14")).unwrap();
    let output = render(&farm);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("write `== 14`") && said.contains("the farm does not compile"), "{said}");
    assert_eq!(files(&farm.path().join("master")), before);
}

#[test]
fn a_master_that_could_not_start_is_not_written() {
    let refused = |manifest: &str, fragment: &str, expected: &str| {
        let farm = farm(manifest);
        fs::write(farm.path().join("slaves.cfg"), fragment).unwrap();
        let output = render(&farm);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.contains(expected), "{said}");
        assert!(!farm.path().join("master").exists());
    };
    let manifest = "[shop]\nbuildout = git https://git.example/shop main b.cfg\n";
    refused(manifest, "", "it has no slaves: `farmout slave detect --name NAME > slaves.cfg`");
    refused(&format!("{manifest}build-requires = rare\n"), FRAGMENT, "`farmout plan --slave NAME --why` says why");
    let manifest = "[_shop]\nbuildout = git https://git.example/shop main b.cfg\nbuild-for =\n";
    refused(manifest, FRAGMENT, "`_shop` begins with an underscore");
}

#[test]
fn what_cannot_be_written_is_wrong_use() {
    let farm = farm(MANIFEST);
    fs::write(farm.path().join("master"), "a file").unwrap();
    let output = render(&farm);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot write into master: "), "{}", text(&output.stderr));
}

#[test]
fn builders_of_a_build_share_steps_unless_these_ask_for_their_names() {
    let farm = farm("[shop]\nbuildout = git https://git.example/shop main b.cfg\npost-buildout-steps = tell\n");
    let steps = |template: &str| -> Vec<(String, String)> {
        fs::write(farm.path().join("steps/tell.yaml"), template).unwrap();
        fine(&farm);
        let data = fs::read(farm.path().join("master/farm.json")).unwrap();
        let data: Value = serde_json::from_slice(&data).unwrap();
        let at = |list: &str, number: &Value| data[list][usize::try_from(number.as_u64().unwrap()).unwrap()].clone();
        let told = |builder: &Value| {
            let procedure = at("procedures", &builder["procedure"]);
            let steps = procedure["steps"].as_array().unwrap().iter().map(|number| at("steps", number));
            let tell = steps.into_iter().find(|step| step["name"] == "tell").unwrap();
            (builder["name"].as_str().unwrap().to_owned(), tell["run"][1].as_str().unwrap().to_owned())
        };
        data["builders"].as_array().unwrap().iter().map(told).collect()
    };
    fs::write(farm.path().join("farm.yaml"), "templates: [steps]\n").unwrap();
    fs::create_dir(farm.path().join("steps")).unwrap();
    let template = |word: &str| {
        format!(
            "template: tell\nhelp: Tell.\nplace: post-buildout-steps\n\
             steps:\n  - name: tell\n    help: Tell.\n    run: [bin/tell, \"{word}\"]\n"
        )
    };
    let named = |word: &str| ["shop-pg14", "shop-pg15"].map(|name| (name.to_owned(), word.replace('*', name)));
    assert_eq!(steps(&template("{{ build.name }}!")), named("shop!"));
    assert_eq!(steps(&template("{{ builder }}!")), named("*!"));
    assert_eq!(
        steps(&template("{% if 'pg15' in builder %}{{ builder }}{% endif %}!")),
        [("shop-pg14".to_owned(), "!".to_owned()), ("shop-pg15".to_owned(), "shop-pg15!".to_owned()),]
    );
}

#[test]
fn people_are_asked_for_what_nothing_else_gives() {
    let farm = farm(
        "[shop]\nbuildout = git https://git.example/shop main b.cfg\npost-buildout-steps = tell\n\
         [alone]\nbuildout = git https://git.example/alone main b.cfg\nbuild-for = postgresql == 14\n\
         post-buildout-steps = tell\n",
    );
    fs::create_dir(farm.path().join("steps")).unwrap();
    let asked = "${property.cellar} ${property.empty} ${property.note:-none} ${property.release} \
                 ${property.pg_version} ${property.cap_postgresql_port:-} ${property.revision}";
    let template = format!(
        "template: tell\nhelp: Tell.\nplace: post-buildout-steps\nsteps:\n\
         \x20 - {{name: revision, help: Tell., run: [bin/revision], property: revision}}\n\
         \x20 - {{name: tell, help: Tell., run: [bin/tell, \"{asked}\"]}}\n"
    );
    fs::write(farm.path().join("steps/tell.yaml"), template).unwrap();
    fs::write(farm.path().join("farm.yaml"), "templates: [steps]\n").unwrap();
    let fragment = "[DEFAULT]\npassword = not-a-secret\n[atlas]\ncapability = postgresql 14 port=5433\ncellar = yes\nempty =\n\
                    [zeus]\ncapability = postgresql 15 port=5434\n";
    fs::write(farm.path().join("slaves.cfg"), fragment).unwrap();
    fine(&farm);
    let data: Value = serde_json::from_slice(&fs::read(farm.path().join("master/farm.json")).unwrap()).unwrap();
    let asked = |build: &str| {
        let builds = data["builds"].as_array().unwrap();
        let build = builds.iter().find(|known| known["name"] == build).unwrap();
        let property = |asked: &Value| (asked["name"].as_str().unwrap().to_owned(), asked["required"] == true);
        build["properties"].as_array().unwrap().iter().map(property).collect::<Vec<_>>()
    };
    let of = |cellar: bool| {
        [("cellar", cellar), ("empty", true), ("note", false), ("release", true)]
            .map(|(name, is)| (name.to_owned(), is))
    };
    // zeus has no `cellar`, and takes a builder of the one alone.
    assert_eq!(asked("shop"), of(true));
    assert_eq!(asked("alone"), of(false));
}

#[test]
fn a_repository_is_read_at_one_address_however_builds_spell_it() {
    let farm = farm(
        "[shop]\nbuildout = git https://git.example/shop.git refs/heads/7.0 b.cfg\n\
         [again]\nbuildout = git https://git.example/elsewhere main b.cfg\n\
         watch = git https://ann:not-a-t0ken@git.example/shop/ 7.0\n    git ssh://git@git.example/shop 8.0\n",
    );
    fine(&farm);
    let master = farm.path().join("master");
    let data: Value = serde_json::from_slice(&fs::read(master.join("farm.json")).unwrap()).unwrap();
    let branches = data["branches"].as_array().unwrap();
    let mut of_shop = branches.iter().filter(|branch| branch["place"] == "//git.example/shop");
    let (seven, eight) = (of_shop.next().unwrap(), of_shop.next().unwrap());
    assert_eq!(of_shop.next(), None);
    assert_eq!((&seven["branch"], &eight["branch"]), (&Value::from("7.0"), &Value::from("8.0")));
    for branch in [seven, eight] {
        // That of the first one that knows a password, whichever branch it is about.
        assert_eq!(branch["url"], "https://git.example/shop/");
        let secret = branch["secret"].as_str().unwrap();
        assert_eq!(fs::read_to_string(master.join("secrets").join(secret)).unwrap(), "ann:not-a-t0ken");
    }
    assert_eq!(eight["other_places"], serde_json::json!(["ssh://git@git.example/shop"]));
    let watched = |build: usize| &data["builds"][build]["watch"];
    assert_eq!(watched(0).as_array().unwrap().len(), 1);
    assert_eq!(watched(0)[0], watched(1)[1]);
}
