//! The words of `farmout compile` through the binary, where one mistake is easily told twice, at the wrong place, or without
//! the reason: each test writes a farm, and shows all that is said about it.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

use common::binary;
use common::snapshot::snapshot;

const SLAVE: &str = "[atlas]\npassword = KvT3-example-9xLq\ncapability = postgresql 15\n";
const BUILDOUT: &str = "buildout = git https://git.example/shop main buildout.cfg\n";
const PART: &str = "[buildout]\nparts = openerp\n[openerp]\nrecipe = anybox.recipe.openerp:server\n";

/// A farm of these files. Without a `slaves.cfg` among them it has one slave.
fn farm(files: &[(&str, &[u8])]) -> TempDir {
    let farm = tempfile::tempdir().unwrap();
    let slave: (&str, &[u8]) = ("slaves.cfg", SLAVE.as_bytes());
    for (name, text) in std::iter::once(&slave).chain(files) {
        let path = farm.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    farm
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = binary::farmout(&["compile"]);
    command.current_dir(directory).env_remove("FARMOUT_DOCS_URL").args(arguments);
    command
}

/// What was said, on whichever stream.
fn text(output: &Output) -> String {
    binary::text(&output.stdout) + &binary::text(&output.stderr)
}

/// What is said about a farm.
fn said(files: &[(&str, &[u8])], arguments: &[&str]) -> String {
    text(&command(farm(files).path(), arguments).output().unwrap())
}

/// What is said about a farm with this manifest.
fn manifest(text: &str) -> String {
    said(&[("buildouts/MANIFEST.cfg", text.as_bytes())], &[])
}

/// A fragment of slaves that offer what `offers` says of each number.
fn slaves(count: usize, offers: impl Fn(usize) -> &'static str) -> String {
    let slave = |number| {
        let offers = offers(number);
        let password = format!("KvT3-example-{number:04}");
        format!("[s{number:03}]\npassword = {password}\ncapability = {offers}\nbuild-only-if-requires =\n")
    };
    (0..count).map(slave).collect()
}

#[test]
fn a_build_without_slaves_has_a_reason_for_each() {
    let manifest = format!(
        "[met-by-none]\n{BUILDOUT}build-requires = python >= 3.9\n[not-together]\n{BUILDOUT}build-for = postgresql >= 15\nbuild-requires = python\n"
    );
    let offers = ["postgresql 15", "postgresql 12\n    python 2.7\n    python 3.8", "postgresql 12\n    python"];
    let few = slaves(3, |number| offers[number]);
    let many = slaves(300, |number| if number % 17 == 0 { offers[1] } else { offers[number % 3 % 2 * 2] });
    let told =
        |slaves: &str| said(&[("buildouts/MANIFEST.cfg", manifest.as_bytes()), ("slaves.cfg", slaves.as_bytes())], &[]);
    snapshot!("words-no-slave-few", told(&few));
    snapshot!("words-no-slave-many", told(&many));
}

#[test]
fn a_version_that_nobody_says_is_worded() {
    let manifest = format!("[shop]\n{BUILDOUT}build-for =\nbuild-requires = python >= 3.9\n");
    let told =
        |slaves: &str| said(&[("buildouts/MANIFEST.cfg", manifest.as_bytes()), ("slaves.cfg", slaves.as_bytes())], &[]);
    let slaves = [
        slaves(2, |_| "python"),
        slaves(2, |number| ["pyhton 3.11", "postgresql 15"][number]),
        slaves(1, |_| "postgresql 15"),
        slaves(1, |_| ""),
    ];
    snapshot!("words-no-version", slaves.map(|slaves| told(&slaves)).join("\n"));
}

#[test]
fn a_broken_header_is_told_once() {
    let broken = [
        // The section above keeps its own options, and the one below is inherited from.
        format!(
            "[shop]\n{BUILDOUT}[base\n{BUILDOUT}build-for =\n    postgresql\n[till]\ninherit = base\nbuild-for =\n"
        ),
        format!("[base ; of all\n{BUILDOUT}[shop]\ninherit = base\n"),
        format!("[]\n{BUILDOUT}wacth = x\n[shop]\ninherit = nothing\n{BUILDOUT}"),
        "[DEFAULT\nbranch = main\n[shop]\nbuildout = git https://git.example/shop %(branch)s b.cfg\n".to_owned(),
        format!("[shop]\n{BUILDOUT}[shop\n{BUILDOUT}build-for = python\n"),
    ];
    let mut told: Vec<String> = broken.iter().map(|text| manifest(text)).collect();
    let shop = format!("[shop]\n{BUILDOUT}");
    for fragment in
        ["[atlas\npassword = KvT3-example-9xLq\ncapability = python\n", "[]\npassword = KvT3-example-9xLq\n"]
    {
        told.push(said(&[("buildouts/MANIFEST.cfg", shop.as_bytes()), ("slaves.cfg", fragment.as_bytes())], &[]));
    }
    let inside =
        "[buildout]\nparts = openerp\n[openerp\nrecipe = anybox.recipe.openerp:server\nparts = x\n[]\nparts = y\n";
    let files: [(&str, &[u8]); 2] =
        [("buildouts/MANIFEST.cfg", b"[shop]\nbuildout = standalone a.cfg\n"), ("buildouts/a.cfg", inside.as_bytes())];
    told.push(said(&files, &[]));
    snapshot!("words-broken-header", told.join("\n"));
}

#[test]
fn an_option_that_a_slip_means_is_not_unread() {
    let shop = "[shop]\nbranch = %(trunk)s\ntrunk = main\nother = x\n";
    let told = [
        manifest(&format!("{shop}buildout = git https://git.example/shop %(brnach)s b.cfg\n")),
        manifest(&format!("{shop}buildout = git https://git.example/shop %(branch) b.cfg %(trunk)s\n")),
        manifest(
            "[base]\nbranch = main\n[shop]\ninherit = base\nbuildout = git https://git.example/a %(branch)s b.cfg\n",
        ),
    ];
    snapshot!("words-misspelt-reference", told.join("\n"));
}

#[test]
fn a_directory_is_no_configuration() {
    let extends = format!("{PART}extends = a/ d\n").replace("[openerp]", "[other]\n[openerp]");
    let extends = extends.replacen("parts = openerp\n", "parts = openerp\nextends = with with/none\n", 1);
    let files: [(&str, &[u8]); 4] = [
        (
            "buildouts/MANIFEST.cfg",
            b"[shop]\nbuildout = standalone a.cfg with=with\n[till]\nbuildout = standalone with/\n",
        ),
        ("buildouts/a.cfg", extends.as_bytes()),
        ("buildouts/with/one.cfg", b""),
        ("buildouts/with/none/x", b""),
    ];
    snapshot!("words-directory", said(&files, &[]));
}

#[test]
fn paths_stay_in_what_is_fetched() {
    let sources = [
        "git /srv/x main ../b.cfg",
        "git /srv/x main /etc/b.cfg",
        "git /srv/x main ../../b.cfg subdir=a",
        "git /srv/x main b.cfg subdir=a/../..",
        "bzr /srv/x b.cfg subdir=..",
        "hgtag /srv/x a/../../b.cfg",
        "archive where what ../b.cfg",
        // These are fine.
        "git /srv/x main ../b.cfg subdir=a",
        "git /srv/x main a/../b.cfg",
        "bzr /srv/x ./b.cfg subdir=/a/../c/",
    ];
    let build = |(number, source): (usize, &&str)| format!("[s{number}]\nbuildout = {source}\nbuild-for =\n");
    let manifest: String = sources.iter().enumerate().map(build).collect();
    let manifest = format!("[DEFAULT]\npackaging.root-dir = /srv\n{manifest}");
    let all = said(&[("buildouts/MANIFEST.cfg", manifest.as_bytes())], &["--format", "short"]);
    snapshot!("words-leaves", all);
    // And the last of them goes on with the plainest spelling.
    let manifest = build((0, &sources[sources.len() - 1]));
    let farm = farm(&[("buildouts/MANIFEST.cfg", manifest.as_bytes())]);
    let plan = text(&binary::farmout(&["plan"]).current_dir(farm.path()).output().unwrap());
    assert!(plan.contains("--keep c/bin ") && plan.contains("--expect c/./b.cfg"), "{plan}");
}

#[test]
fn what_is_outside_of_the_farm_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("secret.cfg", "root:hunter2\n");
    write("far/away.cfg", PART);
    write("farm/inside.cfg", PART);
    write("farm/buildouts/reaching.cfg", &PART.replace("parts", "extends = ../../secret.cfg\nparts"));
    let absolute = directory.path().join("secret.cfg");
    let manifest = format!(
        "[a]\nbuildout = standalone ../../secret.cfg\n[b]\nbuildout = standalone {}\n[c]\nbuildout = standalone reaching.cfg\n\
         [d]\nbuildout = standalone ../buildouts/../inside.cfg\n[e]\nbuildout = standalone ../../missing.cfg\n\
         [f]\nbuildout = standalone a.cfg with=../..\n[g]\nbuildout = standalone ../inside.cfg with=../\n",
        absolute.display()
    );
    write("farm/buildouts/MANIFEST.cfg", &manifest);
    let told = text(&command(&directory.path().join("farm"), &[]).output().unwrap());
    assert!(!told.contains("hunter"), "{told}");
    // The mark below the absolute path is as long as the path.
    let mark = r"(?m)^(   ·                       )─{12,}┬─{12,}\n   · +╰";
    snapshot!(
        "words-outside",
        told.replace(&directory.path().display().to_string(), "[directory]"),
        [(mark, "$1[mark]\n   · ╰")]
    );
    // From elsewhere, and with a manifest from elsewhere, the same is in and out.
    let short = |arguments: &[&str]| text(&command(directory.path(), arguments).output().unwrap());
    let from_above = short(&["--farm", "farm", "--format", "short"]);
    assert_eq!(from_above.matches("is outside of the farm").count(), 4, "{from_above}");
    write("far/MANIFEST.cfg", "[a]\nbuildout = standalone away.cfg\n[b]\nbuildout = standalone ../secret.cfg\n");
    let told = short(&["--farm", "farm", "--manifest", "far/MANIFEST.cfg", "--format", "short"]);
    assert!(told.contains("far/MANIFEST.cfg:4:23: error[source::outside]") && !told.contains("cfg:2:"), "{told}");
}

#[test]
fn odd_names_of_builds_are_told() {
    let names = ["..", "-x", "a/b", " ", " a ", "a\u{1b}[31m", "a\u{202e}b"];
    let odd: String = names.iter().map(|name| format!("[{name}]\n{BUILDOUT}")).collect();
    snapshot!("words-odd-names", manifest(&odd));
    let usual: String =
        ["7.0", "a b", "café", "a_b-c", "x:y", "ü"].map(|name| format!("[{name}]\n{BUILDOUT}")).concat();
    assert!(manifest(&usual).starts_with("no errors"), "{}", manifest(&usual));
    // Nobody calls a section by its name that has no builder.
    assert!(
        manifest(&format!("[-base]\n[a/b]\nwatch = git https://git.example/a main\n[shop]\n{BUILDOUT}"))
            .starts_with("no errors")
    );
}

#[test]
fn circles_name_the_section_at_each_place() {
    let sections = format!(
        "[DEFAULT]\nthree = %(one)s\n[a]\ninherit = b\n{BUILDOUT}build-category = %(one)s\none = %(two)s\ntwo = %(three)s\n\
         [b]\ninherit = c\n[c]\ninherit = a\n[d]\ninherit = d\nbuild-category = %(x)s\nx = %(x)s\n"
    );
    let inside = "[buildout]\nextends = with/b.cfg\nparts = openerp\n[openerp]\nrecipe = anybox.recipe.openerp:server\n<= m\n\
                  a = ${n:b}\n[m]\n<= n\n[n]\n<= m\nb = ${o:c}\n[o]\nc = ${openerp:a}\n";
    let files: [(&str, &[u8]); 3] = [
        ("buildouts/MANIFEST.cfg", b"[shop]\nbuildout = standalone a.cfg with=with\n"),
        ("buildouts/a.cfg", inside.as_bytes()),
        ("buildouts/with/b.cfg", b"[buildout]\nextends = ../a.cfg\n"),
    ];
    snapshot!("words-circles", [manifest(&sections), said(&files, &[])].join("\n"));
}

#[test]
fn a_place_in_a_long_line_is_marked() {
    let long = "x".repeat(400);
    let text = format!(
        "[a]\nbuildout = git https://git.example/{long} main b.cfg {long}\n\
         [b]\n{BUILDOUT}build-for = postgresql {}=> 3\nwacth = {long}\n{BUILDOUT}",
        ">= 9 OR ".repeat(60)
    );
    snapshot!("words-long-lines", manifest(&text));
}

#[test]
fn columns_and_bytes_are_those_of_the_file() {
    let bytes =
        b"\xef\xbb\xbf[a\n[b]\nbuildout = git https://git.example/\xe9\xe9 main b.cfg tr\xc3\xa8s\nw\xe8cth = x\n";
    let files: [(&str, &[u8]); 1] = [("buildouts/MANIFEST.cfg", bytes)];
    snapshot!("words-bytes", said(&files, &[]));
    let json = said(&files, &["--format", "json"]);
    let mut shown: Vec<(String, &[u8])> = Vec::new();
    for line in json.lines().filter(|line| line.starts_with('{')) {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| usize::try_from(object[name].as_u64().unwrap()).unwrap();
        let place = format!("{} {}:{}", object["code"].as_str().unwrap(), number("line"), number("column"));
        shown.push((place, &bytes[number("start")..number("end")]));
    }
    let expected: [(&str, &[u8]); 4] = [
        ("ini::section-header 1:1", b"[a"),
        ("source::encoding 3:36", b"\xe9"),
        ("source::words 3:50", b"tr\xc3\xa8s"),
        ("option::unread 4:1", b"w\xe8cth"),
    ];
    assert_eq!(shown, expected.map(|(place, text)| (place.to_owned(), text)));
    // The two formats tell the same columns.
    let human = said(&files, &[]);
    assert!(human.contains("MANIFEST.cfg:1:1]") && human.contains("MANIFEST.cfg:3:50]"), "{human}");
}

#[test]
fn a_binary_file_is_told_once() {
    let manifest = b"\x7fELF\x02\x00\x00\xff\xfe[a]\n";
    snapshot!("words-binary", said(&[("buildouts/MANIFEST.cfg", manifest)], &[]));
}

#[test]
fn paths_are_as_one_would_type_them() {
    let text = format!("[shop]\n{BUILDOUT}wacth = x\n[till]\nbuildout = standalone ../x.cfg\n");
    let farm = farm(&[("buildouts/MANIFEST.cfg", text.as_bytes()), ("deep/er/x", b""), ("other.cfg", b"[a]\n")]);
    let from = |directory: &str, arguments: &[&str]| {
        let told = self::text(&command(&farm.path().join(directory), arguments).output().unwrap());
        format!("{directory}$ farmout compile {}\n{told}\n", arguments.join(" "))
    };
    let short = ["--format", "short"];
    snapshot!(
        "words-paths",
        [
            from("", &short),
            from("buildouts", &short),
            from("deep/er", &short),
            from("", &["--manifest", "MANIFEST.cfg"]),
            from("", &["--manifest", "othre.cfg"]),
            from("deep", &["--manifest", "nope.cfg"]),
            from("", &["nope.cfg", "buildouts/nope.cfg"]),
        ]
        .concat()
    );
}

#[test]
fn files_that_farm_yaml_names_are_there() {
    let shop = format!("[shop]\n{BUILDOUT}");
    let told = |yaml: &str| said(&[("buildouts/MANIFEST.cfg", shop.as_bytes()), ("farm.yaml", yaml.as_bytes())], &[]);
    let named = "# slaves.d/none.cfg\nslaves:\n  - slaves.cfg\n  - nope.cfg # gone\n  - slaves.d/*.cfg\n";
    snapshot!("words-farm-files", [told(named), told("manifests: [nope.cfg]\n")].join("\n"));
    assert!(told("tree-stable-timer: 60\n").starts_with("no errors"));
}

#[test]
fn codes_are_links_where_a_terminal_shows_them() {
    let text = format!("[shop]\n{BUILDOUT}# a\nwacth = x\n");
    let farm = farm(&[("buildouts/MANIFEST.cfg", text.as_bytes())]);
    let told = |arguments: &[&str], environment: &[(&str, &str)]| {
        let output = command(farm.path(), arguments).envs(environment.iter().copied()).output().unwrap();
        (output.status.code(), self::text(&output))
    };
    let (docs, force) = (("FARMOUT_DOCS_URL", "https://docs.example/checks.md"), ("FORCE_HYPERLINK", "1"));
    let link = "\u{1b}]8;;https://docs.example/checks.md#optionunread\u{1b}\\";
    let (code, linked) = told(&[], &[docs, force, ("CLICOLOR_FORCE", "1")]);
    assert!(code == Some(0) && linked.contains(link), "{linked}");
    assert_eq!(told(&["--docs-url", docs.1], &[force, ("CLICOLOR_FORCE", "1")]).1, linked);
    // What is no terminal gets no link; the words are the same.
    let plain = told(&[], &[]).1;
    assert_eq!(told(&[], &[docs]).1, plain);
    assert_eq!(told(&[], &[docs, force]).1, plain);
    assert!(!told(&[], &[force, ("CLICOLOR_FORCE", "1")]).1.contains("]8;;"));
    let sarif = |environment: &[(&str, &str)]| {
        let told = told(&["--format", "sarif"], environment).1;
        let document: serde_json::Value =
            serde_json::Deserializer::from_str(&told).into_iter().next().unwrap().unwrap();
        document["runs"][0]["tool"]["driver"]["rules"][0]["helpUri"].clone()
    };
    assert_eq!(sarif(&[docs]), "https://docs.example/checks.md#optionunread");
    assert_eq!((sarif(&[]), sarif(&[("FARMOUT_DOCS_URL", "")])), (serde_json::Value::Null, serde_json::Value::Null));
    let (code, refused) = told(&["--docs-url", "docs.example"], &[]);
    assert!(code == Some(2) && refused.contains("an address begins with https://"), "{refused}");
}
