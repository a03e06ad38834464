//! What a request means: a request in, a delivery in the spools and an answer out.

use std::borrow::Cow;

use jiff::Timestamp;
use percent_encoding::percent_decode;

use super::http::Request;
use super::signature;
use crate::diagnostic::plain;
use crate::model::Secret;
use crate::watch::payload::{self, Service};
use crate::watch::{Came, Delivery, Spool};

/// How long what is told of a request gets, in characters.
const LINE: usize = 300;

/// Where what comes goes, and who may send it.
#[derive(Debug)]
pub struct Router {
    /// All get what comes.
    pub spools: Vec<Spool>,
    /// One of them is in each request; without any, who can connect may send.
    pub secrets: Vec<Secret>,
}

impl Router {
    /// Does what a request says. The answer's status and line.
    pub(super) fn answer(&self, request: &Request) -> (u16, String) {
        let (status, line) = match self.told(request) {
            Ok(told) => match self.hand_over(&told) {
                Ok(()) => (200, told.summary()),
                Err(why) => (503, why),
            },
            Err((status, line)) => (status, line),
        };
        // Names in it are of strangers' choice.
        let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        (status, line.chars().take(LINE).map(printable).collect())
    }

    fn told(&self, request: &Request) -> Result<Came, (u16, String)> {
        let of = at(&request.path).ok_or_else(|| (404, "there is nothing here: send pushes to /".to_owned()))?;
        if request.method != "POST" {
            return Err((405, "send pushes here with POST".to_owned()));
        }
        let (service, event) = service(request).map_err(|why| (400, why))?;
        let service = match of {
            Some(Service::Heptapod) if service == Service::GitLab => Service::Heptapod,
            Some(Service::BitbucketServer | Service::Bitbucket)
                if matches!(service, Service::Bitbucket | Service::BitbucketServer) =>
            {
                service
            }
            Some(of) if of != service => {
                return Err((400, format!("the request is of another service than {} is for", request.path)));
            }
            _ => service,
        };
        if !self.secrets.is_empty() {
            signature::check(service, request, &self.secrets).map_err(|why| (401, why))?;
        }
        payload::read(service, event, &body(request), Timestamp::now()).map_err(|why| (422, why))
    }

    fn hand_over(&self, told: &Came) -> Result<(), String> {
        if told.changes.is_empty() {
            return Ok(());
        }
        for spool in &self.spools {
            // A service that sends it again does no harm where it was handed over already.
            spool.put(Delivery::Changes(told.changes.clone())).map_err(|error| {
                format!("cannot hand it over to {}: {}; send it again", spool.folder(), plain(&error.to_string()))
            })?;
        }
        Ok(())
    }
}

/// The service that a path is for; none inside where it is for all of them.
fn at(path: &str) -> Option<Option<Service>> {
    Some(match path.trim_end_matches('/') {
        "" => None,
        "/bitbucket" => Some(Service::Bitbucket),
        "/bitbucket-server" => Some(Service::BitbucketServer),
        "/forgejo" | "/gitea" => Some(Service::Gitea),
        "/github" => Some(Service::GitHub),
        "/gitlab" => Some(Service::GitLab),
        "/heptapod" => Some(Service::Heptapod),
        _ => return None,
    })
}

/// The service that a request is from, and its event. Some of them send what others do as well, so the order counts.
fn service(request: &Request) -> Result<(Service, &str), String> {
    let event = |name: &str| request.field(name);
    if let Some(event) = event("X-Forgejo-Event").or_else(|| event("X-Gitea-Event")) {
        return Ok((Service::Gitea, event));
    }
    if let Some(event) = event("X-Gitlab-Event") {
        return Ok((Service::GitLab, event));
    }
    if let Some(event) = event("X-Event-Key") {
        let cloud = event == "repo:push" || request.field("X-Hook-UUID").is_some();
        return Ok((if cloud { Service::Bitbucket } else { Service::BitbucketServer }, event));
    }
    if let Some(event) = event("X-GitHub-Event") {
        return Ok((Service::GitHub, event));
    }
    Err("no field of the request says which service it is from, and what happened there".to_owned())
}

/// The JSON in a body, which GitHub can also send as a field of a form.
fn body(request: &Request) -> Cow<'_, [u8]> {
    let form = request.field("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let mut fields = request.body.split(|byte| *byte == b'&');
    match fields.find_map(|field| field.strip_prefix(b"payload=")).filter(|_| form) {
        Some(field) => {
            let blanks: Vec<u8> = field.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
            percent_decode(&blanks).collect::<Vec<u8>>().into()
        }
        None => Cow::Borrowed(&request.body),
    }
}
