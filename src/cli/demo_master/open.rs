//! A browser for an address, where there is a display.

use std::env::var_os;
use std::process::{Command, Stdio};

/// Opens the address in the user's browser, or says why not. The browser outlives this process.
pub(super) fn open(address: &str) {
    if var_os("DISPLAY").is_none() && var_os("WAYLAND_DISPLAY").is_none() {
        note!("there is no display here: no browser is opened");
        return;
    }
    let browser = var_os("BROWSER").filter(|browser| !browser.is_empty()).unwrap_or_else(|| "xdg-open".into());
    // In a session of its own, and nobody's child.
    let mut command = Command::new("setsid");
    command.arg("--fork").arg(&browser).arg(address);
    let opened = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !opened.is_ok_and(|status| status.success()) {
        note!("{} cannot be started: open the address yourself", browser.display());
    }
}
