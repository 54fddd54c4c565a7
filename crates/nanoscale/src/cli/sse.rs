//! Server-sent events, line by line (HTML Living Standard, section 9.2.6).

/// What a stream said once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// The last id the stream named, with this event or before it.
    pub(super) id: Option<String>,
    /// Empty for a plain message.
    pub(super) name: String,
    pub(super) data: String,
}

#[derive(Default)]
pub(super) struct Parser {
    id: Option<String>,
    name: String,
    data: Option<String>,
}

impl Parser {
    /// Takes a line without its end. An empty one completes an event.
    pub(super) fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let data = self.data.take()?;
            return Some(Event { id: self.id.clone(), name, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "event" => value.clone_into(&mut self.name),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // A comment keeps the connection alive; our back-off is our own.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Parser};

    fn parse(text: &str) -> Vec<Event> {
        let mut parser = Parser::default();
        text.lines().filter_map(|line| parser.line(line)).collect()
    }

    fn event(id: Option<&str>, name: &str, data: &str) -> Event {
        Event { id: id.map(str::to_owned), name: name.into(), data: data.into() }
    }

    #[test]
    fn an_event_has_an_id_a_name_and_data() {
        let events = parse("id: 7\ndata: {\"a\":1}\n\nevent: end\ndata: {}\n\n");
        assert_eq!(events, [event(Some("7"), "", "{\"a\":1}"), event(Some("7"), "end", "{}")]);
    }

    #[test]
    fn data_may_have_lines_and_only_one_space_is_taken() {
        assert_eq!(parse("data: one\ndata:  two\ndata\ndata:four\n\n"), [event(None, "", "one\n two\n\nfour")]);
    }

    #[test]
    fn comments_unknown_fields_and_windows_ends_are_no_events() {
        assert_eq!(parse(": keep-alive\n\nretry: 10\nother: x\r\n\r\ndata: x\r\n\r\n"), [event(None, "", "x")]);
    }

    #[test]
    fn an_event_that_was_cut_off_never_was() {
        assert_eq!(parse("id: 1\ndata: half"), []);
        assert_eq!(parse("event: end\n\ndata: x\n\n"), [event(None, "", "x")]);
    }
}
