//! One HTML file that refers to nothing outside itself.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use super::document::Document;

const TEMPLATE: &str = include_str!("../../assets/report/page.html");
const STYLES: [&str; 2] = [
    include_str!("../../assets/report/uplot/uPlot.min.css"),
    include_str!("../../assets/report/page.css"),
];
/// In their order: each uses what stands before it.
const SCRIPTS: [&str; 7] = [
    include_str!("../../assets/report/uplot/uPlot.iife.min.js"),
    include_str!("../../assets/report/format.js"),
    include_str!("../../assets/report/dom.js"),
    include_str!("../../assets/report/chart.js"),
    include_str!("../../assets/report/activity.js"),
    include_str!("../../assets/report/logs.js"),
    include_str!("../../assets/report/page.js"),
];

/// Of uPlot, which goes wherever a report goes.
const LICENCE: &str = include_str!("../../assets/report/uplot/LICENSE");

/// How every report begins: what begins so may be replaced by the next one.
pub(crate) const BEGINNING: &str = "<!DOCTYPE html>\n<!-- made by lb report -->";

/// The page. What was logged comes from anywhere: it is in the page as JSON alone, in which no `<`
/// is left, and only scripts that bear the page's random nonce are run.
pub(crate) fn page(title: &str, document: &Document<'_>) -> serde_json::Result<String> {
    let data = serde_json::to_string(document)?.replace('<', "\\u003c");
    let nonce = format!("{:016x}", RandomState::new().build_hasher().finish());
    let fills = [
        ("{{title}}", escape(title)),
        ("{{nonce}}", nonce),
        ("{{styles}}", STYLES.join("\n")),
        ("{{scripts}}", format!("/*\n{LICENCE}*/\n{}", SCRIPTS.join("\n"))),
        ("{{data}}", data),
    ];
    Ok(fill(TEMPLATE, &fills))
}

/// Each placeholder's text; a text is never looked through for placeholders.
fn fill(template: &str, fills: &[(&str, String)]) -> String {
    let mut page = String::new();
    let mut rest = template;
    let first = |text: &str| {
        let found = fills.iter().filter_map(|(name, fill)| Some((text.find(name)?, *name, fill)));
        found.min_by_key(|(at, ..)| *at).map(|(at, name, fill)| (at, name.len(), fill.clone()))
    };
    while let Some((at, length, fill)) = first(rest) {
        page.push_str(&rest[..at]);
        page.push_str(&fill);
        rest = &rest[at + length..];
    }
    page.push_str(rest);
    page
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_not_looked_through_for_placeholders() {
        let fills = [("{{a}}", "{{b}} {{a}}".to_owned()), ("{{b}}", "x".to_owned())];
        assert_eq!(fill("1{{b}}2{{a}}3{{b}}", &fills), "1x2{{b}} {{a}}3x");
        assert_eq!(escape("<b>&\"ü"), "&lt;b&gt;&amp;&quot;ü");
    }

    #[test]
    fn the_template_has_what_a_report_needs() {
        assert!(TEMPLATE.starts_with(BEGINNING));
        for name in ["{{title}}", "{{nonce}}", "{{styles}}", "{{scripts}}", "{{data}}"] {
            assert!(TEMPLATE.contains(name), "{name}");
        }
        assert!(!LICENCE.contains("*/"));
        for script in SCRIPTS {
            assert!(!script.contains("</script") && !script.contains("<!--"));
        }
    }
}
