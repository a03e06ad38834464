//! What a server's administrator puts beside the repositories themselves, so that pushes are told without anybody's asking.

use crate::model::Vcs;

/// What a server's hook tells, and whom.
#[derive(Debug)]
pub struct Server<'a> {
    /// The system.
    pub vcs: Vcs,
    /// The address of the repository; for Bazaar, that of the directory below which branches are.
    pub url: &'a str,
    /// What follows `farmout notify`: where changes go.
    pub receivers: &'a [String],
    /// The farm's `farmout listen`, where the server has no farmout.
    pub listener: Option<&'a str>,
}

impl Server<'_> {
    /// The hook, with comments that say where it goes. None if the listener understands no such pushes.
    pub fn hook(&self) -> Option<String> {
        match (self.vcs, self.listener) {
            (Vcs::Git, None) => Some(self.git()),
            (Vcs::Git, Some(listener)) => Some(self.git_by_curl(listener)),
            (Vcs::Hg, None) => Some(self.hg()),
            (Vcs::Bzr, None) => Some(self.bzr()),
            (Vcs::Hg | Vcs::Bzr, Some(_)) => None,
        }
    }

    fn call(&self, how: &[&str]) -> String {
        let words = ["farmout", "notify", "--quiet"].into_iter().chain(how.iter().copied());
        shell_words::join(words.chain(self.receivers.iter().map(String::as_str)))
    }

    fn git(&self) -> String {
        let call = self.call(&["--vcs", "git", "--git-refs", "--url", self.url]);
        format!(
            "#!/bin/sh\n\
             # hooks/post-receive of the repository, mode 755: tells the farm of each push. It cannot make a push fail.\n\
             {call}\n\
             exit 0\n"
        )
    }

    fn git_by_curl(&self, listener: &str) -> String {
        let listener = shell_words::quote(listener.trim_end_matches('/'));
        // In JSON, and in the single quotes of a shell.
        let url = serde_json::Value::from(self.url).to_string().replace('\'', r"'\''").replace('%', "%%");
        format!(
            "#!/bin/sh\n\
             # hooks/post-receive of the repository, mode 755: tells the farm of each push. It cannot make a push fail.\n\
             # /etc/farmout.header has one line, `X-Gitlab-Token: SECRET`, with the secret of `farmout listen`; nobody but the\n\
             # users who push may read it.\n\
             while read -r old new ref; do\n\
             \x20 printf '{{\"ref\":\"%s\",\"before\":\"%s\",\"after\":\"%s\",\"project\":{{\"git_http_url\":{url}}}}}' \\\n\
             \x20   \"$(printf %s \"$ref\" | sed 's/\"/\\\\\"/g')\" \"$old\" \"$new\" |\n\
             \x20   curl --silent --show-error --fail --max-time 5 --output /dev/null --data-binary @- \\\n\
             \x20     --header @/etc/farmout.header --header 'X-Gitlab-Event: Push Hook' \\\n\
             \x20     --header 'Content-Type: application/json' {listener}/gitlab\n\
             done\n\
             exit 0\n"
        )
    }

    fn hg(&self) -> String {
        let call = self.call(&["--vcs", "hg", "--hg-changegroup", "--url", self.url]);
        format!(
            "# .hg/hgrc of the repository: tells the farm of each push. It cannot make a push fail.\n\
             [hooks]\n\
             changegroup.farmout = {call}\n"
        )
    }

    fn bzr(&self) -> String {
        let call = ["farmout", "notify", "--quiet", "--vcs", "bzr"].into_iter().map(str::to_owned);
        let call: Vec<String> = call.chain(self.receivers.iter().cloned()).collect();
        // What Python and JSON both take.
        let (call, url) = (serde_json::json!(call), serde_json::json!(self.url.trim_end_matches('/')));
        format!(
            "# ~/.config/breezy/plugins/farmout_notify.py of the user whose client or server changes the branches (for Bazaar\n\
             # itself: ~/.bazaar/plugins): tells the farm of each push. It cannot make a push fail.\n\
             import os.path\n\
             import subprocess\n\
             try:\n\
             \x20   from breezy import branch, trace, urlutils\n\
             except ImportError:\n\
             \x20   from bzrlib import branch, trace, urlutils\n\
             \n\
             ROOT = \"/srv/bzr\"  # the directory below which the branches are\n\
             URL = {url}  # its address\n\
             CALL = {call}\n\
             \n\
             \n\
             def place(transport):\n\
             \x20   while True:\n\
             \x20       try:\n\
             \x20           return transport.local_abspath(\".\")\n\
             \x20       except Exception:  # a server shows its clients a part of its files only\n\
             \x20           server = getattr(transport, \"server\", None)\n\
             \x20           if server is None:\n\
             \x20               return None  # the branch is another machine's, which tells\n\
             \x20           transport = server.backing_transport.clone(transport._filter(\".\"))\n\
             \n\
             \n\
             def tell(params):\n\
             \x20   try:\n\
             \x20       path = place(params.branch.user_transport)\n\
             \x20       if path is None:\n\
             \x20           return\n\
             \x20       path = os.path.realpath(path)\n\
             \x20       below = os.path.relpath(path, os.path.realpath(ROOT))\n\
             \x20       if below.startswith(\"..\"):\n\
             \x20           return\n\
             \x20       url = URL if below == \".\" else URL + \"/\" + urlutils.escape(below)\n\
             \x20       old, new = [\n\
             \x20           revision.decode() if isinstance(revision, bytes) else revision\n\
             \x20           for revision in (params.old_revid, params.new_revid)\n\
             \x20       ]\n\
             \x20       subprocess.call(CALL + [\"--url\", url, \"--repository\", path, \"--since\", old, \"--rev\", new])\n\
             \x20   except Exception as error:\n\
             \x20       trace.warning(\"farmout was not told: %s\", error)\n\
             \n\
             \n\
             branch.Branch.hooks.install_named_hook(\"post_change_branch_tip\", tell, \"farmout\")\n"
        )
    }
}
