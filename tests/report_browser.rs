//! The pages of `report::html` in a real browser: they work from a file, without network, by keyboard, for readers of all
//! kinds, and whatever is in the logs.

mod common {
    pub mod browser;
    pub mod kept;
}

use camino::Utf8PathBuf;
use common::browser::Browser;
use common::kept::{Kept, step};
use farmout::report::html::{Entry, write_index, write_run};
use serde_json::json;

fn page(kept: &Kept) -> Utf8PathBuf {
    let mut out = Vec::new();
    write_run(&kept.result("failure"), &Kept::past(&[("success", 100.0), ("success", 130.0)]), &mut out).unwrap();
    written(kept, &out)
}

/// Writes a page beside the run.
fn written(kept: &Kept, html: &[u8]) -> Utf8PathBuf {
    let path = kept.folder().join("report.html");
    std::fs::write(&path, html).unwrap();
    path
}

/// The small run, in a browser.
fn small(fragment: &str) -> (Kept, Browser) {
    let kept = Kept::small();
    let page = page(&kept);
    let mut browser = Browser::start(1200, 800);
    browser.open(&page, fragment);
    (kept, browser)
}

/// Whether an element is where a reader sees it.
const SEEN: &str = "(element => { const place = element.getBoundingClientRect(); \
    return place.height > 0 && place.top >= 0 && place.bottom <= innerHeight; })";
const CHOSEN: &str = "document.querySelector('.line.chosen')";
const FOUND: &str = "document.getElementById('page:found').textContent";
const CURRENT: &str = "document.querySelector('.line.current')?.textContent";

#[test]
fn it_opens_without_a_complaint_and_fetches_nothing() {
    let (kept, mut browser) = small("");
    browser.eval("for (const details of document.querySelectorAll('details')) details.open = true");
    browser.until("document.querySelectorAll('.viewer').length === 7");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let own = format!("file://{}", kept.folder().join("report.html"));
    let mut fetched = browser.fetched();
    fetched.retain(|address| *address != own && address != "about:blank" && !address.starts_with("data:"));
    assert_eq!(fetched, Vec::<String>::new());
    // And nothing could be, even if a log found a way.
    let refused = "fetch('https://farm.example/').then(() => false, () => true)";
    assert_eq!(browser.eval(refused), json!(true));
    assert!(browser.complaints().iter().any(|text| text.contains("Content Security Policy")));
}

#[test]
fn a_fragment_leads_to_a_line() {
    let (_kept, mut browser) = small("#shop-pg17/test:L2500");
    browser.until(&format!("{CHOSEN} !== null"));
    assert_eq!(browser.eval(&format!("{CHOSEN}.querySelector('code').textContent")), "2500 the Needle in the haystack");
    browser.until(&format!("{SEEN}({CHOSEN})"));
    // A part of a log, in the page that is open already, of a builder with a name that has to be encoded.
    browser.eval("location.hash = '#shop%20%227%2F2%22%3A%20%3Ci%3E%C3%A9%3C%2Fi%3E-pg17/nose:L2-L3'");
    let numbers = "[...document.querySelectorAll('.line.chosen a.n')].map(link => link.dataset.n).join()";
    browser.until(&format!("{numbers} === '2,3'"));
    browser.until(&format!("{SEEN}({CHOSEN})"));
    // A line that the log does not have, and a builder that the run does not have.
    browser.eval("location.hash = '#shop-pg15/fetch:L99'");
    browser.until("document.getElementById('shop-pg15/fetch').open");
    browser.eval("location.hash = '#nobody/nothing:L1'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_fragment_leads_to_one_of_many_builders() {
    let mut kept = Kept::new();
    for number in 0..40 {
        let log: String = (0..number * 10 % 300).map(|line| format!("error {line}\n")).collect();
        let analysis = step("analyze-test-log", "post-buildout", "failure", 3, 1.0);
        kept.add(&format!("shop-{number}"), "15", "failure", None, vec![(analysis, Some(log.as_bytes()))]);
    }
    let page = page(&kept);
    let mut browser = Browser::start(1200, 800);
    browser.open(&page, "#shop-33-pg15");
    // Of all these red ones only the first are open, and those that are asked for.
    assert_eq!(browser.eval("document.querySelectorAll('.builder[open]').length"), json!(21));
    let top = |builder: &str| format!("document.getElementById('{builder}').getBoundingClientRect().top");
    // Below the toolbar, and there it stays.
    for builder in ["shop-33-pg15", "shop-8-pg15", "shop-27-pg15"] {
        browser.eval(&format!("location.hash = '#{builder}'"));
        browser.eval("new Promise(resume => setTimeout(resume, 700))");
        let place = browser.eval(&top(builder)).as_f64().unwrap();
        assert!((40.0..120.0).contains(&place), "{builder}: {place}");
    }
}

#[test]
fn the_number_of_a_line_is_its_link() {
    let (_kept, mut browser) = small("#shop-pg17/test");
    browser.until("document.querySelector('.viewer a.n') !== null");
    browser.eval("document.querySelectorAll('.viewer a.n')[4].click()");
    browser.until("location.hash === '#shop-pg17/test:L5'");
    browser.until(&format!("{CHOSEN}?.textContent === '5 hay'"));
    let shift = "document.querySelectorAll('.viewer a.n')[8].dispatchEvent(new MouseEvent('click', \
                 {bubbles: true, cancelable: true, shiftKey: true}))";
    browser.eval(shift);
    browser.until("location.hash === '#shop-pg17/test:L5-L9'");
    browser.until("document.querySelectorAll('.line.chosen').length === 5");
}

#[test]
fn the_search_goes_through_all_logs() {
    let (_kept, mut browser) = small("");
    browser.press("/");
    browser.write("needle");
    browser.until(&format!("{FOUND} === '3 lines'"));
    let listed =
        "[...document.querySelectorAll('.hits button')].map(button => button.innerText.replace('\\n', ' ')).join()";
    browser.until(&format!("{listed} === 'shop-pg17, test 2,shop-pg15, test 1'"));
    // What went wrong comes first.
    browser.press("Enter");
    browser.until(&format!("{CURRENT} === '1234 the Needle in the haystack'"));
    assert_eq!(browser.eval(FOUND), "1 of 3");
    assert_eq!(browser.eval("document.querySelector('.line.current mark').textContent"), "Needle");
    browser.until(&format!("{SEEN}(document.querySelector('.line.current'))"));
    browser.press("Enter");
    browser.until(&format!("{CURRENT} === '2500 the Needle in the haystack'"));
    browser.press_shift("Enter");
    browser.until(&format!("{CURRENT} === '1234 the Needle in the haystack'"));
    // Away from the field, letters do it, and go round.
    browser.eval("document.activeElement.blur()");
    browser.press("p");
    browser.until(&format!("{CURRENT} === 'all is well, no needle here'"));
    assert_eq!(browser.eval("document.getElementById('shop-pg15/test').open"), json!(true));
    browser.press("n");
    browser.until(&format!("{CURRENT} === '1234 the Needle in the haystack'"));
    browser.press("Escape");
    browser.until(&format!("{FOUND} === '' && document.querySelector('mark') === null"));

    // From the list to a log.
    browser.press("/");
    browser.write("needle");
    browser.until(&format!("{FOUND} === '3 lines'"));
    browser.eval("document.querySelectorAll('.hits button')[1].click()");
    browser.until(&format!("{CURRENT} === 'all is well, no needle here' && {FOUND} === '3 of 3'"));
    assert_eq!(browser.eval("document.querySelectorAll('.line.current').length"), json!(1));
    assert_eq!(browser.eval("getComputedStyle(document.getElementById('page:hits')).display"), "none");
    browser.press("Escape");
    browser.until(&format!("{FOUND} === ''"));

    // Capitals count where there are some; characters of expressions are plain.
    for (text, found) in
        [("Needle", "2 lines"), ("[.*", "nothing found"), ("</script>", "1 line"), ("100% done", "1 line")]
    {
        browser.press("/");
        browser.write(text);
        browser.until(&format!("{FOUND} === '{found}'"));
        browser.press("Escape");
    }

    // What is found beyond what is shown of a long line.
    browser.press("/");
    browser.write("end of a long line");
    browser.press("Enter");
    browser.until("document.querySelector('.line.current mark')?.textContent === 'end of a long line'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn enter_does_not_wait_for_the_search() {
    let (_kept, mut browser) = small("");
    browser.press("/");
    browser.write("hay");
    browser.press("Enter");
    browser.until(&format!("{CURRENT} === '1 hay'"));
    browser.until(&format!("{FOUND} === '1 of 2,999'"));
}

#[test]
fn logs_are_shown_as_what_they_say() {
    let nose = "#shop%20%227%2F2%22%3A%20%3Ci%3E%C3%A9%3C%2Fi%3E-pg17/nose";
    let (_kept, mut browser) = small(nose);
    browser.eval(&format!("document.getElementById('{}').open = true", &nose[1..]));
    browser.until("document.querySelectorAll('.viewer .line').length === 9");
    let lines = browser.eval("[...document.querySelectorAll('.viewer code')].map(code => code.textContent)");
    let expected = [
        "</script><script>window.broken = 1</script>",
        "<!-- <script> ]]> & &amp; \"quoted\" 'too'",
        "not UTF-8: \u{fffd}\u{fffd} \u{fffd}(",
        "red and bold plain after",
        "100% done",
        "nul \u{2400} bell \u{2407} delete \u{2421}",
        "<img src=x onerror=\"window.broken = 2\">",
        "\u{202e}reversed",
        "last line without an end",
    ];
    assert_eq!(lines, json!(expected));
    assert_eq!(browser.eval("document.querySelector('.viewer .ink1').textContent"), "red and bold");
    assert_eq!(browser.eval("document.querySelector('.viewer .ink1').className"), "bold ink1");
    assert_eq!(browser.eval("window.broken === undefined"), json!(true));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn keys_lead_through_the_page() {
    let (_kept, mut browser) = small("");
    let focus = "document.activeElement.closest('.builder')?.dataset.name";
    // The red ones are first.
    for (key, builder) in [("j", "shop-pg17"), ("j", "docs-pg15"), ("k", "shop-pg17")] {
        browser.press(key);
        assert_eq!(browser.eval(focus), builder);
    }
    browser.press("f");
    assert_eq!(browser.eval("document.activeElement.getAttribute('aria-label')"), "output of analyze-test-log");
    browser.press("f");
    assert_eq!(browser.eval("document.activeElement.getAttribute('aria-label')"), "output of test");
    browser.press("?");
    browser.until("document.querySelector('dialog').open && document.activeElement.closest('dialog') !== null");
    // Keys of the page rest while the dialog is there.
    browser.press("j");
    assert_eq!(browser.eval("document.activeElement.closest('dialog') !== null"), json!(true));
    browser.press("Escape");
    browser.until("!document.querySelector('dialog').open");
    // All keys that are listed are there, and the other way round.
    let listed =
        browser.eval("[...document.querySelectorAll('dialog kbd')].map(key => key.textContent).sort().join(' ')");
    assert_eq!(listed, "/ ? Enter Esc Shift Enter f j k n p t w");
    // From the beginning, Tab comes to the link that leads past the toolbar, and a step is opened like any summary.
    browser.eval("document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)");
    browser.eval("document.getElementById('shop-pg17/test').querySelector('summary').focus()");
    browser.press("Enter");
    browser.until("document.querySelector('.viewer .line') !== null");
    browser.press("w");
    assert_eq!(browser.eval("getComputedStyle(document.querySelector('.viewer code')).whiteSpace"), "pre-wrap");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn light_and_dark_follow_the_system_and_the_reader() {
    let (_kept, mut browser) = small("");
    let paper = "getComputedStyle(document.body).backgroundColor";
    let (light, dark) = ("rgb(255, 255, 255)", "rgb(21, 23, 27)");
    browser.prefer("light");
    assert_eq!(browser.eval(paper), light);
    browser.prefer("dark");
    assert_eq!(browser.eval(paper), dark);
    browser.press("t");
    assert_eq!(browser.eval(paper), light);
    browser.eval("window.before = true");
    browser.call("Page.reload", json!({}));
    browser.until("window.before === undefined && document.readyState === 'complete'");
    assert_eq!(browser.eval(paper), light, "the choice was forgotten");
    browser.eval("document.querySelector('[data-do=theme]').click()");
    assert_eq!(browser.eval(paper), dark);
    browser.prefer("light");
    assert_eq!(browser.eval(paper), light, "what the system says counts again");
}

#[test]
fn text_can_be_read_in_both_colours() {
    let (_kept, mut browser) = small("");
    // The formula of WCAG: 4.5 is what ordinary text needs.
    let contrast = "(() => {
        const probe = document.body.appendChild(document.createElement('i'));
        const rgb = (name) => {
            probe.style.color = `var(--${name})`;
            const canvas = new OffscreenCanvas(1, 1).getContext('2d');
            canvas.fillStyle = getComputedStyle(probe).color;
            canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
        const light = (name) => {
            const [r, g, b] = rgb(name).map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const low = [];
        for (const paper of ['paper', 'raised'])
            for (const ink of ['ink', 'quiet', 'link', 'success', 'warnings', 'failure', 'interrupted', 'skipped']) {
                const [less, more] = [light(paper), light(ink)].sort((a, b) => a - b);
                const ratio = (more + 0.05) / (less + 0.05);
                if (!(ratio >= 4.5)) low.push(`${ink} on ${paper}: ${ratio}`);
            }
        return low;
    })()";
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        assert_eq!(browser.eval(contrast), json!([]), "{scheme}");
    }
}

#[test]
fn all_that_can_be_used_has_a_name() {
    let (_kept, mut browser) = small("#shop-pg17/test:L5");
    browser.until(&format!("{CHOSEN} !== null"));
    browser.call("Accessibility.enable", json!({}));
    let tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let (mut used, mut nameless) = (0, Vec::new());
    for node in tree["nodes"].as_array().unwrap() {
        let role = node["role"]["value"].as_str().unwrap_or_default();
        let wanted = ["button", "link", "searchbox", "region", "img", "DisclosureTriangle", "heading"].contains(&role);
        if node["ignored"] == json!(false) && wanted {
            used += 1;
            if node["name"]["value"].as_str().unwrap_or_default().trim().is_empty() {
                nameless.push(node.to_string());
            }
        }
    }
    assert!(used > 40, "{used}");
    assert_eq!(nameless, Vec::<String>::new());
    // Outcomes are told by more than colours and signs.
    let told = "document.querySelector('#shop-pg17 > summary h3').textContent.includes('failure')";
    assert_eq!(browser.eval(told), json!(true));
}

#[test]
fn a_narrow_window_scrolls_in_one_direction() {
    let mut kept = Kept::small();
    let long = "a-build-with-a-name-that-is-longer-than-a-telephone-is-wide-and-has-no-blank";
    let wide = format!("{}\n", "x".repeat(20_000));
    let mut tests = step("test", "post-buildout", "failure", 1, 2.0);
    tests["reason"] = json!("y".repeat(300));
    tests["command"] = json!(["bin/test", "z".repeat(500)]);
    kept.add(long, "16", "failure", Some(&"y".repeat(300)), vec![(tests, Some(wide.as_bytes()))]);
    let page = page(&kept);
    let mut browser = Browser::start(400, 800);
    browser.open(&page, "");
    browser.eval("for (const details of document.querySelectorAll('details')) details.open = true");
    browser.until("document.querySelectorAll('.viewer .line').length > 200");
    for wrap in [false, true] {
        let widths = browser.eval("[document.documentElement.scrollWidth, document.documentElement.clientWidth]");
        assert_eq!(widths[0], widths[1], "wrapped: {wrap}");
        browser.press("w");
    }
    // Of a line without end the beginning is shown, and the rest on demand.
    browser.eval(&format!("location.hash = '#{long}-pg16/test:L1'"));
    let long = format!("document.getElementById('{long}-pg16/test').querySelector('.viewer .line.chosen')");
    browser.until(&format!("{long} !== null"));
    assert_eq!(browser.eval(&format!("{long}.querySelector('code').textContent.length")), json!(4000));
    browser.eval(&format!("{long}.querySelector('button').click()"));
    assert_eq!(browser.eval(&format!("{long}.querySelector('code').textContent.length")), json!(20_000));
}

#[test]
fn a_log_of_half_a_million_lines_is_shown_at_once() {
    let mut kept = Kept::new();
    let log: String = (1..=500_000).map(|number| format!("row {number}\n")).collect();
    kept.add(
        "shop",
        "15",
        "success",
        None,
        vec![(step("test", "post-buildout", "success", 0, 9.0), Some(log.as_bytes()))],
    );
    let page = page(&kept);
    let mut browser = Browser::start(1200, 800);
    browser.open(&page, "#shop-pg15/test:L450000");
    browser.until(&format!("{CHOSEN}?.textContent === 'row 450000'"));
    browser.until(&format!("{SEEN}({CHOSEN})"));
    // Of all these lines only those around it are elements.
    let lines = browser.eval("document.querySelectorAll('.line').length");
    assert!(lines.as_u64().unwrap() < 2000, "{lines}");
    browser.eval("document.querySelector('.viewer > .more').click()");
    let before = "[...document.querySelectorAll('.viewer .line')].find(line => line.textContent === 'row 400000')";
    browser.until(&format!("{before} !== undefined && {SEEN}({before})"));
    browser.press("/");
    browser.write("row 499999");
    browser.press("Enter");
    browser.until(&format!("{CURRENT} === 'row 499999'"));
    browser.until(&format!("{SEEN}(document.querySelector('.line.current'))"));
}

#[test]
fn lines_behind_a_gap_keep_their_numbers() {
    let kept = Kept::small();
    let path = page(&kept);
    let html = std::fs::read_to_string(&path).unwrap();
    let cut =
        html.replace("data-lines=\"3000\"", "data-lines=\"1003000\" data-gap-after=\"10\" data-gap-lines=\"1000000\"");
    assert!(cut != html);
    let mut browser = Browser::start(1200, 800);
    browser.open(&written(&kept, cut.as_bytes()), "#shop-pg17/test:L1000020");
    browser.until(&format!("{CHOSEN}?.textContent === '20 hay'"));
    let gap = "document.querySelector('.line[data-gap]')";
    assert_eq!(browser.eval(&format!("{gap}.textContent")), "11 hay");
    assert_eq!(browser.eval(&format!("{gap}.dataset.gap")), "1,000,000 lines are left out here");
    assert_eq!(browser.eval(&format!("{gap}.querySelector('a').dataset.n")), "1000011");
    // What is left out leads to what comes next.
    browser.eval("location.hash = '#shop-pg17/test:L500'");
    browser.until(&format!("{SEEN}({gap})"));
}

#[test]
fn a_page_can_be_printed() {
    let (_kept, mut browser) = small("#shop-pg17/test:L2");
    browser.until(&format!("{CHOSEN} !== null"));
    let printed = browser.call("Page.printToPDF", json!({}));
    assert!(printed["data"].as_str().unwrap().len() > 20_000);
    browser.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    assert_eq!(browser.eval("getComputedStyle(document.querySelector('header.bar')).display"), "none");
    let widths = browser.eval("[document.documentElement.scrollWidth, document.documentElement.clientWidth]");
    assert_eq!(widths[0], widths[1]);
    assert_eq!(
        browser
            .eval("document.querySelector('.excerpt').scrollHeight <= document.querySelector('.excerpt').clientHeight"),
        json!(true)
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_index_leads_to_the_runs() {
    let kept = Kept::small();
    let result = kept.result("failure");
    page(&kept);
    let others = [Kept::other(1, Some("success"), 100.0), Kept::other(2, Some("failure"), 130.0)];
    let mut entries: Vec<_> = others.iter().map(|result| Entry { result, page: None }).collect();
    entries.push(Entry { result: &result, page: Some("report.html") });
    let mut out = Vec::new();
    write_index(&entries, &mut out).unwrap();
    let index = kept.folder().join("index.html");
    std::fs::write(&index, out).unwrap();
    let mut browser = Browser::start(400, 800);
    browser.open(&index, "");
    let widths = browser.eval("[document.documentElement.scrollWidth, document.documentElement.clientWidth]");
    assert_eq!(widths[0], widths[1]);
    // The latest is first.
    assert_eq!(browser.eval("document.querySelector('tbody a').textContent"), "20261122-215000-k3f9");
    browser.eval("document.querySelector('tbody a').click()");
    browser.until("document.title === 'failure: run 20261122-215000-k3f9' && document.readyState === 'complete'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
