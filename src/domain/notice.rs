//! What the bridge tells people when something did not work: a statement and a cure.

use std::fmt;

/// Words for a user: what happened, then what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// What happened, one sentence.
    pub statement: String,
    /// What to do, one sentence.
    pub hint: Option<String>,
}

impl Notice {
    /// A notice without a cure.
    pub fn new(statement: impl Into<String>) -> Self {
        Self { statement: statement.into(), hint: None }
    }

    /// Adds the cure.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.statement)?;
        if let Some(hint) = &self.hint {
            write!(f, " Hint: {hint}")?;
        }
        Ok(())
    }
}
