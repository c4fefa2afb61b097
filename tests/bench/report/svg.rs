//! Draws the figures, compared with the direct work, and how they grow. Pure: a report in, SVG out.

use super::Report;
use super::budget::{Budget, Verdict};
use super::figure::{Figure, Growth, Point};
use super::unit::Unit;

const WIDTH: f64 = 860.0;
const ROW: f64 = 22.0;
const LABELS: f64 = 430.0;
const PANEL: (f64, f64) = (270.0, 190.0);

const OURS: &str = "#2f6fde";
const DIRECT: &str = "#9aa0a6";
pub const MISSED: &str = "#d9480f";
const INK: &str = "#57606a";

pub fn draw(report: &Report) -> String {
    let bars: Vec<&Figure> = report.figures.iter().filter(|figure| figure.ratio.is_some()).collect();
    let bars_height = 60.0 + ROW * bars.len() as f64;
    let rows = report.growths.len().div_ceil(3) as f64;
    let height = bars_height + rows * (PANEL.1 + 50.0) + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"12\" fill=\"{INK}\">\n"
    );
    svg.push_str(&ratios(&bars));
    for (at, growth) in report.growths.iter().enumerate() {
        let (column, row) = ((at % 3) as f64, (at / 3) as f64);
        svg.push_str(&panel(growth, 10.0 + column * (PANEL.0 + 15.0), bars_height + row * (PANEL.1 + 50.0)));
    }
    svg.push_str("</svg>\n");
    svg
}

/// Each figure relative to the direct one, on a scale on which half and double are equally far from one.
fn ratios(bars: &[&Figure]) -> String {
    const SPAN: f64 = 3.5;
    let x = |ratio: f64| {
        LABELS + (WIDTH - LABELS - 60.0) * ((f64::log2(ratio).clamp(-SPAN, SPAN) + SPAN) / (2.0 * SPAN))
    };
    let mut svg = text(
        10.0,
        18.0,
        "start",
        "In relation to the direct way (1 = as if there were no sidecar); the mark is the budget",
    );
    for ratio in [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0] {
        let bottom = 48.0 + ROW * bars.len() as f64;
        svg.push_str(&line((x(ratio), 42.0), (x(ratio), bottom), "#d0d7de", 1.0));
        svg.push_str(&text(x(ratio), 38.0, "middle", &ratio.to_string()));
    }
    for (at, figure) in bars.iter().enumerate() {
        let y = 48.0 + ROW * at as f64;
        let ratio = figure.ratio.unwrap_or(1.0);
        let (from, to) = (x(1.0).min(x(ratio)), x(1.0).max(x(ratio)));
        let colour = if figure.verdict == Some(Verdict::Missed) { MISSED } else { OURS };
        svg.push_str(&text(LABELS - 8.0, y + 13.0, "end", &figure.name));
        svg.push_str(&format!(
            "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>\n",
            y + 3.0,
            (to - from).max(2.0),
            ROW - 8.0
        ));
        svg.push_str(&text(WIDTH - 8.0, y + 13.0, "end", &format!("{ratio:.2}")));
        if let Some(limit) = limit(figure) {
            svg.push_str(&line((x(limit), y), (x(limit), y + ROW - 2.0), "#1a7f37", 2.5));
        }
    }
    svg
}

/// The budget as a ratio.
fn limit(figure: &Figure) -> Option<f64> {
    let direct = figure.direct?;
    Some(match figure.budget? {
        Budget::AtMost(most) => most / direct,
        Budget::RatioAtMost(ratio) | Budget::RatioAtLeast(ratio) => ratio,
        Budget::AddedAtMost(added) => (direct + added) / direct,
        Budget::RatioAndFigureAtMost(ratio, most) => ratio.min(most / direct),
    })
}

/// One growth with both scales logarithmic: proportional growth is a diagonal.
fn panel(growth: &Growth, left: f64, top: f64) -> String {
    let values = || growth.points.iter().flat_map(|point| [Some(point.sidecar), point.direct]).flatten();
    let (low, high) = bounds(values());
    let (first, last) = bounds(growth.points.iter().map(|point| point.at));
    let (plot_left, plot_top) = (left + 46.0, top + 24.0);
    let (width, height) = (PANEL.0 - 56.0, PANEL.1 - 46.0);
    let place = |at: f64, value: f64| {
        let x = plot_left + width * share(at, first, last);
        (x, plot_top + height * (1.0 - share(value, low, high)))
    };
    let name = format!("{} by {}", growth.name, growth.along);
    let mut svg = text(left + 4.0, top + 14.0, "start", &name);
    let mut decade = low;
    while decade <= high * 1.001 {
        let (_, y) = place(first, decade);
        svg.push_str(&line((plot_left, y), (plot_left + width, y), "#d0d7de", 1.0));
        svg.push_str(&text(plot_left - 4.0, y + 4.0, "end", &short(decade, growth.unit)));
        decade *= 10.0;
    }
    for point in &growth.points {
        let (x, _) = place(point.at, low);
        svg.push_str(&text(x, plot_top + height + 15.0, "middle", &count(point.at)));
    }
    let curve = |of: &dyn Fn(&Point) -> Option<f64>, colour: &str| {
        let places = growth.points.iter().filter_map(|point| Some(place(point.at, of(point)?)));
        let path: Vec<String> = places.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
            path.join(" ")
        )
    };
    svg.push_str(&curve(&|point| point.direct, DIRECT));
    svg.push_str(&curve(&|point| Some(point.sidecar), OURS));
    svg
}

/// The powers of ten around the values.
pub fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let positive = values.filter(|value| *value > 0.0);
    let (low, high) =
        positive.fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return (1.0, 10.0);
    }
    let (low, high) =
        (10_f64.powi(f64::log10(low).floor() as i32), 10_f64.powi(f64::log10(high).ceil() as i32));
    (low, if high > low { high } else { low * 10.0 })
}

fn share(value: f64, low: f64, high: f64) -> f64 {
    f64::log10(value / low) / f64::log10(high / low)
}

fn short(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds if value >= 1e6 => format!("{} ms", value / 1e6),
        Unit::Nanoseconds if value >= 1e3 => format!("{} us", value / 1e3),
        Unit::Nanoseconds => format!("{value} ns"),
        Unit::Microseconds if value >= 1e6 => format!("{} s", value / 1e6),
        Unit::Microseconds if value >= 1e3 => format!("{} ms", value / 1e3),
        Unit::Microseconds => format!("{value} us"),
        Unit::Mebibytes => format!("{value} MiB"),
        Unit::PerSecond | Unit::MegabytesPerSecond | Unit::Bytes => count(value),
    }
}

fn count(value: f64) -> String {
    if value >= 1e6 {
        format!("{}M", value / 1e6)
    } else if value >= 1e3 {
        format!("{}k", value / 1e3)
    } else {
        value.to_string()
    }
}

fn text(x: f64, y: f64, anchor: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

fn line(from: (f64, f64), to: (f64, f64), colour: &str, width: f64) -> String {
    format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>\n",
        from.0, from.1, to.0, to.1
    )
}
