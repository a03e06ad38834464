//! `farmout tool fetch archive`.

use std::fs;
use std::process::Command;

use super::snapshot::snapshot;
use super::streams::text;
use super::support::Place;

/// Archives in `root/shop`.
struct Case(Place);

impl Case {
    fn new() -> Self {
        let case = Self(Place::new());
        case.0.write("source/shop-1/release.cfg", "one");
        case.0.write("source/shop-1/bin/tool", "");
        case.0.write("source/shop-1/modules/sale.py", "");
        std::os::unix::fs::symlink("../release.cfg", case.0.path("source/shop-1/bin/link")).unwrap();
        assert!(
            Command::new("chmod").arg("755").arg(case.0.path("source/shop-1/bin/tool")).status().unwrap().success()
        );
        case.pack("shop-1", &["shop-1"]);
        case
    }

    /// Makes an archive with tar, and its checksum with md5sum.
    fn pack(&self, name: &str, arguments: &[&str]) {
        fs::create_dir_all(self.0.path("root/shop")).unwrap();
        let file = self.0.path(&format!("root/shop/{name}.tar.bz2"));
        // bzip2 may be missing on the machine, and Python has it.
        let code = "import bz2, sys; sys.stdout.buffer.write(bz2.compress(sys.stdin.buffer.read()))";
        let mut tar = Command::new("tar");
        tar.args(["--create", "--absolute-names", "--directory"]).arg(self.0.path("source")).args(arguments);
        let mut packed = tar.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut bzip2 = Command::new("python3");
        bzip2.args(["-c", code]).stdin(packed.stdout.take().unwrap()).stdout(fs::File::create(&file).unwrap());
        assert!(bzip2.status().unwrap().success() && packed.wait().unwrap().success());
        self.sum(name);
    }

    fn sum(&self, name: &str) {
        let mut md5sum = Command::new("md5sum");
        let output = md5sum.arg(format!("{name}.tar.bz2")).current_dir(self.0.path("root/shop")).output().unwrap();
        fs::write(self.0.path(&format!("root/shop/{name}.tar.bz2.md5")), output.stdout).unwrap();
    }

    fn arguments<'a>(&self, root: &'a str, directory: &'a str, name: &'a str) -> Vec<&'a str> {
        vec!["archive", "--root", root, "--directory", directory, "--name", name, "--into", "d", "--keep", "parts"]
    }

    fn root(&self) -> String {
        self.0.path("root").display().to_string()
    }

    #[track_caller]
    fn fetch(&self, name: &str) -> String {
        self.0.fetch(&self.arguments(&self.root(), "shop", name))
    }

    #[track_caller]
    fn fails(&self, code: i32, directory: &str, name: &str) -> String {
        self.0.fails(code, &self.arguments(&self.root(), directory, name))
    }
}

#[test]
fn what_is_in_an_archive_takes_the_place_of_all_but_what_is_kept() {
    let case = Case::new();
    case.0.write("d/.git/HEAD", "");
    case.0.write("d/old", "");
    case.0.write("d/parts/x", "");
    let sum = case.fetch("shop-1");
    assert!(case.0.read("root/shop/shop-1.tar.bz2.md5").starts_with(&format!("{sum} ")));
    assert_eq!(case.0.list("d"), ["bin", "modules", "parts", "release.cfg"]);
    assert_eq!(case.0.read("d/bin/link"), "one");
    assert!(!case.0.path("d/.git").exists());
    assert!(Command::new("test").arg("-x").arg(case.0.path("d/bin/tool")).status().unwrap().success());
    // Another one, after a fetch that was killed; sums are also read alone, as BSD writes them, and among others.
    case.0.write("d/.farmout-new/shop-1/x", "");
    case.0.write("source/shop-2/release.cfg", "two");
    case.pack("shop-2", &["shop-2"]);
    let other = case.0.read("root/shop/shop-2.tar.bz2.md5");
    let sum = other.split(' ').next().unwrap();
    let spellings = [
        sum.to_uppercase(),
        format!("MD5 (shop-2.tar.bz2) = {sum}\n"),
        format!("{}  shop-1.tar.bz2\n{sum} *dist/shop-2.tar.bz2\n", "0".repeat(32)),
    ];
    for spelling in spellings {
        case.0.write("root/shop/shop-2.tar.bz2.md5", &spelling);
        assert_eq!(case.fetch("shop-2.tar.bz2"), sum);
        assert_eq!(case.0.list("d"), ["parts", "release.cfg"]);
        assert_eq!(case.0.read("d/release.cfg"), "two");
    }
}

#[test]
fn an_archive_that_is_not_right_changes_nothing() {
    let case = Case::new();
    case.fetch("shop-1");
    case.pack("two", &["shop-1", "/etc/hostname"]);
    case.pack("damaged", &["shop-1"]);
    case.0.write("root/shop/damaged.tar.bz2", "damaged");
    case.pack("none", &["shop-1"]);
    fs::remove_file(case.0.path("root/shop/none.tar.bz2.md5")).unwrap();
    case.pack("other", &["shop-1"]);
    case.0.write("root/shop/other.tar.bz2.md5", &format!("{}  elsewhere.tar.bz2\n", "0".repeat(32)));
    case.0.write("root/shop/text.tar.bz2", "no archive");
    case.sum("text");
    case.0.write("root/shop/empty.tar.bz2", "");
    case.sum("empty");
    // Broken off in the middle, and with the right sum of that.
    let whole = fs::read(case.0.path("root/shop/shop-1.tar.bz2")).unwrap();
    fs::write(case.0.path("root/shop/half.tar.bz2"), &whole[..whole.len() / 2]).unwrap();
    case.sum("half");
    let mut all: Vec<String> =
        ["damaged", "none", "other", "text", "empty", "half"].iter().map(|name| case.fails(1, "shop", name)).collect();
    // Of a directory that is not there either nobody knows whether it only is not mounted.
    all.push(case.fails(3, "shop", "shop-7"));
    all.push(case.fails(1, "elsewhere", "shop-1"));
    all.extend(
        [("shop", "../x"), ("shop", ""), ("..", "shop-1"), ("shop/../..", "x")].map(|(a, b)| case.fails(2, a, b)),
    );
    all.push(case.0.fails(2, &case.arguments("root", "shop", "shop-1")));
    snapshot!(
        "tool-fetch-archive-errors",
        all.concat(),
        [(case.0.shown(), "ROOT"), (r"MD5 sum is [0-9a-f]{32}", "MD5 sum is …"), (r"says [0-9a-f]{32}", "says …")]
    );
    assert_eq!(case.0.list("d"), ["bin", "modules", "release.cfg"]);
}

#[test]
fn only_the_archive_that_was_asked_for_is_taken() {
    let case = Case::new();
    let root = case.root();
    let with = |more: &[&'static str]| [&case.arguments(&root, "shop", "shop-1")[..], more].concat();
    let sum: &'static str = case.fetch("shop-1").leak();
    assert_eq!(case.0.fetch(&with(&["--md5", sum, "--expect", "release.cfg"])), sum);
    // Replaced by another one of the same name, which is whole.
    case.0.write("source/shop-1/release.cfg", "other");
    case.pack("shop-1", &["shop-1"]);
    let all = [
        case.0.fails(3, &with(&["--md5", sum])),
        case.0.fails(2, &with(&["--md5", "x"])),
        case.0.fails(3, &with(&["--expect", "relase.cfg"])),
        case.0.fails(3, &with(&["--expect", "modles/release.cfg"])),
        case.0.fails(2, &with(&["--expect", "modules/../../x"])),
        case.0.fails(2, &with(&["--expect", "/etc/hostname"])),
    ];
    let sums = [(case.0.shown(), "ROOT"), ("[0-9a-f]{32}", "SUM")];
    snapshot!("tool-fetch-archive-other", all.concat(), sums);
    case.0.write("d/release.cfg", "mine");
    case.0.fails(3, &with(&["--md5", sum]));
    assert_eq!(case.0.read("d/release.cfg"), "mine");
}

#[test]
fn nothing_gets_out() {
    let case = Case::new();
    case.0.write("victim", "whole");
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, case.0.path(name)).unwrap();
    case.0.write("source/evil/x", "");
    link("../../..", "source/evil/up");
    link("/etc", "source/evil/absolute");
    link(".", "source/evil/here");
    let victim = case.0.path("victim").display().to_string();
    assert!(Command::new("mkfifo").arg(case.0.path("source/evil/pipe")).status().unwrap().success());
    let cases: [(&str, Vec<&str>); 7] = [
        ("parent", vec!["--transform=s,^evil/x,evil/../../victim,", "evil/x"]),
        ("rooted", vec![&victim, "evil/x"]),
        ("link", vec!["evil/up"]),
        ("absolute-link", vec!["evil/absolute"]),
        ("through", vec!["--transform=s,^evil/x$,evil/here/x,", "evil/here", "evil/x"]),
        ("pipe", vec!["evil/pipe"]),
        ("two", vec!["evil/x", "shop-1"]),
    ];
    let mut all = String::new();
    for (name, arguments) in cases {
        case.pack(name, &arguments);
        all.push_str(&case.fails(1, "shop", name));
    }
    // A hard link's target is a name in the archive; tar writes none that leads out, so one is made of another.
    fs::hard_link(case.0.path("source/evil/x"), case.0.path("source/evil/y")).unwrap();
    case.pack("hard", &["--transform=flags=h;s,^evil/x$,../../victim,", "evil/x", "evil/y"]);
    all.push_str(&case.fails(1, "shop", "hard"));
    snapshot!("tool-fetch-archive-unsafe", all, [(case.0.shown(), "ROOT")]);
    assert_eq!(case.0.read("victim"), "whole");
    let output = case.0.run(&case.arguments(&case.root(), "shop", "shop-1"));
    assert!(output.status.success(), "{}", text(&output));
}
