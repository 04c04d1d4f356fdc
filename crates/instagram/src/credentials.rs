//! What a user pastes to log in with a browser's session: recognises the form, finds the cookies, checks them.
//!
//! Every refusal is a sentence with the cure and never repeats what was pasted.

mod paste;

use std::fmt;

use paste::Cookies;

/// The cookies of one logged-in browser session. `Debug` hides everything but the user id.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The session cookie, percent-encoded as the web writes it.
    pub sessionid: String,
    /// The account it belongs to: its leading digits.
    pub user_id: u64,
    /// Anti-forgery token, if it was among the cookies.
    pub csrftoken: Option<String>,
    /// Machine id, if it was among the cookies.
    pub mid: Option<String>,
    /// Browser id, if it was among the cookies.
    pub ig_did: Option<String>,
}

/// Why a pasted text is no login.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Nothing but white space.
    #[error("There is nothing to read. Hint: paste the value of the cookie `sessionid` of www.instagram.com.")]
    Empty,
    /// No known form.
    #[error(
        "This is no session that can be used. Hint: log in at www.instagram.com in a browser, open its developer \
         tools, and paste either the value of the cookie `sessionid` or a request to instagram.com copied as cURL."
    )]
    NotUnderstood,
    /// Starts like JSON but is not.
    #[error("This looks like JSON but ends early or is damaged. Hint: copy the whole export and paste it again.")]
    DamagedJson,
    /// Cookies, but not the one that counts.
    #[error(
        "These cookies do not contain `sessionid`. Hint: log in at www.instagram.com in that browser first, then copy \
         the cookies of that site again; the command `document.cookie` cannot see this one."
    )]
    NoSession,
    /// Too short to be whole.
    #[error("The session id is too short, so a part of it is missing. Hint: copy its whole value, without `…`.")]
    Truncated,
    /// Not from Instagram.
    #[error(
        "The session id does not begin with an account number. Hint: copy the value of the cookie `sessionid` of \
         www.instagram.com, not that of another cookie or site."
    )]
    NoAccount,
    /// Characters no cookie has.
    #[error("The session id contains characters that no cookie has. Hint: copy only its value and paste it again.")]
    BadCharacters,
}

impl Credentials {
    /// Understands a session id alone, a `Cookie:` header or its value, a cURL command, a Netscape cookie file and
    /// the JSON of browser extensions.
    pub fn parse(text: &str) -> Result<Self, CredentialsError> {
        let Cookies { sessionid, csrftoken, mid, ig_did } = paste::read(text)?;
        let sessionid = sessionid.ok_or(CredentialsError::NoSession)?;
        if !sessionid.bytes().all(is_cookie_byte) {
            return Err(if sessionid.ends_with('…') {
                CredentialsError::Truncated
            } else {
                CredentialsError::BadCharacters
            });
        }
        // The web writes the separators percent-encoded; some tools decode them on the way.
        let sessionid = sessionid.replace(':', "%3A");
        if leading_number(&sessionid).is_none() {
            return Err(CredentialsError::NoAccount);
        }
        let user_id = sessionid_user(&sessionid).ok_or(CredentialsError::Truncated)?;
        let keep = |value: Option<String>| value.filter(|value| !value.is_empty() && value.bytes().all(is_cookie_byte));
        Ok(Self { sessionid, user_id, csrftoken: keep(csrftoken), mid: keep(mid), ig_did: keep(ig_did) })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials(user {})", self.user_id)
    }
}

/// The account of a whole, well-formed session id.
pub(crate) fn sessionid_user(sessionid: &str) -> Option<u64> {
    // Shorter values are cut off: the account number and the key alone are longer.
    (sessionid.len() > 30 && sessionid.bytes().all(is_cookie_byte)).then(|| leading_number(sessionid)).flatten()
}

fn leading_number(sessionid: &str) -> Option<u64> {
    let end = sessionid.find(|c: char| !c.is_ascii_digit())?;
    let (digits, rest) = sessionid.split_at(end);
    let separated = rest.starts_with(':') || rest.get(..3).is_some_and(|code| code.eq_ignore_ascii_case("%3a"));
    separated.then(|| digits.parse().ok()).flatten().filter(|user| *user != 0)
}

/// Cookie octets of RFC 6265. None of them needs escaping in a header or in JSON.
fn is_cookie_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "12345678901%3AAbCdEfGhIjKlMn%3A7%3AAYc0ffee00";

    #[track_caller]
    fn reads(text: &str) -> Credentials {
        let credentials = Credentials::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!((credentials.sessionid.as_str(), credentials.user_id), (ID, 12_345_678_901), "{text}");
        credentials
    }

    #[test]
    fn a_session_id_alone_in_every_wrapping() {
        let decoded = ID.replace("%3A", ":");
        for text in [
            ID.to_owned(),
            decoded,
            format!("  {ID}\r\n"),
            format!("\u{feff}\"{ID}\""),
            format!("'{ID}'"),
            format!("“{ID}”"),
            format!("„{ID}“"),
            format!("`{ID}`"),
            format!("```\n{ID}\n```"),
            format!("```text\n{ID}```"),
            format!("sessionid={ID}"),
            format!("sessionid={ID};"),
            format!("sessionid: {ID}"),
            format!("sessionid\t{ID}\t.instagram.com\t/\t2027-01-01T00:00:00.000Z\t60"),
        ] {
            reads(&text);
        }
    }

    #[test]
    fn a_cookie_header_or_its_value() {
        let value =
            format!("mid=ZmlkX21; ig_did=1A-2B; csrftoken=tok; ds_user_id=12345678901; sessionid={ID}; rur=\"N\"");
        for text in [
            value.clone(),
            format!("Cookie: {value}"),
            format!("cookie:{value}"),
            format!("“Cookie: {value}”"),
            format!("GET /direct/inbox/ HTTP/2\nHost: www.instagram.com\nCookie: {value}\nAccept: */*"),
            format!(":authority\nwww.instagram.com\ncookie\n{value}\ndnt\n1"),
            value.replace("; ", "\n"),
        ] {
            let credentials = reads(&text);
            assert_eq!(credentials.mid.as_deref(), Some("ZmlkX21"), "{text}");
            assert_eq!(credentials.csrftoken.as_deref(), Some("tok"));
            assert_eq!(credentials.ig_did.as_deref(), Some("1A-2B"));
        }
    }

    #[test]
    fn a_curl_command_in_every_dialect() {
        let cookies = format!("mid=ZmlkX21; csrftoken=tok; sessionid={ID}");
        let caret = ID.replace('%', "^%^");
        for text in [
            format!("curl 'https://www.instagram.com/' -H 'Accept: */*' -H 'Cookie: {cookies}' --compressed"),
            format!(
                "$ curl https://www.instagram.com/ \\\n  -H 'accept: */*' \\\r\n  -b '{cookies}' \\\n  --compressed"
            ),
            format!("curl \"https://www.instagram.com/\" --header \"cookie: {cookies}\""),
            format!("curl https://www.instagram.com/ --cookie '{cookies}'"),
            format!("curl https://www.instagram.com/ --cookie='{cookies}'"),
            format!("curl https://www.instagram.com/ -H$'cookie: a=it\\'s \\u0021; {cookies}'"),
            format!("curl https://www.instagram.com/ -b $'{cookies}' --data-raw $'x\\ny'"),
            format!("curl ‘https://www.instagram.com/’ -H ‘cookie: {cookies}’"),
            format!("```bash\ncurl 'https://www.instagram.com/' -b'{cookies}'\n```"),
            format!(
                "curl ^\"https://www.instagram.com/^\" ^\r\n  -H ^\"cookie: mid=ZmlkX21; csrftoken=tok; sessionid={caret}^\""
            ),
            // The quotation was cut off at the end.
            format!("curl 'https://www.instagram.com/' -H 'Cookie: {cookies}; x=1"),
        ] {
            reads(&text);
        }
    }

    #[test]
    fn a_netscape_cookie_file() {
        let text = format!(
            "# Netscape HTTP Cookie File\n# https://curl.se/docs/http-cookies.html\n\n\
             .instagram.com\tTRUE\t/\tTRUE\t1801785600\tcsrftoken\ttok\n\
             .example.org\tTRUE\t/\tTRUE\t1801785600\tsessionid\t5%3Awrongwrongwrongwrongwrongwrong\n\
             #HttpOnly_.instagram.com\tTRUE\t/\tTRUE\t1801785600\tsessionid\t{ID}\n"
        );
        assert_eq!(reads(&text).csrftoken.as_deref(), Some("tok"));
        reads(&text.replace('\t', "    "));
        reads(&text.replace('\n', "\r\n"));
    }

    #[test]
    fn json_of_every_export() {
        for text in [
            format!(r#"{{"sessionid":"{ID}","csrftoken":"tok"}}"#),
            format!(
                r#"[{{"name":"csrftoken","value":"tok"}},{{"name":"sessionid","value":"{ID}","domain":".instagram.com","hostOnly":false,"httpOnly":true,"sameSite":null,"expirationDate":1801785600.5,"id":3}}]"#
            ),
            format!(
                r#"{{"url":"https://www.instagram.com","cookies":[{{"name":"sessionid","value":"5%3Awrong","domain":"example.org"}},{{"domain":".instagram.com","name":"sessionid","value":"{ID}"}}]}}"#
            ),
            format!(r#"{{"cookies":{{"sessionid":"{ID}"}}}}"#),
            format!(
                r#"{{"uuids":{{"phone_id":"x"}},"authorization_data":{{"ds_user_id":"12345678901","sessionid":"{ID}"}}}}"#
            ),
            format!("{{“sessionid”: “{ID}”}}"),
            format!("```json\n{{\n  \"sessionid\": \"{ID}\"\n}}\n```"),
            format!(r#"{{"Request Cookies":{{"sessionid":"{ID}"}}}}"#),
        ] {
            reads(&text);
        }
    }

    #[test]
    fn each_refusal_has_a_cure_and_keeps_the_secret() {
        let secret = "Planted0Secret";
        for (text, expected) in [
            (String::new(), CredentialsError::Empty),
            (" \n\t ".to_owned(), CredentialsError::Empty),
            ("``````".to_owned(), CredentialsError::Empty),
            (format!("hello, here is my {secret}"), CredentialsError::NotUnderstood),
            (format!("curl https://example.org/{secret}"), CredentialsError::NoSession),
            (format!("csrftoken={secret}; mid=x"), CredentialsError::NoSession),
            (format!("Cookie: a={secret}"), CredentialsError::NoSession),
            ("sessionid=; mid=x".to_owned(), CredentialsError::NoSession),
            (format!(r#"{{"name":"{secret}"}}"#), CredentialsError::NoSession),
            (format!("[{{\"sessionid\":\"{secret}"), CredentialsError::DamagedJson),
            (format!("123%3A{secret}"), CredentialsError::Truncated),
            (format!("sessionid=12345678901%3A{secret}…"), CredentialsError::Truncated),
            (format!("sessionid={secret}{secret}{secret}"), CredentialsError::NoAccount),
            (format!("sessionid=0%3A{secret}{secret}{secret}"), CredentialsError::NoAccount),
            (format!("sessionid=99999999999999999999999%3A{secret}{secret}"), CredentialsError::NoAccount),
            (format!("{{\"sessionid\":\"12345%3A{secret},{secret}\"}}"), CredentialsError::BadCharacters),
            (format!("{{\"sessionid\":\"12345%3A{secret}\\n{secret}\"}}"), CredentialsError::BadCharacters),
        ] {
            let error = Credentials::parse(&text).expect_err(&text);
            assert_eq!(error, expected, "{text}");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("Hint: ") && !shown.contains(secret), "{shown}");
        }
        let shown = format!("{:?}", reads(ID));
        assert!(!shown.contains("AbCdEf"), "{shown}");
    }

    #[test]
    fn no_text_makes_it_panic() {
        use proptest::prelude::*;
        proptest!(|(text in r#"(curl |-H|'|"|\$'|\\|\^|;|=|sessionid|cookie:|[{}\[\]`\n\t …“”]|[0-9]{1,4}|%3A|.){0,40}"#)| {
            let _ = Credentials::parse(&text);
        });
    }
}
