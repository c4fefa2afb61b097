//! The page for a browser that returns from a login: plain text, no script, nothing loaded.

use std::fmt::Write;

/// The page, by the result of the login.
#[derive(Clone, Debug, PartialEq)]
pub enum Page {
    Finished,
    /// The reason, without secrets.
    Failed(String),
    /// No login waits for this redirect.
    NotWaiting,
    NotFound,
    BadRequest,
    MethodNotAllowed,
}

impl Page {
    /// Returns the whole HTTP/1.1 answer, after which the connection is closed.
    pub(super) fn to_http(&self) -> String {
        let (status, title, text) = match self {
            Page::Finished => ("200 OK", "Logged in", "You can close this page and go back."),
            Page::Failed(why) => ("200 OK", "The login failed", why.as_str()),
            Page::NotWaiting => (
                "400 Bad Request",
                "No login waits for this page",
                "It may be over, or belong to another program: then copy the address of this page and paste it there.",
            ),
            Page::NotFound => ("404 Not Found", "Not found", "There is nothing here."),
            Page::BadRequest => ("400 Bad Request", "Bad request", "This was not understood."),
            Page::MethodNotAllowed => ("405 Method Not Allowed", "Not allowed", "Only GET is."),
        };
        let body = format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\
             <body><h1>{title}</h1><p>{}</p></body></html>\n",
            escaped(text)
        );
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' | '>' | '&' | '"' | '\'' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "&#{};", u32::from(character));
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_its_length_and_runs_nothing() {
        let text = Page::Failed("<script>alert(1)</script> é".to_owned()).to_http();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        assert!(!body.contains("<script>") && body.contains("&#60;script&#62;alert(1)"), "{body}");
    }
}
