//! Texts with `${setting}` in them.

/// A text in its parts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Setting(String),
}

impl Template {
    /// Reads a text: `${name}` is a setting, `$$` a dollar.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('$') {
            plain.push_str(before);
            if let Some(behind) = behind.strip_prefix('$') {
                plain.push('$');
                rest = behind;
                continue;
            }
            let found = behind.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let Some((name, behind)) = found else {
                return Err(format!(
                    "{text:?}: a dollar that begins nothing; ${{setting}} names a setting, $$ is a dollar"
                ));
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Setting(name.to_owned()));
            rest = behind;
        }
        plain.push_str(rest);
        if !plain.is_empty() || parts.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// The settings that it names.
    pub(crate) fn settings(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Setting(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The setting, where it is nothing else.
    pub(crate) fn only(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Setting(name)] => Some(name),
            _ => None,
        }
    }

    /// The text with what `of` says of each setting.
    pub(crate) fn fill<E>(
        &self,
        mut of: impl FnMut(&str) -> Result<String, E>,
    ) -> Result<String, E> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Setting(name) => text.push_str(&of(name)?),
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        Template::parse(text)?.fill(|name| Ok(format!("<{name}>")))
    }

    #[test]
    fn settings_and_dollars() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("${a}", "<a>"),
            ("x${a}y${b}", "x<a>y<b>"),
            ("$$", "$"),
            ("$${a}", "${a}"),
            ("a$$$$b${c}$$", "a$$b<c>$"),
        ] {
            assert_eq!(filled(text).unwrap(), expected, "{text}");
        }
        for text in ["$", "$a", "${a", "a $ b", "$$$"] {
            assert!(filled(text).unwrap_err().contains("a dollar that begins nothing"), "{text}");
        }
        assert_eq!(Template::parse("${a}").unwrap().only(), Some("a"));
        assert_eq!(Template::parse("${a}b").unwrap().only(), None);
        let names = Template::parse("${a}b${c}").unwrap();
        assert_eq!(names.settings().collect::<Vec<_>>(), ["a", "c"]);
    }
}
