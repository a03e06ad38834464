//! Repositories as git itself does not find them: of somebody else, who has it refuse, and in hooks.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use common::snapshot::snapshot;
use common::{Farm, Ran, SYSTEM};

/// farmout without the settings of git that this machine or its user has.
fn strict(farm: &Farm, arguments: &[&str]) -> Command {
    let mut command = farm.farmout(arguments);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
}

/// A farm in a repository that keeps its fragment.
fn kept() -> Farm {
    let farm = Farm::demo();
    for arguments in
        [&["init", "-q"][..], &["add", "-A"], &["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "1"]]
    {
        assert!(common::command("git").args(arguments).current_dir(&farm.root).status().unwrap().success());
    }
    fs::set_permissions(farm.root.join("slaves.d/here.cfg"), fs::Permissions::from_mode(0o600)).unwrap();
    farm
}

#[test]
fn a_git_that_does_not_answer_is_said() {
    let farm = kept();
    farm.write(
        "bin/git",
        "#!/bin/sh\necho \"fatal: detected dubious ownership in repository at '/x'\" >&2\nexit 128\n",
    );
    fs::set_permissions(farm.root.join("bin/git"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{SYSTEM}", farm.root.join("bin").display());
    let ran = Ran::from(strict(&farm, &["compile", "--format", "short"]).env("PATH", path).output().unwrap()).exits(0);
    ran.says("notice[secret::unchecked]").says("detected dubious ownership in repository at '/x'");
}

/// Such a hook runs farmout with its own repository in the environment, be it that of the farm or another.
#[test]
fn a_hook_finds_a_fragment_that_is_kept() {
    let (farm, other) = (kept(), kept());
    for repository in [&farm, &other] {
        let mut hook = strict(&farm, &["compile", "--format", "short"]);
        hook.env("GIT_DIR", repository.root.join(".git")).env("GIT_INDEX_FILE", ".git/index").env("GIT_PREFIX", "x/");
        Ran::from(hook.output().unwrap()).exits(0).says("[secret::tracked]");
    }
}

mod root {
    use super::*;

    #[test]
    fn diff_says_what_git_says() {
        common::need_root();
        let farm = kept();
        Ran::from(strict(&farm, &["diff", "HEAD"]).output().unwrap()).exits(0);
        assert!(Command::new("chown").args(["-R", "65534:65534"]).arg(&farm.root).status().unwrap().success());
        let ran = Ran::from(strict(&farm, &["diff", "HEAD"]).output().unwrap()).exits(2);
        let root = regex::escape(&farm.root.display().to_string());
        snapshot!("diff-repository-of-another", ran.err, [(&*root, "[FARM]")]);
    }

    /// The check does not depend on whose the repository is, and runs nothing that its settings name.
    #[test]
    fn a_fragment_in_the_repository_of_another_is_found() {
        common::need_root();
        let farm = kept();
        let trap = farm.root.join("trap");
        farm.write("trap", &format!("#!/bin/sh\ntouch {}/sprung\n", farm.root.display()));
        fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
        for (name, value) in [("core.fsmonitor", trap.to_str().unwrap()), ("core.pager", trap.to_str().unwrap())] {
            assert!(
                common::command("git")
                    .args(["config", name, value])
                    .current_dir(&farm.root)
                    .status()
                    .unwrap()
                    .success()
            );
        }
        assert!(Command::new("chown").args(["-R", "65534:65534"]).arg(&farm.root).status().unwrap().success());
        let ran = Ran::from(strict(&farm, &["compile", "--format", "short"]).output().unwrap()).exits(0);
        ran.says("secret::tracked").says_no("secret::unchecked");
        assert!(!farm.root.join("sprung").exists());
    }
}
