//! Where everything stands in the SVG drawing. Nodes come in, coordinates in pixels go out.
//!
//! Three columns: builds, builders, slaves. Between builders and slaves each slave has a vertical line of its own: lines
//! from every builder to every slave would cross by the hundred, while a dot on a slave's line can always be followed.

use serde::Serialize;

use super::drawing::{Drawing, Tag};

/// The width of a character of the monospaced font at its two sizes, in hundredths of a pixel; rounded up, since fonts differ.
const CHARACTER: usize = 735;
const SMALL_CHARACTER: usize = 615;

const MARGIN: usize = 20;
const HEADING: usize = 78;
const ROW: usize = 28;
const BOX: usize = 22;
const PARTING: usize = 12;
const SMALL_LINE: usize = 14;
const TAG: usize = 16;
const PADDING: usize = 10;
const BETWEEN_COLUMNS: usize = 34;
const RAIL: usize = 15;
/// Longer names are cut; their tooltips have them whole.
const LONGEST: usize = 56;

/// The drawing with its coordinates.
#[derive(Debug, Serialize)]
pub(super) struct Picture {
    width: usize,
    height: usize,
    legend: Vec<Placed>,
    headings: [usize; 3],
    builds: Vec<PlacedBuild>,
    rows: Vec<Row>,
    rails: Vec<Rail>,
}

/// A rectangle with text in it.
#[derive(Debug, Default, Serialize)]
struct Placed {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    text: String,
    colour: Option<usize>,
}

#[derive(Debug, Serialize)]
struct PlacedBuild {
    frame: Placed,
    lines: Vec<Placed>,
    title: String,
    /// Whether it has no builder.
    idle: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    frame: Placed,
    tags: Vec<Placed>,
    title: String,
    /// Where the line to the build begins.
    from: usize,
    /// Where the line to the last slave ends.
    to: usize,
    middle: usize,
    dots: Vec<Dot>,
}

#[derive(Debug, Serialize)]
struct Dot {
    x: usize,
    slave: usize,
    /// Whether the slave is the builder's first choice.
    first: bool,
}

#[derive(Debug, Serialize)]
struct Rail {
    x: usize,
    top: usize,
    bottom: usize,
    /// Where it turns to its slave.
    turn: usize,
    slave: usize,
    idle: bool,
    frame: Placed,
    tags: Vec<Placed>,
    title: String,
}

/// Finds a place for everything.
pub(super) fn lay_out(drawing: &Drawing) -> Picture {
    let cut_names = |names: Vec<&String>| names.iter().map(|name| width(&cut(name, LONGEST))).max().unwrap_or(0);
    let asks = drawing.builds.iter().flat_map(|build| &build.asks);
    let ask_width = asks.map(|ask| small_width(&cut(ask, LONGEST))).max().unwrap_or(0);
    let name_width = cut_names(drawing.builds.iter().map(|build| &build.name).collect());
    let build_width = name_width.max(ask_width).max(120) + 2 * PADDING;
    let tags_width = drawing.builders.iter().map(|builder| tags_width(&builder.tags)).max().unwrap_or(0);
    let builder_width =
        cut_names(drawing.builders.iter().map(|builder| &builder.name).collect()).max(120) + tags_width + 2 * PADDING;
    let builders_x = MARGIN + build_width + BETWEEN_COLUMNS;
    let rails_x = builders_x + builder_width + BETWEEN_COLUMNS;
    let slaves_x = rails_x + drawing.slaves.len() * RAIL + BETWEEN_COLUMNS / 2;

    let (mut builds, mut rows) = (Vec::new(), Vec::new());
    let mut y = HEADING;
    for build in &drawing.builds {
        let own_height = BOX + build.asks.len() * SMALL_LINE + 6;
        let height = own_height.max(build.builders.len() * ROW);
        let frame = Placed { x: MARGIN, y, width: build_width, height, text: cut(&build.name, LONGEST), colour: None };
        let line = |(number, ask): (usize, &String)| Placed {
            x: MARGIN + PADDING,
            y: y + BOX + 10 + number * SMALL_LINE,
            text: cut(ask, LONGEST),
            ..Placed::default()
        };
        let lines = build.asks.iter().enumerate().map(line).collect();
        builds.push(PlacedBuild { frame, lines, title: build.title.clone(), idle: build.builders.is_empty() });
        let first = y + (height - build.builders.len() * ROW) / 2;
        for (number, builder) in build.builders.iter().enumerate() {
            rows.push(row(drawing, *builder, (builders_x, first + number * ROW + (ROW - BOX) / 2), builder_width));
        }
        y += height + PARTING;
    }
    let mut rails = rails(drawing, &mut rows, rails_x, slaves_x);
    let slave_width = rails.iter().map(|rail| rail.frame.width).max().unwrap_or(0).max(120);
    rails.iter_mut().for_each(|rail| rail.frame.width = slave_width);
    let bottom = rails.iter().map(|rail| rail.frame.y + rail.frame.height + PARTING).max().unwrap_or(0).max(y);
    let legend = legend(drawing);
    let legend_end = legend.last().map_or(0, |last| last.x + last.width);
    Picture {
        width: (slaves_x + slave_width).max(legend_end).max(640) + MARGIN,
        height: bottom + MARGIN,
        legend,
        headings: [MARGIN, builders_x, slaves_x],
        builds,
        rows,
        rails,
    }
}

fn row(drawing: &Drawing, index: usize, (x, y): (usize, usize), width: usize) -> Row {
    let builder = &drawing.builders[index];
    let mut tags = Vec::new();
    let mut right = x + width - 3;
    for tag in builder.tags.iter().rev() {
        let width = tag_width(tag);
        right -= width;
        tags.push(placed_tag(tag, right, y + (BOX - TAG) / 2, width));
        right = right.saturating_sub(3);
    }
    tags.reverse();
    let frame = Placed { x, y, width, height: BOX, text: cut(&builder.name, LONGEST), colour: None };
    let from = x - BETWEEN_COLUMNS;
    Row { frame, tags, title: builder.title.clone(), from, to: x + width, middle: y + BOX / 2, dots: Vec::new() }
}

/// The slaves' lines and boxes; puts the dots on the rows.
fn rails(drawing: &Drawing, rows: &mut [Row], rails_x: usize, slaves_x: usize) -> Vec<Rail> {
    // Rows are in the order of builds, and so are builders.
    let order: Vec<usize> = drawing.builds.iter().flat_map(|build| build.builders.iter().copied()).collect();
    let of_slave = |slave: usize| -> Vec<usize> {
        let takes = |(_, builder): &(usize, &usize)| drawing.builders[**builder].slaves.contains(&slave);
        order.iter().enumerate().filter(takes).map(|(row, _)| row).collect()
    };
    let count = drawing.slaves.len();
    // All at the top, where a reader begins: colours lead on from there.
    let mut top_of_box = HEADING;
    let mut rails = Vec::new();
    for (slave, node) in drawing.slaves.iter().enumerate() {
        let rows_of = of_slave(slave);
        // The uppermost slave has the line nearest to it.
        let x = rails_x + (count - 1 - slave) * RAIL;
        let height = BOX + node.tags.len() * (TAG + 3) + 6;
        // Not on a builder's line, where it could be taken for a part of it.
        let free = |offset: &usize| rows.iter().all(|row| row.middle.abs_diff(top_of_box + offset) > 4);
        let turn = top_of_box + [BOX / 2, BOX / 2 + 6, BOX / 2 - 5].into_iter().find(free).unwrap_or(BOX / 2);
        let middles = || rows_of.iter().map(|row| rows[*row].middle).chain([turn]);
        let (top, bottom) = (middles().min().unwrap_or(turn), middles().max().unwrap_or(turn));
        for row in &rows_of {
            let first = drawing.builders[order[*row]].slaves.first() == Some(&slave);
            rows[*row].dots.push(Dot { x, slave, first });
            rows[*row].to = rows[*row].to.max(x);
        }
        let tag = |(line, tag): (usize, &Tag)| {
            let y = top_of_box + BOX + 2 + line * (TAG + 3);
            placed_tag(tag, slaves_x + PADDING, y, tag_width(tag))
        };
        let tags: Vec<_> = node.tags.iter().enumerate().map(tag).collect();
        let inner = tags.iter().map(|tag| tag.width).max().unwrap_or(0).max(width(&cut(&node.name, LONGEST)));
        let frame = Placed {
            x: slaves_x,
            y: top_of_box,
            width: inner + 2 * PADDING,
            height,
            text: cut(&node.name, LONGEST),
            colour: None,
        };
        let idle = rows_of.is_empty();
        rails.push(Rail { x, top, bottom, turn, slave, idle, frame, tags, title: node.title.clone() });
        top_of_box += height + PARTING;
    }
    rails
}

fn legend(drawing: &Drawing) -> Vec<Placed> {
    let mut x = MARGIN;
    let place = |(number, name): (usize, &String)| {
        let tag = Tag { text: name.clone(), long: name.clone(), colour: Some(number) };
        let width = tag_width(&tag);
        let placed = placed_tag(&tag, x, MARGIN - 4, width);
        x += width + 6;
        placed
    };
    drawing.capabilities.iter().enumerate().map(place).collect()
}

fn placed_tag(tag: &Tag, x: usize, y: usize, width: usize) -> Placed {
    Placed { x, y, width, height: TAG, text: cut(&tag.text, LONGEST), colour: tag.colour.map(|colour| colour % 6) }
}

fn tag_width(tag: &Tag) -> usize {
    small_width(&cut(&tag.text, LONGEST)) + 10
}

fn tags_width(tags: &[Tag]) -> usize {
    tags.iter().map(|tag| tag_width(tag) + 3).sum::<usize>() + PADDING
}

fn width(text: &str) -> usize {
    (text.chars().count() * CHARACTER).div_ceil(100)
}

fn small_width(text: &str) -> usize {
    (text.chars().count() * SMALL_CHARACTER).div_ceil(100)
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
