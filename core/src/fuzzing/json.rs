//! Reads a line as strictly as the schema asks: in order, nothing twice.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

const FIELDS: [(&str, bool); 14] = [
    ("timestamp", true),
    ("level", true),
    ("component", true),
    ("host", true),
    ("run_id", true),
    ("logger", true),
    ("message", true),
    ("event_type", true),
    ("workload", true),
    ("repetition", true),
    ("scenario", false),
    ("package", false),
    ("plugin", false),
    ("tags", false),
];

/// A value, objects as lists of what stands in them.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Other,
    List,
    Object(Vec<(String, Node)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        while items.next_element::<Node>()?.is_some() {}
        Ok(Node::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = members.next_entry()? {
            all.push(member);
        }
        Ok(Node::Object(all))
    }
}

/// Checks a line with its newline, and returns its members.
pub(super) fn line(line: &[u8]) -> Vec<(String, Node)> {
    let shown = String::from_utf8_lossy(line);
    let body = line.strip_suffix(b"\n").unwrap_or_else(|| panic!("no newline: {shown}"));
    assert!(!body.contains(&b'\n'), "two lines: {shown}");
    let read = serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {shown}"));
    let Node::Object(members) = read else { panic!("no object: {shown}") };
    let mut expected = FIELDS.iter();
    for (name, value) in &members {
        // Those that are passed over may be absent.
        let passed: Vec<_> = expected.by_ref().take_while(|(field, _)| field != name).collect();
        assert!(passed.iter().all(|(_, needed)| !needed), "{name} too early or missing: {shown}");
        if let Node::Object(tags) = value {
            assert!(name == "tags" && !tags.is_empty(), "{shown}");
            let names: HashSet<_> = tags.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), tags.len(), "a tag twice: {shown}");
            let flat = |value: &Node| matches!(value, Node::Text(_) | Node::Other);
            assert!(tags.iter().all(|(_, value)| flat(value)), "nested: {shown}");
        }
    }
    assert!(expected.all(|(_, needed)| !needed), "fields are missing: {shown}");
    assert!(members.iter().all(|(name, _)| FIELDS.iter().any(|(field, _)| field == name)));
    members
}

/// The text of a member.
pub(super) fn text<'m>(members: &'m [(String, Node)], name: &str) -> &'m str {
    let found = members.iter().find(|(member, _)| member == name);
    match found {
        Some((_, Node::Text(text))) => text,
        other => panic!("{name}: {other:?}"),
    }
}
