//! Records on their way to stdout.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::os::fd::AsFd;

use anstream::{AutoStream, ColorChoice};

use crate::args::Format;
use crate::record::Record;
use crate::say::safe;

const PLAIN: &str = "\u{1b}[0m";
const FAINT: &str = "\u{1b}[2m";

/// Tags of several lines, which are shown below their record.
const BELOW: [&str; 2] = ["exception", "stack"];

/// How records are printed.
#[allow(clippy::struct_excessive_bools)] // Each is a choice of its own.
#[derive(Debug)]
pub(super) struct Style {
    pub(super) format: Format,
    /// Escape sequences for colours are wanted.
    pub(super) colour: bool,
    /// Every field, in text.
    pub(super) verbose: bool,
    /// What is printed is for a terminal: nothing in it may steer that.
    pub(super) terminal: bool,
    /// Records of several runs: each says of which it is.
    pub(super) runs: bool,
}

impl Style {
    pub(super) fn stdout_is_a_terminal() -> bool {
        io::stdout().is_terminal()
    }

    pub(super) fn colour_of_stdout() -> bool {
        AutoStream::choice(&io::stdout()) != ColorChoice::Never
    }
}

/// Prints records.
pub(super) struct Printer<W> {
    out: W,
    style: Style,
    /// Of one record, used again.
    text: String,
    pub(super) printed: u64,
}

impl Printer<BufWriter<File>> {
    /// To stdout, in large pieces.
    pub(super) fn to_stdout(style: Style) -> io::Result<Self> {
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Self::new(BufWriter::with_capacity(256 << 10, stdout), style)
    }
}

impl<W: Write> Printer<W> {
    fn new(mut out: W, style: Style) -> io::Result<Self> {
        if style.format == Format::Csv {
            out.write_all(HEADING.as_bytes())?;
        }
        Ok(Self { out, style, text: String::new(), printed: 0 })
    }

    /// Prints the record of a line.
    pub(super) fn print(&mut self, line: &[u8]) -> io::Result<()> {
        self.printed += 1;
        if self.style.format == Format::Json {
            if self.style.terminal {
                self.out.write_all(harmless(&String::from_utf8_lossy(line)).as_bytes())?;
            } else {
                self.out.write_all(line)?;
            }
            return self.out.write_all(b"\n");
        }
        self.text.clear();
        match Record::of_line(line) {
            Some(record) if self.style.format == Format::Csv => self.csv(&record),
            Some(record) => self.text(&record),
            // It has a time and a level, and is damaged behind them.
            None => {
                self.text.push_str(&safe(&String::from_utf8_lossy(line)));
                self.text.push('\n');
            }
        }
        self.out.write_all(self.text.as_bytes())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// `2026-11-22 10:11:12.123 ERROR    k6@node-1 cpu/3 k6.console exception: … key=value`
    fn text(&mut self, record: &Record<'_>) {
        self.time(&record.timestamp);
        self.level(&record.level);
        if self.style.runs || self.style.verbose {
            self.words(&[&record.run_id, " "]);
        }
        self.words(&[&record.component, "@", &record.host, " "]);
        if record.workload != "none" || record.repetition != 1 || self.style.verbose {
            self.words(&[&record.workload, "/", &record.repetition.to_string(), " "]);
        }
        if self.style.verbose {
            for name in [&record.scenario, &record.package, &record.plugin].into_iter().flatten() {
                self.words(&[name, " "]);
            }
        }
        self.words(&[&record.logger, " "]);
        if record.event_type != "log" || self.style.verbose {
            self.words(&[&record.event_type, ": "]);
        }
        self.words(&[&record.message]);
        let tags = record.tags();
        let below = |name: &str| BELOW.contains(&name);
        self.colour(FAINT);
        for (name, value) in tags.iter().filter(|(name, _)| !below(name)) {
            self.words(&[" ", name, "=", &value.text()]);
        }
        self.colour(PLAIN);
        self.text.push('\n');
        for (_, value) in tags.iter().filter(|(name, _)| below(name)) {
            for line in value.text().lines() {
                self.words(&["    ", line]);
                self.text.push('\n');
            }
        }
    }

    fn time(&mut self, timestamp: &str) {
        let shown = timestamp.get(..23).unwrap_or(timestamp);
        self.colour(FAINT);
        self.words(&[&shown.replacen('T', " ", 1)]);
        self.colour(PLAIN);
        self.text.push(' ');
    }

    fn level(&mut self, level: &str) {
        let colour = match level {
            "CRITICAL" => "\u{1b}[1;31m",
            "ERROR" => "\u{1b}[31m",
            "WARNING" => "\u{1b}[33m",
            "INFO" => "\u{1b}[32m",
            _ => FAINT,
        };
        self.colour(colour);
        self.words(&[&format!("{level:<8}")]);
        self.colour(PLAIN);
        self.text.push(' ');
    }

    fn colour(&mut self, colour: &str) {
        if self.style.colour {
            self.text.push_str(colour);
        }
    }

    fn words(&mut self, words: &[&str]) {
        for word in words {
            self.text.push_str(&safe(word));
        }
    }

    fn csv(&mut self, record: &Record<'_>) {
        let optional = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
        let fields = [
            &*record.timestamp,
            &record.level,
            &record.component,
            &record.host,
            &record.run_id,
            &record.logger,
            &record.message,
            &record.event_type,
            &record.workload,
            &record.repetition.to_string(),
            &optional(&record.scenario),
            &optional(&record.package),
            &optional(&record.plugin),
            record.tags.map_or("", serde_json::value::RawValue::get),
        ];
        for (at, field) in fields.into_iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            self.text.push_str(&quoted(&safe(field)));
        }
        self.text.push_str("\r\n");
    }
}

/// The same JSON without the controls that it allows in strings.
fn harmless(line: &str) -> Cow<'_, str> {
    if !line.contains(char::is_control) {
        return line.into();
    }
    let escape =
        |c: char| if c.is_control() { format!("\\u{:04x}", u32::from(c)) } else { c.into() };
    line.chars().map(escape).collect::<String>().into()
}

const HEADING: &str = "timestamp,level,component,host,run_id,logger,message,event_type,workload,repetition,scenario,package,plugin,tags\r\n";

/// A field of CSV, without controls: RFC 4180.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LINE: &str = concat!(
        r#"{"timestamp":"2026-11-22T10:11:12.123456789Z","level":"ERROR","component":"k6","#,
        r#""host":"h","run_id":"r","logger":"l","message":"\u001b[2Ja, \"b\"\n","#,
        r#""event_type":"exception","workload":"cpu","repetition":3,"#,
        r#""tags":{"n":1.50,"stack":"at x\nat \u0007y"}}"#
    );

    fn printed(format: Format, colour: bool, verbose: bool) -> String {
        let style = Style { format, colour, verbose, terminal: false, runs: false };
        let mut printer = Printer::new(Vec::new(), style).unwrap();
        printer.print(LINE.as_bytes()).unwrap();
        String::from_utf8(printer.out).unwrap()
    }

    #[test]
    fn text() {
        let expected = "2026-11-22 10:11:12.123 ERROR    k6@h cpu/3 l exception: \
                        \\u{1b}[2Ja, \"b\"\\n n=1.50\n    at x\n    at \\u{7}y\n";
        assert_eq!(printed(Format::Text, false, false), expected);
        assert!(printed(Format::Text, false, true).contains("ERROR    r k6@h cpu/3 l exception: "));
        assert!(printed(Format::Text, true, false).contains("\u{1b}[31mERROR   \u{1b}[0m k6@h"));
    }

    #[test]
    fn lines_as_they_are() {
        assert_eq!(printed(Format::Json, true, true), format!("{LINE}\n"));
    }

    #[test]
    fn lines_for_a_terminal() {
        let line = "{\"message\":\"ü \u{9b}2J\u{7f}\"}";
        assert_eq!(harmless(line), r#"{"message":"ü \u009b2J\u007f"}"#);
        assert!(matches!(harmless(LINE), Cow::Borrowed(LINE)));
    }

    #[test]
    fn csv() {
        let expected = "2026-11-22T10:11:12.123456789Z,ERROR,k6,h,r,l,\"\\u{1b}[2Ja, \"\"b\"\"\\n\",\
                        exception,cpu,3,,,,\"{\"\"n\"\":1.50,\"\"stack\"\":\"\"at x\\nat \\u0007y\"\"}\"\r\n";
        assert_eq!(printed(Format::Csv, true, false), HEADING.to_owned() + expected);
    }
}
