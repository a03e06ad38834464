//! The shell of jobs, for `sh -e` and utilities as small as busybox's. What differs between jobs comes in; lines of shell go out.

use super::{Given, RETRIES};

/// Where the run is kept, and what it makes.
const STATE: &str = ".farmout";

/// Where a downloaded farmout goes.
pub const PROGRAMS: &str = ".farmout/bin";

/// Where the job has the plans.
pub const PLANS: &str = "plans";

/// Where the job leaves its reports.
pub const REPORTS: [&str; 2] = ["junit.xml", "page.html"];

/// What later jobs of the builder need not fetch again, by the slave that stands for the job.
pub const CACHES: [&str; 2] = ["buildout-caches", "home/.cache/pip"];

/// A directory of what later jobs need not fetch again.
pub fn cache(slave: &str, inside: &str) -> String {
    format!("{STATE}/slaves/{slave}/{inside}")
}

/// Where pip keeps what it has fetched.
pub fn pip_cache(slave: &str) -> String {
    cache(slave, CACHES[1])
}

/// Makes farmout a command, of the image's own or by download; `path` is what has to be done about its directory.
pub fn get_farmout(path: &str) -> String {
    format!(
        "if ! command -v farmout; then\n\
         \x20 mkdir -p {PROGRAMS}\n\
         \x20 curl --fail --silent --show-error --location --retry 3 --output {PROGRAMS}/farmout \"$FARMOUT_URL\"\n\
         \x20 echo \"$FARMOUT_SHA256  {PROGRAMS}/farmout\" | sha256sum -c\n\
         \x20 chmod 755 {PROGRAMS}/farmout\n\
         \x20 {path}\n\
         fi"
    )
}

/// Gives the account that builds run as what an earlier job has left it: caches come back as root's.
pub fn hand_over(slave: &str) -> String {
    let directory = cache(slave, "");
    let directory = directory.trim_end_matches('/');
    format!(
        "if [ \"$(id -u)\" = 0 ] && [ -d {directory} ]; then\n\
         \x20 if ! id farmout >/dev/null 2>&1; then\n\
         \x20   if command -v useradd >/dev/null; then useradd --system --user-group --no-create-home farmout; \
         else adduser -S -D -H farmout; fi\n\
         \x20 fi\n\
         \x20 chown -hR farmout: {directory}\n\
         fi"
    )
}

/// Builds. `plan` is the plan, as the shell may write it.
pub fn build(secrets: &[Given], plan: &str) -> String {
    let [junit, page] = REPORTS;
    let run = format!("farmout run --state {STATE} --retries {RETRIES} --report junit={junit} --report html={page}");
    if secrets.is_empty() {
        return format!("{run} {plan}");
    }
    // The file says where the secrets are, and has none.
    let lines: Vec<_> = secrets.iter().map(|given| format!("'{}: ${}'", given.secret, given.variable)).collect();
    format!("(umask 077; printf '%s\\n' {} > secrets.yaml)\n{run} --secrets secrets.yaml {plan}", lines.join(" "))
}

/// Says on a page of Markdown how the run went, if there was one.
pub fn summary(into: &str) -> String {
    format!("{{ echo '~~~~text'; farmout report --state {STATE} || true; echo '~~~~'; }} >> {into}")
}
