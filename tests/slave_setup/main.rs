//! `farmout slave setup` in a Debian or Ubuntu with nothing in it, and undone again. Everything is real: useradd, apt,
//! PostgreSQL, pip, dpkg-deb. What the tests need and the machine lacks is a failure; `tests/run` installs it.

#[path = "../common/clean_root.rs"]
mod clean_root;
#[allow(dead_code, reason = "this needs one folder copied")]
#[path = "../common/copy.rs"]
mod copy;
#[path = "../common/snapshot.rs"]
mod snapshot;

mod page;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use clean_root::CleanRoot;
use snapshot::snapshot;

const SETUP: [&str; 3] = ["farmout", "slave", "setup"];

/// No packages, so that nothing is downloaded.
const NO_PACKAGES: [&str; 2] =
    ["--needs=required", "--without=C compiler,C library headers,Python headers,venv,libpq,pg_config"];

fn setup<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SETUP.iter().chain(more).copied().collect()
}

fn bare<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SETUP.iter().chain(&NO_PACKAGES).chain(more).copied().collect()
}

/// Files that every change of users leaves, and the lock, which is in memory on a machine that runs.
fn without_traces(mut listing: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let traces = ["/etc/.pwd.lock", "/run/farmout-setup.lock"];
    let is_trace = |path: &str| traces.contains(&path) || path.starts_with("/etc/") && path.ends_with('-');
    listing.retain(|path, _| !is_trace(path));
    listing
}

#[track_caller]
fn same(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
    let differs = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>| -> Vec<String> {
        one.iter().filter(|(path, look)| other.get(*path) != Some(look)).map(|(p, l)| format!("{p} {l}")).collect()
    };
    assert!(before == after, "before: {:#?}\nafter: {:#?}", differs(before, after), differs(after, before));
}

/// Puts a program before the real one: it says that it has begun, and waits until it is let go.
fn slow(root: &CleanRoot, program: &str) {
    let (real, script) = (root.path(&format!("{program}.real")), root.path(program));
    fs::rename(&script, real).unwrap();
    let text =
        format!("#!/bin/sh\ntouch /begun\nwhile [ ! -e /go-on ]; do sleep 0.05; done\nexec {program}.real \"$@\"\n");
    fs::write(&script, text).unwrap();
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
}

fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

mod root {
    use super::*;

    #[test]
    fn what_setup_makes_it_undoes_and_nothing_else() {
        let root = CleanRoot::new();
        let before = root.listing();
        let dry = root.good(&setup(&["--dry-run"]));
        same(&before, &root.listing());
        let filters =
            vec![(r"\A.*\n", "[distribution]\n"), ("--no-install-recommends .*", "--no-install-recommends [packages]")];
        snapshot!("slave-setup-dry-run", dry, filters);
        let filters = vec![(r"\A.*\n", "[distribution]\n")];
        snapshot!("slave-setup", root.good(&bare(&[])), filters.clone());
        let made = root.listing();
        let owner = root.good(&["stat", "-c", "%U:%G %a", "/var/lib/farmout", "/var/lib/farmout/home"]);
        assert_eq!(owner, "root:root 755\nfarmout:farmout 755\n");
        let user = root.good(&["getent", "passwd", "farmout"]);
        assert!(user.trim_end().ends_with(":/var/lib/farmout/home:/usr/sbin/nologin"), "{user}");
        let shadow = root.good(&["getent", "shadow", "farmout"]);
        assert!(shadow.starts_with("farmout:!"), "it has a password: {shadow}");
        // Nothing is done twice.
        snapshot!("slave-setup-again", root.good(&bare(&[])), filters);
        same(&without_traces(made.clone()), &without_traces(root.listing()));
        // The account and everybody else can see what would be done, and not do it.
        let as_farmout = ["runuser", "-u", "farmout", "--"];
        let dry = root.good(&[&as_farmout[..], &bare(&["--dry-run"])].concat());
        assert!(dry.contains("0 to make, 4 there already"), "{dry}");
        let refused = root.ends(2, &[&as_farmout[..], &bare(&[])].concat());
        assert!(
            refused.contains("only root can set up a slave") && refused.contains("`sudo farmout slave setup"),
            "{refused}"
        );
        // Undone, first only in words.
        snapshot!("slave-setup-remove-dry-run", root.good(&setup(&["--remove", "--dry-run"])));
        same(&without_traces(made), &without_traces(root.listing()));
        root.good(&setup(&["--remove"]));
        same(&without_traces(before), &without_traces(root.listing()));
        let nothing = root.good(&setup(&["--remove"]));
        assert_eq!(nothing, "there is nothing to undo: /var/lib/farmout/setup.json does not exist\n");
    }

    #[test]
    fn what_was_there_before_stays() {
        let root = CleanRoot::new();
        root.good(&["useradd", "--system", "--shell", "/bin/sh", "--home-dir", "/srv", "builder"]);
        root.good(&["install", "-d", "-o", "builder", "/srv/slave/home"]);
        let before = root.listing();
        let made = root.good(&bare(&["--user=builder", "--base=/srv/slave"]));
        assert!(made.contains("it can log in (its shell is /bin/sh)"), "{made}");
        assert!(made.contains("1 made, 4 there already"), "{made}");
        root.good(&setup(&["--remove"]));
        same(&without_traces(before), &without_traces(root.listing()));
        // A directory of somebody's, a link, one that others can write to, root: nothing of these is used, or changed.
        root.good(&["install", "-d", "-o", "games", "/srv/other/home"]);
        root.good(&["ln", "-s", "/srv/slave", "/srv/link"]);
        root.good(&["install", "-d", "-m", "1777", "/srv/open"]);
        for (arguments, message) in [
            (["--user=builder", "--base=/srv/other"], "/srv/other/home is there, and does not belong to builder"),
            (["--user=builder", "--base=/srv/link"], "/srv/link is a link"),
            (["--user=builder", "--base=/srv/open"], "others than root can write to /srv/open"),
            (["--user=root", "--base=/srv/slave"], "builds cannot run as root"),
            (["--user=Builder", "--base=/srv/slave"], "`Builder` cannot be the name of a system user"),
            (["--user=builder", "--base=slave"], "`slave` cannot be the slave's directory"),
            (["--user=builder", "--base=/srv/../etc"], "`/srv/../etc` cannot be the slave's directory"),
        ] {
            let said = root.ends(2, &bare(&arguments));
            assert!(said.contains(message), "{said}");
        }
        root.good(&setup(&["--remove"]));
        assert_eq!(root.good(&["stat", "-c", "%U", "/srv/other/home"]), "games\n");
    }

    #[test]
    fn elsewhere_it_names_the_packages() {
        let root = CleanRoot::new();
        fs::write(root.path("/usr/lib/os-release"), "ID=fedora\nPRETTY_NAME=\"Fedora Linux 41\"\n").unwrap();
        let before = root.listing();
        let said = root.ends(2, &setup(&["--needs=required"]));
        assert!(said.contains("this sets up Debian and Ubuntu, and this machine is Fedora Linux 41"), "{said}");
        assert!(said.contains("\n        dnf install -y gcc redhat-rpm-config glibc-devel "), "{said}");
        same(&before, &root.listing());
    }

    #[test]
    fn what_builds_left_goes_only_when_asked() {
        let root = CleanRoot::new();
        let before = root.listing();
        root.good(&bare(&[]));
        root.good(&["runuser", "-u", "farmout", "--", "touch", "/var/lib/farmout/home/run"]);
        root.good(&["ln", "-s", "/etc", "/var/lib/farmout/home/link"]);
        let said = root.ends(1, &setup(&["--remove"]));
        snapshot!("slave-setup-remove-kept", said);
        assert!(root.path("/var/lib/farmout/home/run").exists());
        root.good(&["id", "farmout"]);
        // What stays is still setup's: it can go on from there in both ways.
        root.good(&bare(&[]));
        root.good(&setup(&["--remove", "--purge"]));
        same(&without_traces(before), &without_traces(root.listing()));
    }

    #[test]
    fn killed_in_the_middle_it_knows_its_own_work() {
        let root = CleanRoot::new();
        let before = root.listing();
        slow(&root, "/usr/sbin/useradd");
        let mut first = root.command(&bare(&[])).spawn().unwrap();
        eventually("useradd does not begin", || root.path("/begun").exists());
        let busy = root.ends(1, &bare(&[]));
        assert!(busy.contains("another `farmout slave setup` is at work"), "{busy}");
        // The program within nsenter's child.
        let pid = root.good(&[
            "sh",
            "-c",
            "for p in /proc/[0-9]*; do [ \"$(cat $p/comm)\" = farmout ] && echo ${p#/proc/}; done; true",
        ]);
        root.good(&["sh", "-c", &format!("kill -KILL {pid}")]);
        first.wait().unwrap();
        fs::write(root.path("/go-on"), "").unwrap();
        eventually("useradd does not end", || root.run(&["id", "farmout"]).status.success());
        let again = root.good(&bare(&[]));
        assert!(again.contains("1 made, 3 there already"), "{again}");
        root.good(&setup(&["--remove"]));
        for file in ["/begun", "/go-on"] {
            fs::remove_file(root.path(file)).unwrap();
        }
        fs::rename(root.path("/usr/sbin/useradd.real"), root.path("/usr/sbin/useradd")).unwrap();
        same(&without_traces(before), &without_traces(root.listing()));
    }

    #[test]
    fn asked_to_stop_it_stops_between_two_things() {
        let root = CleanRoot::new();
        slow(&root, "/usr/sbin/useradd");
        let first = root.command(&bare(&[])).stderr(std::process::Stdio::piped()).spawn().unwrap();
        eventually("useradd does not begin", || root.path("/begun").exists());
        let pid = root.good(&[
            "sh",
            "-c",
            "for p in /proc/[0-9]*; do [ \"$(cat $p/comm)\" = farmout ] && echo ${p#/proc/}; done; true",
        ]);
        root.good(&["sh", "-c", &format!("kill -INT {pid}")]);
        fs::write(root.path("/go-on"), "").unwrap();
        let output = first.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert!(said.contains("call it again to go on from here"), "{said}");
        root.good(&["id", "farmout"]);
        assert!(!root.path("/var/lib/farmout/home").exists());
        let again = root.good(&bare(&[]));
        assert!(again.contains("1 made, 3 there already"), "{again}");
    }

    #[test]
    fn a_failing_step_is_told_and_the_next_call_goes_on() {
        let root = CleanRoot::new();
        // Only the clients: small packages, and no server.
        let without = "--without=C compiler,C library headers,Python headers,venv,libpq,pg_config,C++ compiler,kernel headers,\
                       PostgreSQL server,PostgreSQL client,libxml2,libxslt,zlib,libjpeg,FreeType,OpenLDAP,SASL,OpenSSL,libffi,\
                       git,CA certificates";
        let sources = root.path("/etc/apt/sources.list");
        let good = fs::read_to_string(&sources).unwrap();
        fs::write(&sources, "deb file:/nowhere stable main\n").unwrap();
        let said = root.ends(1, &setup(&[without]));
        assert!(said.contains("packages that builds need: `apt-get"), "{said}");
        assert!(said.contains("call it again to go on from here"), "{said}");
        assert!(!root.run(&["id", "farmout"]).status.success(), "it went on after a failure");
        fs::write(&sources, good).unwrap();
        let said = root.good(&setup(&[without]));
        assert!(said.contains("3 made, 1 there already"), "{said}");
        root.good(&["make", "--version"]);
        let said = root.good(&setup(&["--remove"]));
        assert!(said.contains("`apt-get autoremove` removes those"), "{said}");
        assert_eq!(root.good(&["apt-mark", "showauto", "make"]), "make\n");
    }

    #[test]
    fn roles_may_make_databases_and_nothing_more() {
        let root = CleanRoot::new();
        let said = root.good(&[&SETUP[..], &SERVER].concat());
        assert!(
            said.contains("CREATE ROLE \"farmout\" LOGIN CREATEDB NOSUPERUSER NOCREATEROLE NOREPLICATION"),
            "{said}"
        );
        let psql = |user: &str, sql: &str| {
            root.good(&["runuser", "-u", user, "--", "psql", "-XAtq", "-d", "postgres", "-c", sql])
        };
        let rights = "SELECT rolcanlogin, rolcreatedb, rolsuper, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles \
                      WHERE rolname = 'farmout'";
        assert_eq!(psql("postgres", rights), "t|t|f|f|f|f\n");
        assert!(root.good(&[&SETUP[..], &SERVER].concat()).contains("0 made"));
        // The account gets in by itself, and makes databases.
        psql("farmout", "CREATE DATABASE \"openerp-buildbot-shop\"");
        psql("farmout", "CREATE DATABASE accounts");
        let said = root.ends(1, &setup(&["--remove", "--purge"]));
        assert!(said.contains("it owns databases that are not known to be farmout's (\"accounts\")"), "{said}");
        psql("postgres", "DROP DATABASE accounts");
        root.good(&[&SETUP[..], &SERVER].concat());
        let said = root.ends(1, &setup(&["--remove"]));
        assert!(said.contains("it owns testing databases (\"openerp-buildbot-shop\"); --purge drops them"), "{said}");
        let said = root.good(&setup(&["--remove", "--purge"]));
        assert!(
            said.contains("DROP DATABASE \"openerp-buildbot-shop\"") && said.contains("nothing is left of setup"),
            "{said}"
        );
        assert_eq!(psql("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'farmout'"), "0\n");

        // A role that was there before is not changed, whatever it may do, and not dropped.
        psql("postgres", "CREATE ROLE farmout LOGIN SUPERUSER");
        let said = root.ends(1, &[&SETUP[..], &SERVER].concat());
        assert!(said.contains("is there without CREATEDB"), "{said}");
        assert!(said.contains("setup changes no role that is there already"), "{said}");
        psql("postgres", "ALTER ROLE farmout CREATEDB");
        psql("postgres", "GRANT pg_monitor TO farmout");
        let said = root.good(&[&SETUP[..], &SERVER].concat());
        assert!(said.contains("it may do more than builds need (SUPERUSER, membership in pg_monitor)"), "{said}");
        root.good(&setup(&["--remove", "--purge"]));
        assert_eq!(psql("postgres", rights), "t|t|t|f|f|f\n");

        // A cluster that somebody else stopped is left alone.
        root.good(&["pg_dropcluster", "--stop", &cluster(&root), "main"]);
        root.good(&["pg_createcluster", &cluster(&root), "theirs"]);
        let said = root.good(&[&SETUP[..], &SERVER].concat());
        assert!(said.contains("the cluster is down; `pg_ctlcluster"), "{said}");
    }

    #[test]
    fn a_worker_and_its_unit() {
        let root = CleanRoot::new();
        let before = root.listing();
        let venv = ["--needs=required", "--without=C compiler,C library headers,Python headers,libpq,pg_config"];
        let master = ["--buildbot-master=buildbot.example:9989", "--worker-name=atlas", "--unit"];
        let call = |more: &[&'static str]| [&SETUP[..], &venv, &master, more].concat();
        let said = root.ends(2, &call(&[]));
        assert!(said.contains("a new worker needs the password that the master knows it by"), "{said}");
        fs::write(root.path("/root/password"), "long and random\n").unwrap();
        let said = root.good(&call(&["--worker-password=/root/password"]));
        assert!(!said.contains("long and random"), "{said}");
        assert_eq!(root.good(&["stat", "-c", "%U %a", "/var/lib/farmout/worker/password"]), "farmout 600\n");
        // The worker reads its own configuration, as buildbot-worker starts it.
        let read = "import sys; sys.argv = ['x']; c = open('buildbot.tac').read(); g = {'__file__': 'buildbot.tac'}; \
                    exec(c, g); print(g['buildmaster_host'], g['port'], g['workername'], g['passwd'])";
        let python = ["env", "--chdir=/var/lib/farmout/worker", "/var/lib/farmout/buildbot/bin/python", "-c", read];
        let asked = root.good(&[&["runuser", "-u", "farmout", "--"][..], &python].concat());
        assert_eq!(asked, "buildbot.example 9989 atlas long and random\n");
        let said = root.good(&call(&[]));
        assert!(said.contains("0 made"), "{said}");
        // Another password, and nothing else.
        fs::write(root.path("/root/password"), "another one").unwrap();
        let said = root.good(&call(&["--worker-password=/root/password"]));
        assert!(said.contains("1 made") && !said.contains("another one"), "{said}");
        assert_eq!(root.good(&["cat", "/var/lib/farmout/worker/password"]), "another one\n");

        // systemd has nothing to say against the unit, and calls it well protected.
        let unit = root.path("/etc/systemd/system/farmout-worker.service");
        snapshot!("slave-setup-unit", fs::read_to_string(&unit).unwrap());
        let analyze = |words: &[&str]| {
            let at = format!("--root={}", root.path("/").display());
            let output =
                Command::new("systemd-analyze").args(words).arg(at).arg("farmout-worker.service").output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{words:?}: {said}");
            said.into_owned()
        };
        let said = analyze(&["verify", "--man=no", "--recursive-errors=no"]);
        assert!(!said.contains("farmout-worker.service:"), "{said}");
        analyze(&["security", "--offline=true", "--threshold=25"]);

        // A unit that was changed by hand stays as it is.
        fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
        let said = root.good(&call(&[]));
        assert!(said.contains("it was changed since setup wrote it, and stays so"), "{said}");
        let said = root.ends(1, &setup(&["--remove"]));
        assert!(said.contains("stays: it was changed since setup wrote it"), "{said}");
        root.good(&setup(&["--remove", "--purge"]));
        let mut left = root.listing();
        left.retain(|path, _| ["/etc/systemd", "/var/lib/farmout"].iter().any(|place| path.starts_with(place)));
        left.retain(|path, look| before.get(path) != Some(look));
        assert_eq!(left, BTreeMap::new());
    }

    #[test]
    fn the_metapackage_brings_what_builds_need() {
        let root = CleanRoot::new();
        // Those that are small: what the others are is in the control file all the same way.
        let without =
            "--without=C compiler,C++ compiler,PostgreSQL server,PostgreSQL client,git,Python headers,libxml2,libxslt";
        let said = root.good(&setup(&["--metapackage=/root/source", without]));
        assert!(said.contains("/root/source/debian/control\n"), "{said}");
        root.good(&["dpkg-deb", "--root-owner-group", "--build", "/root/source/farmout-slave", "/root"]);
        let deb = root.good(&["sh", "-c", "echo /root/farmout-slave_*_all.deb"]);
        root.good(&["apt-get", "update", "-qq"]);
        root.good(&["apt-get", "install", "-qq", "-y", "--no-install-recommends", deb.trim()]);
        let said = root.good(&setup(&["--dry-run", without]));
        assert!(!said.contains("apt-get install"), "{said}");
        // It goes with all that came with it.
        root.good(&["apt-get", "purge", "-qq", "-y", "--auto-remove", "farmout-slave"]);
        assert!(root.good(&setup(&["--dry-run", without])).contains("apt-get install"));
        assert!(!root.run(&["/usr/bin/python3", "--version"]).status.success());
    }

    /// The server, and nothing else.
    const SERVER: [&str; 1] = [
        "--without=C compiler,C library headers,Python headers,venv,libpq,pg_config,C++ compiler,make,\
                               kernel headers,PostgreSQL client,libxml2,libxslt,zlib,libjpeg,FreeType,OpenLDAP,SASL,OpenSSL,\
                               libffi,git,CA certificates",
    ];

    fn cluster(root: &CleanRoot) -> String {
        let directory = fs::read_dir(root.path("/usr/lib/postgresql")).unwrap().next().unwrap().unwrap();
        directory.file_name().into_string().unwrap()
    }
}
