//! What to type so that a master's files are rendered again, and used. In: how this call named the farm and the directory. Out: a line
//! for a shell, which can be run as it is printed from where this call was made.

use camino::{Utf8Path, Utf8PathBuf};
use shell_words::quote;

use super::Master;
use super::program::Buildbot;

impl Master<'_> {
    /// The command that renders this directory's files.
    pub(super) fn render(&self) -> String {
        let directory = quote(self.directory.as_str());
        let Some(one) = &self.document.master else {
            return format!("farmout render buildbot{} -o {directory}", self.farm);
        };
        let name = format!("master-{}", one.number);
        let render = format!("farmout render buildbot{} --masters {}", self.farm, one.of);
        if self.directory.canonicalize_utf8().is_ok_and(|real| real.file_name() == Some(&name)) {
            return format!("{render} -o {}", quote(above(self.directory).as_str()));
        }
        // It is called otherwise than what `--masters` makes.
        format!("{render} -o masters && cp masters/{name}/farm.json masters/{name}/farm.py {directory}")
    }

    /// The same, and what has the master use them: a command of Buildbot's, `reconfig` or `restart`.
    pub(super) fn renew(&self, buildbot: Option<&Buildbot>, command: &str) -> String {
        let buildbot = Buildbot::word(buildbot);
        format!("{} && {buildbot} {command} {}", self.render(), quote(self.directory.as_str()))
    }
}

/// The directory that another one is in, also where that is called `.` or `..`.
fn above(directory: &Utf8Path) -> Utf8PathBuf {
    match (directory.file_name(), directory.parent()) {
        (Some(_), Some(parent)) if parent.as_str().is_empty() => ".".into(),
        (Some(_), Some(parent)) => parent.to_owned(),
        _ if directory == "." => "..".into(),
        _ => directory.join(".."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_above_has_a_name() {
        let cases =
            [("masters/master-1", "masters"), ("master-1", "."), (".", ".."), ("..", "../.."), ("/m/master-1/", "/m")];
        for (directory, parent) in cases {
            assert_eq!(above(Utf8Path::new(directory)), parent, "{directory}");
        }
    }
}
