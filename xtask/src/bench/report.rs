//! The table at the end: what was reached, beside the aim and beside the existing Python bridge.

use std::io::Write as _;

/// Everything found so far.
#[derive(Default)]
pub(super) struct Report {
    rows: Vec<[String; 5]>,
    notes: Vec<String>,
}

/// Which side of the aim is the good one.
#[derive(Clone, Copy)]
pub(super) enum Aim {
    AtLeast(f64),
    AtMost(f64),
    None,
}

/// One figure.
pub(super) struct Figure<'a> {
    pub(super) what: String,
    pub(super) value: f64,
    pub(super) unit: &'a str,
    pub(super) aim: Aim,
    /// The existing Python bridge, measured on a machine like this.
    pub(super) reference: &'a str,
}

impl Report {
    pub(super) fn add(&mut self, figure: Figure<'_>) {
        let Figure { what, value, unit, aim, reference } = figure;
        let (aim, verdict) = match aim {
            Aim::AtLeast(aim) => (format!("≥ {}", number(aim)), verdict(value >= aim)),
            Aim::AtMost(aim) => (format!("≤ {}", number(aim)), verdict(value <= aim)),
            Aim::None => (String::new(), ""),
        };
        let value = format!("{} {unit}", number(value));
        eprintln!("bench:   {what}: {value}");
        self.rows.push([what, value, aim, verdict.to_owned(), reference.to_owned()]);
    }

    /// A figure without an aim.
    pub(super) fn plain(&mut self, what: impl Into<String>, value: f64, unit: &str) {
        self.add(Figure { what: what.into(), value, unit, aim: Aim::None, reference: "" });
    }

    /// A figure that could not be had.
    pub(super) fn not_available(&mut self, what: impl Into<String>) {
        self.rows.push([what.into(), "n/a".to_owned(), String::new(), String::new(), String::new()]);
    }

    /// A section that could not be measured.
    pub(super) fn missing(&mut self, section: &str, error: &anyhow::Error) {
        eprintln!("bench:   {section} failed: {error:#}");
        let first = format!("{error:#}");
        self.rows.push([section.to_owned(), "failed".to_owned(), String::new(), String::new(), String::new()]);
        self.notes.push(format!("{section} failed: {}", first.lines().next().unwrap_or_default()));
    }

    /// What a reader has to know beside the figures.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Prints everything to standard output.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let head = ["figure", "reached", "aim", "", "Python bridge"].map(str::to_owned);
        let rows: Vec<&[String; 5]> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: [usize; 5] = std::array::from_fn(width);
        let mut out = std::io::stdout().lock();
        for (index, row) in rows.iter().enumerate() {
            let [what, value, aim, verdict, reference] = row;
            let [a, b, c, d, _] = widths;
            let line = format!("{what:a$}  {value:>b$}  {aim:>c$}  {verdict:d$}  {reference}");
            writeln!(out, "{}", line.trim_end())?;
            if index == 0 {
                writeln!(out, "{}", "-".repeat(widths.iter().sum::<usize>() + 8))?;
            }
        }
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        writeln!(
            out,
            "note: one run on one machine, which may be busy: compare figures of the same run, best as ratios"
        )?;
        Ok(())
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "reached" } else { "short" }
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 10.0 => format!("{value:.2}"),
        small if small < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A value such that this share of the others is not above it. 0 of nothing.
pub(super) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = share * (sorted.len().saturating_sub(1)) as f64;
    sorted.get(at.round() as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!([0.0, 0.5, 0.95, 1.0].map(|share| percentile(&values, share)), [1.0, 3.0, 5.0, 5.0]);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }

    #[test]
    fn numbers_show_three_digits_that_matter() {
        assert_eq!([0.0, 0.1234, 12.345, 2000.4].map(number), ["0", "0.12", "12.3", "2000"]);
    }
}
