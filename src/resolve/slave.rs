//! Sections of slave fragments to slaves.

use std::collections::{BTreeMap, HashMap};

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;

use super::typed::typed;
use super::{Sheet, requirement};
use crate::diagnostic::{Diagnostics, Label, problem, suggest};
use crate::model::{
    Declaration, Declarations, DeclaredOptions, Offer, OfferOption, OfferValue, OptionType, Priority, SecretSource,
    Slave, Value, Version,
};
use crate::source::{SourceId, Span, Text};
use crate::syntax::words::{self, Word};

/// Makes the slaves of all fragments. A slave with a mistake is kept as far as it can be understood, so that it does
/// not make builders vanish; one without a password is kept too. `files` says where the fragments are.
pub fn slaves(
    sheets: &[Sheet],
    files: &[(SourceId, Option<Utf8PathBuf>)],
    options: &DeclaredOptions,
    declarations: &Declarations,
    diagnostics: &mut Diagnostics,
) -> Vec<Slave> {
    let mut slaves: Vec<Slave> = Vec::new();
    let mut known: HashMap<String, Span> = HashMap::new();
    for sheet in sheets {
        for (name, span) in sheet.sections() {
            if let Some(first) = known.get(name) {
                let problem = problem::Slave::Duplicate { slave: name.to_owned() };
                diagnostics.push(problem, span).label(*first, Label::FirstHere);
                continue;
            }
            known.insert(name.to_owned(), span);
            let reading = Reading { sheet, name, span, files, options, declarations, unclear: false, diagnostics };
            slaves.push(reading.slave());
        }
    }
    slaves
}

struct Reading<'a> {
    sheet: &'a Sheet,
    name: &'a str,
    span: Span,
    files: &'a [(SourceId, Option<Utf8PathBuf>)],
    options: &'a DeclaredOptions,
    declarations: &'a Declarations,
    /// Whether something that the slave offers was not understood.
    unclear: bool,
    diagnostics: &'a mut Diagnostics,
}

impl Reading<'_> {
    fn slave(mut self) -> Slave {
        let given = ["password", "passwd"].map(|option| self.sheet.get(self.name, option, self.diagnostics));
        if let [Some(_), Some(ignored)] = &given {
            let problem = problem::Setting::TwoSpellings { option: "password".to_owned() };
            self.diagnostics.push(problem, ignored.name);
        }
        let wrong = given.iter().flatten().any(|found| found.value.is_none());
        let password =
            given.into_iter().flatten().filter_map(|found| found.value).find(|password| !password.is_empty());
        if password.is_none() && !wrong {
            self.diagnostics.push(problem::Slave::NoPassword { slave: self.name.to_owned() }, self.span);
        }
        let mut capabilities = self.capabilities();
        let old = self.old_properties(&mut capabilities);
        let properties = self.properties(&old);
        let unclear = self.unclear;
        Slave {
            name: self.name.to_owned(),
            span: self.span,
            password_span: password.as_ref().map_or(self.span, Text::whole),
            password: password.map_or_else(
                || SecretSource::parse("", Utf8Path::new("")),
                |password| self.secret("password", &password, password.whole()),
            ),
            capabilities,
            unclear,
            max_builds: self.integer("max_builds"),
            notify_on_missing: self.list("notify_on_missing"),
            priority: self.priority(),
            only_if_requires: self.list("build-only-if-requires"),
            db_prefix: self.text("db_prefix").map_or_else(|| self.default("db_prefix"), |text| text.to_string()),
            properties,
        }
    }

    fn text(&mut self, option: &str) -> Option<Text> {
        self.sheet.get(self.name, option, self.diagnostics)?.value
    }

    fn default(&self, option: &str) -> String {
        self.options.get(option).and_then(|declared| declared.default.clone()).unwrap_or_default()
    }

    /// The value of an option by its declared type. `None` is how old fragments write that it is unset.
    fn value(&mut self, option: &str) -> Option<Value> {
        let text = self.text(option).filter(|text| !text.trim().is_empty() && !text.eq_ignore_ascii_case("none"))?;
        let declared = self.options.get(option);
        let kind = declared.map_or(OptionType::Text, |declared| declared.kind);
        typed(option, kind, declared.and_then(|declared| declared.minimum), &text, self.diagnostics)
    }

    fn integer(&mut self, option: &str) -> Option<u64> {
        match self.value(option)? {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }

    fn list(&mut self, option: &str) -> Vec<String> {
        match self.value(option) {
            Some(Value::List(list)) => list,
            _ => Vec::new(),
        }
    }

    fn priority(&mut self) -> Priority {
        match self.value("slave_priority") {
            Some(Value::Text(text)) => Priority::parse(&text).unwrap_or_default(),
            _ => Priority::default(),
        }
    }

    fn capabilities(&mut self) -> IndexMap<String, Vec<Offer>> {
        let mut capabilities: IndexMap<String, Vec<Offer>> = IndexMap::new();
        let Some(found) = self.sheet.get(self.name, "capability", self.diagnostics) else { return capabilities };
        let Some(value) = found.value else {
            self.unclear = true;
            return capabilities;
        };
        // Where the offer of each version is.
        let mut places: BTreeMap<(usize, Option<Version>), usize> = BTreeMap::new();
        for line in value.lines() {
            let offered = self.offer(&value, line);
            self.unclear |= offered.is_none();
            if let Some((name, offer)) = offered {
                let entry = capabilities.entry(name);
                let key = (entry.index(), offer.version.clone());
                let offers = entry.or_default();
                let place = *places.entry(key).or_insert(offers.len());
                match offers.get_mut(place) {
                    Some(first) => merge(first, offer, self.diagnostics),
                    None => offers.push(offer),
                }
            }
        }
        capabilities
    }

    fn offer(&mut self, value: &Text, line: &str) -> Option<(String, Offer)> {
        requirement::fits(value, line, self.diagnostics)?;
        let (name, words) = words::capability(line)?;
        let declaration = self.declarations.get(name);
        if declaration.is_none() {
            let near = crate::diagnostic::suggest::nearest(name, self.declarations.iter().map(|known| &*known.name));
            if let Some(near) = near {
                let problem = problem::Capability::Unknown { capability: name.to_owned(), near: near.to_owned() };
                self.diagnostics.push(problem, value.span_of(name));
            }
        }
        let mut offer = Offer { version: None, span: value.span_of(line), options: IndexMap::new() };
        let mut words = words.into_iter().peekable();
        if let Some(Word::Plain(text)) = words.peek() {
            let Some(version) = Version::parse(text) else {
                self.diagnostics.push(problem::Version::Syntax { version: (*text).to_owned() }, value.span_of(text));
                return None;
            };
            offer.version = Some(version);
            words.next();
        }
        let mut stray: Option<&str> = None;
        for word in words {
            match word {
                Word::Option(key, text) => {
                    let span = value.span_of(key).to(value.span_of(text));
                    if let Some(option) = self.offer_option(declaration, key, text, span)
                        && let Some(first) = offer.options.insert(key.to_owned(), option)
                    {
                        let problem = problem::Capability::Conflict { option: key.to_owned() };
                        self.diagnostics.push(problem, span).label(first.span, Label::FirstHere);
                    }
                }
                Word::Plain(text) => {
                    // Words that follow each other are one mistake, most often `port = 5433`.
                    let start = value.range_of(stray.unwrap_or(text)).start;
                    stray = Some(&value[start..value.range_of(text).end]);
                    continue;
                }
            }
            self.stray(value, stray.take());
        }
        self.stray(value, stray);
        Some((name.to_owned(), offer))
    }

    fn stray(&mut self, value: &Text, words: Option<&str>) {
        if let Some(words) = words {
            self.diagnostics.push(problem::Capability::Word { word: words.to_owned() }, value.span_of(words));
        }
    }

    fn offer_option(
        &mut self,
        declaration: Option<&Declaration>,
        key: &str,
        text: &str,
        span: Span,
    ) -> Option<OfferOption> {
        let declared = declaration.and_then(|declaration| declaration.options.get(key));
        if let (Some(declaration), None) = (declaration, declared) {
            let known = declaration.options.keys().cloned().collect();
            let capability = declaration.name.clone();
            self.diagnostics.push(problem::Capability::Option { option: key.to_owned(), capability, known }, span);
        }
        if let Some(declared) = declared {
            let choices = &declared.choices;
            if !choices.is_empty() && !choices.iter().any(|choice| choice == text) {
                self.diagnostics
                    .push(problem::Setting::Choice { option: key.to_owned(), choices: choices.clone() }, span);
                return None;
            }
            typed(key, declared.kind, None, &Text::derived(text, span), self.diagnostics)?;
            if let Some(why) = &declared.unused {
                let problem = problem::Setting::Unused { option: key.to_owned(), why: why.clone() };
                self.diagnostics.push(problem, span);
            }
        }
        let value = if declared.is_some_and(|declared| declared.secret) {
            OfferValue::Secret(self.secret(key, text, span))
        } else {
            OfferValue::Plain(text.to_owned())
        };
        Some(OfferOption { value, span })
    }

    /// A secret, or where it is. Relative paths begin where the fragment is.
    fn secret(&mut self, option: &str, text: &str, span: Span) -> SecretSource {
        let file = self.files.iter().find(|(id, _)| *id == span.source).and_then(|(_, path)| path.as_deref());
        let source = SecretSource::parse(text, file.and_then(Utf8Path::parent).unwrap_or(Utf8Path::new("")));
        if SecretSource::is_ambiguous(text) {
            let mark = if text.starts_with('@') { '@' } else { '$' };
            let taken = source.given().is_some();
            self.diagnostics.push(problem::Secret::Ambiguous { option: option.to_owned(), mark, taken }, span);
        }
        source
    }

    /// Plain properties such as `pg_version` become capabilities. Gives the names of all such properties.
    fn old_properties(&mut self, capabilities: &mut IndexMap<String, Vec<Offer>>) -> Vec<String> {
        let mut taken = Vec::new();
        for declaration in self.declarations.iter() {
            let Some(properties) = &declaration.properties else { continue };
            let names = std::iter::once(&properties.version).chain(properties.options.values());
            taken.extend(names.cloned());
            let Some(found) = self.sheet.get(self.name, &properties.version, self.diagnostics) else { continue };
            let Some(text) = found.value else { continue };
            let Some(version) = Version::parse(text.trim()) else {
                self.diagnostics.push(problem::Version::Syntax { version: text.to_string() }, text.whole());
                self.unclear = true;
                continue;
            };
            let mut offer = Offer { version: Some(version), span: found.name, options: IndexMap::new() };
            for (option, property) in &properties.options {
                let Some(found) = self.sheet.get(self.name, property, self.diagnostics) else { continue };
                let Some(text) = found.value.filter(|text| !text.is_empty() && &**text != "False") else { continue };
                let option_value = self.offer_option(Some(declaration), option, &text, text.whole());
                offer.options.extend(option_value.map(|value| (option.clone(), value)));
            }
            let offers = capabilities.entry(declaration.name.clone()).or_default();
            match offers.iter().find(|other| other.version == offer.version) {
                Some(other) => {
                    let problem = problem::Capability::TwoForms { capability: declaration.name.clone() };
                    self.diagnostics.push(problem, offer.span).label(other.span, Label::FirstHere);
                }
                None => offers.push(offer),
            }
        }
        taken
    }

    /// Everything else that the section says.
    fn properties(&mut self, old: &[String]) -> IndexMap<String, String> {
        let (sheet, name) = (self.sheet, self.name);
        let mut properties = IndexMap::new();
        for option in sheet.names(name) {
            if self.options.contains_key(option) || old.iter().any(|old| old == option) {
                continue;
            }
            let Some(found) = sheet.get(name, option, self.diagnostics) else { continue };
            let known = self.options.keys().map(String::as_str);
            if let Some(near) = suggest::nearest(option, known) {
                let problem = problem::Slave::NearOption { option: option.to_owned(), near: near.to_owned() };
                self.diagnostics.push(problem, found.name);
            }
            // Graphs and plans show properties: what is called a secret, or nearly so, is none.
            let secret = SECRET.iter().any(|word| option.contains(word)) || names_a_password(option);
            properties.extend(found.value.filter(|_| !secret).map(|value| (option.to_owned(), value.to_string())));
        }
        properties
    }
}

/// Parts of names that nobody gives to what everybody may see.
const SECRET: [&str; 4] = ["passw", "pwd", "secret", "token"];

/// Whether a name is `password` or `passwd`, or a slip of one.
pub(crate) fn names_a_password(name: &str) -> bool {
    suggest::nearest(name, ["password", "passwd", "pg_passwd"]).is_some()
}

/// Options of one version on two lines come together; two values of one option are a conflict.
fn merge(first: &mut Offer, second: Offer, diagnostics: &mut Diagnostics) {
    for (key, option) in second.options {
        match first.options.get(&key) {
            Some(other) if other.value != option.value => {
                let problem = problem::Capability::Conflict { option: key };
                diagnostics.push(problem, option.span).label(other.span, Label::FirstHere);
            }
            Some(_) => {}
            None => {
                first.options.insert(key, option);
            }
        }
    }
}
