//! What `plan` and `run` would fail of is told by `farmout compile`, at its place: through the binary.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use common::binary::{farmout, text};
use common::snapshot::snapshot;
use tempfile::TempDir;

const SLAVE: &str = "[atlas]\npassword = not-a-secret-a81c\ncapability =\n    postgresql 15\n    redis 5 port=6379\n";

/// A farm with this template `my`, which its build `shop` uses, and with more lines for the build.
fn farm(template: &str, lines: &str, slaves: &str) -> TempDir {
    let farm = tempfile::tempdir().unwrap();
    let write = |path: &str, text: String| {
        let path = farm.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("farm.yaml", "templates: [steps]\n".to_owned());
    write("steps/my.yaml", format!("template: my\nhelp: What the farm needs.\nplace: post-buildout-steps\n{template}"));
    let buildout = "buildout = git https://git.example/shop main buildout.cfg\npost-buildout-steps = my\n";
    write("buildouts/MANIFEST.cfg", format!("[shop]\n{buildout}{lines}"));
    write("slaves.cfg", slaves.to_owned());
    farm
}

/// What compiling says, and whether it is an error. A farm that compiles can be planned, and no other.
fn compile(farm: &TempDir) -> (bool, String) {
    let output = farmout(&["compile"]).current_dir(farm.path()).output().unwrap();
    let fine = output.status.code() == Some(0);
    let slaves = fs::read_to_string(farm.path().join("slaves.cfg")).unwrap();
    for slave in slaves.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']')) {
        let planned = farmout(&["plan", "--slave", slave]).current_dir(farm.path()).output().unwrap();
        assert_eq!(planned.status.success(), fine, "{}{}", text(&output.stderr), text(&planned.stderr));
    }
    (fine, text(&output.stderr))
}

fn step(run: &str) -> String {
    format!("steps:\n  - name: mine\n    help: The step.\n    run: {run}\n")
}

#[test]
fn an_expression_that_fails_for_a_build_is_told() {
    let list = "options: {my.list: {type: list, help: A list.}}\n";
    let text = "options: {my.text: {type: text, default: soon, help: A text.}}\n";
    let mut said = String::new();
    for template in [
        format!("{list}{}", step("[echo, \"{{ option['my.list'][5] }}\"]")),
        format!("{text}{}", step("[echo, {each: \"option['my.text']\"}]")),
        format!("{text}{}    timeout: option['my.text']\n", step("[echo]")),
        step("[echo, \"{{ source.brnach }}\"]"),
        format!("{list}{}", step("[{each: \"option['my.list']\"}]")),
        format!("{list}{}", step("[\"{{ option['my.list'] | join('') }}\", x]")),
    ] {
        let (fine, told) = compile(&farm(&template, "", SLAVE));
        assert!(!fine, "{template}");
        said += &told;
    }
    snapshot!("compile-plans-expressions", said);
    let given =
        farm(&format!("{list}{}", step("[echo, \"{{ option['my.list'][5] }}\"]")), "my.list = a,b,c,d,e,f\n", SLAVE);
    assert!(compile(&given).0);
}

/// The options of builds differ: each different set is tried.
#[test]
fn one_build_of_many_is_told() {
    let list = "options: {my.list: {type: list, default: \"a,b\", help: A list.}}\n";
    let template = format!("{list}{}", step("[echo, \"{{ option['my.list'][1] }}\"]"));
    let builds = |lists: &[&str]| {
        let build = |(number, list): (usize, &&str)| format!("[shop-{number}]\ninherit = shop\nmy.list = {list}\n");
        lists.iter().enumerate().map(build).collect::<String>()
    };
    let (fine, told) = compile(&farm(&template, &builds(&["a,b", "c,d", "e", "f,g"]), SLAVE));
    assert!(
        !fine && told.contains("for the build `shop-2`") && told.matches("steps::expression").count() == 1,
        "{told}"
    );
    assert!(compile(&farm(&template, &builds(&["a,b", "c,d", "e,h", "f,g"]), SLAVE)).0);
}

/// What depends on a build's name is worked out for each.
#[test]
fn names_of_builds_count() {
    let template = step("[echo, \"{{ (build.name | split('-') | list)[1] }}\"]");
    let (fine, told) = compile(&farm(&template, "[shop-a]\ninherit = shop\n", SLAVE));
    assert!(!fine && told.contains("for the build `shop`"), "{told}");
    assert!(
        compile(&farm(
            &step("[echo, \"{{ (build.name | split('-') | list)[0] }}\"]"),
            "[shop-a]\ninherit = shop\n",
            SLAVE
        ))
        .0
    );
}

#[test]
fn a_capability_that_a_build_does_not_have_is_told() {
    let mut said = String::new();
    for asked in ["${redis.port}", "${redsi.port}", "${postgresql.prot}", "${memcached.port}", "${proprety.tag}"] {
        let (fine, told) = compile(&farm(&step(&format!("[echo, \"{asked}\"]")), "", SLAVE));
        assert!(!fine, "{asked}");
        said += &told;
    }
    snapshot!("compile-plans-capabilities", said);
    for (asked, lines) in [
        ("${redis.port}", "build-requires = redis\n"),
        ("${redis.port}", "build-for = redis\n"),
        ("${redis.port:-6379}", ""),
        ("${redis.version}-${postgresql.version}", "build-requires = redis\n"),
        ("${redis.host:-${postgresql.host:-${slave}}}", ""),
        ("$${redis.port} ${property.redis:-}", ""),
    ] {
        let (fine, told) = compile(&farm(&step(&format!("[echo, \"{asked}\"]")), lines, SLAVE));
        assert!(fine, "{asked}: {told}");
    }
}

#[test]
fn a_slave_that_lacks_an_option_is_told() {
    let template = step("[echo, \"${redis.port}\"]");
    let other = |offers: &str| {
        format!("{SLAVE}[book]\npassword = not-a-secret-b92d\ncapability =\n    postgresql 15\n    redis {offers}\n")
    };
    let requires = "build-requires = redis\n";
    let slaves = other("5");
    let output = farmout(&["compile"]).current_dir(farm(&template, requires, &slaves).path()).output().unwrap();
    snapshot!("compile-plans-slave", text(&output.stderr));
    // The builder is not for that version, or the slave takes none at all.
    assert!(compile(&farm(&template, "build-requires = redis == 5\n", &other("5 port=1\n    redis 6"))).0);
    let output =
        farmout(&["compile"]).current_dir(farm(&template, "build-requires = redis < 6\n", &other("6")).path()).output();
    assert_eq!(output.unwrap().status.code(), Some(0));
    // The capability's own environment asks, too.
    let own = farm(&step("[echo]"), requires, &slaves);
    let capability = "capabilities:\n  - capability: redis\n    help: A store.\n    options: {port: {help: Its port.}}\n    environment: {REDIS_PORT: \"${redis.port}\"}\n";
    fs::write(own.path().join("farm.yaml"), format!("templates: [steps]\n{capability}")).unwrap();
    let output = farmout(&["compile"]).current_dir(own.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("capability::lacking"), "{}", text(&output.stderr));
}

#[test]
fn a_buildout_that_no_plan_can_carry_is_told() {
    let farm = farm(&step("[echo]"), "", SLAVE);
    let path = |name: &str| farm.path().join("buildouts").join(name);
    fs::write(path("shop.cfg"), "[buildout]\nparts = openerp\n[openerp]\nrecipe = x\n").unwrap();
    fs::create_dir(path("shop")).unwrap();
    fs::write(path("shop/icon.png"), b"\x89PNG\r\n\x1a\n\xff").unwrap();
    fs::write(path("MANIFEST.cfg"), "[shop]\nbuildout = standalone shop.cfg with=shop\n").unwrap();
    let (fine, told) = compile(&farm);
    assert!(!fine);
    snapshot!("compile-plans-carry", told);
    fs::remove_file(path("shop/icon.png")).unwrap();
    assert!(compile(&farm).0);
}

#[test]
fn a_password_that_plans_would_carry_is_told() {
    let farm = farm(&step("[echo]"), "", SLAVE);
    let path = |name: &str| farm.path().join("buildouts").join(name);
    fs::write(path("MANIFEST.cfg"), "[shop]\nbuildout = standalone shop.cfg with=more\n").unwrap();
    fs::create_dir(path("more")).unwrap();
    let base =
        "[openerp]\naddons = git https://hidden-token@host.example/x x main\n# bzr https://me:hidden@host.example/y\n";
    fs::write(path("more/base.cfg"), base).unwrap();
    let shop = "[buildout]\nextends = more/base.cfg\nparts = openerp\n[me]\npw = x\n[openerp]\nrecipe = x\n\
        version = git https://bob:hidden-word@host.example/odoo odoo 8.0\n\
        addons += git https://${me:name}:${me:pw}@host.example/a a main\n    git https://git@host.example/b b main\n    \
        git ssh://deploy@host.example/c c main\n    git https://host.example/d@e d main\n";
    fs::write(path("shop.cfg"), shop).unwrap();
    let (fine, told) = compile(&farm);
    assert!(fine && !told.contains("hidden"), "{told}");
    snapshot!("compile-plans-passwords", told);
}

/// Whatever a template says, filling it in ends, and takes little memory.
#[test]
fn templates_that_never_end_are_told() {
    let mut said = String::new();
    for template in [
        step("[echo, \"{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}\"]"),
        step("[echo, \"{{ 'x' * 1000000000 }}\"]"),
        step("[echo, {each: range(100000) | map('string') | list * 100000}]"),
        format!("{}    each: range(50000) | list\n", step("[echo]")),
    ] {
        let (fine, told) = compile(&farm(&template, "", SLAVE));
        assert!(!fine, "{template}");
        said += &told;
    }
    snapshot!("compile-plans-endless", said);
}
