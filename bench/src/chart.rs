//! A chart of the figures that stand beside another: two bars each.

use std::fmt::Write as _;

use crate::results::{Beside, Figure, Results, short};

const ROW: usize = 62;
const WIDTH: f64 = 520.0;

/// An SVG of 860 pixels in width.
pub(crate) fn chart(results: &Results) -> String {
    let figures = results.parts.iter().flat_map(|part| part.figures.iter().map(move |figure| (part, figure)));
    let pairs: Vec<(&str, &Figure, &Beside)> = figures
        .filter_map(|(part, figure)| Some((part.name.as_str(), figure, figure.beside.as_ref()?)))
        .collect();
    let height = 30 + pairs.len() * ROW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"860\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (row, (part, figure, Beside { who, value: other })) in pairs.into_iter().enumerate() {
        let top = 20 + row * ROW;
        let most = figure.value.max(*other).max(f64::MIN_POSITIVE);
        let what = format!("{part}: {} ({})", figure.what, figure.unit);
        writeln!(svg, "<text x=\"10\" y=\"{}\">{}</text>", top + 4, escape(&what)).unwrap();
        for (at, who, value, colour) in
            [(0, "catalog-sync", figure.value, "#2a6fb0"), (1, who.as_str(), *other, "#b0b0b0")]
        {
            let y = top + 10 + at * 18;
            let width = value / most * WIDTH;
            writeln!(
                svg,
                "<rect x=\"10\" y=\"{y}\" width=\"{width:.1}\" height=\"15\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{} {}</text>",
                width + 16.0,
                y + 12,
                short(value),
                escape(who)
            )
            .unwrap();
        }
    }
    svg + "</svg>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
