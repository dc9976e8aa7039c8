//! Turns fred's and the server's errors into errors by what a caller can do.
//!
//! No error shows a text of the server, since some of these texts repeat a command's arguments. Of
//! fred's texts, errors show only the causes of broken connections.

use fred::error::{Error as FredError, ErrorKind as FredKind};
use kv_core::{Error, ErrorKind};

use super::access::Access;

/// fred's text for a command that found no connection and was never written.
const NOT_ROUTED: &str = "Failed to route command.";

/// The system's and the resolver's texts for a connection that never came about.
const UNMADE: [&str; 6] = [
    "o route to host",
    "etwork is unreachable",
    "o such file or directory",
    "ermission denied",
    "ailed to lookup address",
    "ailed to resolve",
];

/// A script's own error, after it may have written something.
const SCRIPT_FAILED: &str = "a script failed on what it found stored";

/// A script met a command that its user may not run, after other commands.
const SCRIPT_DENIED: &str = "the server denies a command of the script, or its key, to this user";

/// The server's name of an error: the first word of its reply, in capitals. fred's own texts begin
/// otherwise.
pub(super) fn code(error: &FredError) -> Option<&str> {
    let word = error.details().split_whitespace().next()?;
    let capitals = word.bytes().all(|byte| byte.is_ascii_uppercase());
    (word.len() > 1 && capitals).then_some(word)
}

/// The server answered, even with a refusal.
pub(super) fn is_reply(error: &FredError) -> bool {
    code(error).is_some()
}

/// The connection was lost just now.
pub(super) fn is_lost_connection(error: &FredError) -> bool {
    *error.kind() == FredKind::IO || error.details() == NOT_ROUTED
}

/// The server does not know the script; it executed nothing.
pub(super) fn is_unknown_script(error: &FredError) -> bool {
    code(error) == Some("NOSCRIPT")
}

/// The server refuses writes because it is a replica.
pub(super) fn is_demoted(error: &FredError) -> bool {
    code(error) == Some("READONLY")
}

/// No reply came in time.
pub(super) fn is_timeout(error: &FredError) -> bool {
    *error.kind() == FredKind::Timeout
}

/// The connection broke; the next attempt may find another connection.
#[cfg_attr(
    not(feature = "tls"),
    allow(
        unreachable_patterns,
        reason = "fred has one kind more where another crate wants TLS of it"
    )
)]
pub(super) fn is_broken_connection(error: &FredError) -> bool {
    code(error).is_none()
        && match error.kind() {
            FredKind::IO
            | FredKind::Canceled
            | FredKind::Routing
            | FredKind::Protocol
            | FredKind::Cluster
            | FredKind::Sentinel
            | FredKind::Unknown => true,
            FredKind::Config
            | FredKind::Auth
            | FredKind::InvalidCommand
            | FredKind::InvalidArgument
            | FredKind::Url
            | FredKind::Timeout
            | FredKind::Parse
            | FredKind::NotFound
            | FredKind::Backpressure => false,
            #[cfg(feature = "tls")]
            FredKind::Tls => false,
            #[cfg(not(feature = "tls"))]
            _ => false,
        }
}

/// The error as a caller sees it.
#[cfg_attr(
    not(feature = "tls"),
    allow(
        unreachable_patterns,
        reason = "fred has one kind more where another crate wants TLS of it"
    )
)]
pub(super) fn convert(error: &FredError, access: Access, server: &str) -> Error {
    match code(error) {
        // fred ends the connection and fails all requests in flight: nobody knows whether the
        // server executed them.
        Some("CLUSTERDOWN") if access == Access::Write => {
            return refused("CLUSTERDOWN", error.details(), server, access).maybe_applied();
        }
        Some(code) => return refused(code, error.details(), server, access),
        None => {}
    }
    if let Some(untrusted) = untrusted(error, server) {
        return untrusted;
    }
    let ours = match error.kind() {
        FredKind::Timeout => timed_out(server),
        FredKind::IO
        | FredKind::Canceled
        | FredKind::Routing
        | FredKind::Protocol
        | FredKind::Cluster
        | FredKind::Sentinel
        | FredKind::Unknown => broken(error, server),
        FredKind::Auth => Error::new(ErrorKind::Auth, format!("{server} refuses the credentials")),
        FredKind::Backpressure => return backpressure(server),
        FredKind::Config | FredKind::Url => cannot_be_set_up(server),
        #[cfg(feature = "tls")]
        FredKind::Tls => cannot_be_set_up(server),
        #[cfg(not(feature = "tls"))]
        _ => cannot_be_set_up(server),
        FredKind::InvalidCommand | FredKind::InvalidArgument => {
            return Error::new(ErrorKind::Backend, "the command cannot be encoded");
        }
        FredKind::Parse | FredKind::NotFound => {
            Error::new(ErrorKind::Backend, format!("{server} answered with an unexpected type"))
        }
    };
    if access == Access::Read || error.details() == NOT_ROUTED {
        ours
    } else {
        ours.maybe_applied()
    }
}

fn cannot_be_set_up(server: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the connection to {server} cannot be set up"))
}

/// A failed handshake: no command was sent. fred gives it in its `Debug` form.
fn untrusted(error: &FredError, server: &str) -> Option<Error> {
    let is_of_tls = match error.kind() {
        FredKind::IO => true,
        #[cfg(feature = "tls")]
        FredKind::Tls => true,
        _ => false,
    };
    if !is_of_tls {
        return None;
    }
    let details = error.details();
    let (kind, what) = if let Some((_, why)) = details.split_once("InvalidCertificate(") {
        (ErrorKind::Config, distrust(why))
    } else if details.contains("AlertReceived(") {
        (
            ErrorKind::Auth,
            "it refuses the handshake, as it does without a certificate that it knows",
        )
    } else if details.contains("InvalidMessage(") || details.contains("InvalidDnsNameError") {
        (ErrorKind::Config, "it does not speak TLS there")
    } else {
        return None;
    };
    Some(Error::new(kind, format!("no encrypted connection to {server}: {what}")).because(details))
}

/// The problem with a certificate, by the TLS library's name for it.
fn distrust(why: &str) -> &'static str {
    let known = [
        ("UnknownIssuer", "no authority that is trusted has signed the certificate that it shows"),
        ("NotValidForName", "the certificate that it shows is for another name"),
        ("Expired", "the certificate that it shows has expired"),
        ("NotValidYet", "the certificate that it shows is not valid yet"),
    ];
    let found = known.into_iter().find(|(name, _)| why.starts_with(name));
    found.map_or("the certificate that it shows is not to be trusted", |(_, what)| what)
}

/// The server answers in plain text to a TLS handshake.
pub(super) fn plain_text(server: &str) -> Error {
    let what = "it does not speak TLS there";
    Error::new(ErrorKind::Config, format!("no encrypted connection to {server}: {what}"))
}

/// A connection without TLS failed, as it does on a TLS port.
pub(super) fn unwelcome(fault: &FredError, server: &str) -> Error {
    let error = convert(fault, Access::Read, server);
    if !fault.details().contains("reset by peer") {
        return error;
    }
    let message = format!("{server} broke the connection at once, as it does if it speaks TLS");
    Error::new(ErrorKind::Connection, message).because(fault.details())
}

fn broken(error: &FredError, server: &str) -> Error {
    let is_io = *error.kind() == FredKind::IO;
    let message = match is_io.then(|| error.details()) {
        Some(why) if why.contains("onnection refused") => {
            format!("{server} refused the connection: nothing listens there")
        }
        Some(why) if UNMADE.iter().any(|known| why.contains(known)) => {
            format!("could not connect to {server}")
        }
        _ => format!("the connection to {server} broke"),
    };
    let ours = Error::new(ErrorKind::Connection, message);
    if is_io { ours.because(error.details()) } else { ours }
}

pub(super) fn timed_out(server: &str) -> Error {
    Error::new(ErrorKind::Timeout, format!("no reply from {server} within the configured time"))
}

/// The time ended while the request was in flight.
pub(super) fn late(access: Access, server: &str) -> Error {
    match access {
        Access::Read => timed_out(server),
        Access::Write => timed_out(server).maybe_applied(),
    }
}

/// Whether the server may not have answered at all, so that the next request may fail too.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Connection | ErrorKind::Closed)
}

/// An earlier part of the same call was lost.
pub(super) fn not_sent(server: &str) -> Error {
    let message = format!("not sent to {server}, since what came before it in its call was lost");
    Error::new(ErrorKind::Connection, message)
}

pub(super) fn unreachable(server: &str) -> Error {
    Error::new(ErrorKind::Connection, format!("there is no connection to {server}"))
}

/// A node of a Cluster said that another one has the key, too often or too late.
pub(super) fn sent_on(server: &str) -> Error {
    let message = format!("the nodes do not agree yet on who has the key (asked {server})");
    Error::new(ErrorKind::Connection, message)
}

pub(super) fn backpressure(server: &str) -> Error {
    let message = format!("too many commands wait for {server}; expected at most 10000");
    Error::new(ErrorKind::Backpressure, message)
}

/// An error reply: the server did not execute the command.
fn refused(code: &str, text: &str, server: &str, access: Access) -> Error {
    match code {
        "KVFORMAT" => return unknown_format(text, server),
        // Found during a script, when something may have been written.
        "KVCORRUPT" => return corrupt(server).maybe_applied(),
        _ => {}
    }
    let (kind, what) = match code {
        "WRONGTYPE" => (ErrorKind::WrongType, "the key holds another type than a string"),
        "NOAUTH" => (ErrorKind::Auth, "the server asks for a password"),
        "WRONGPASS" => (ErrorKind::Auth, "the server refuses the user or the password"),
        "NOPERM" => (ErrorKind::Auth, "the server denies the command or the key to this user"),
        "READONLY" => (ErrorKind::ReadOnly, "the server is a replica"),
        "NOREPLICAS" => (ErrorKind::ReadOnly, "the server has too few replicas to write"),
        "MISCONF" => (ErrorKind::ReadOnly, "the server cannot save to disk and takes no writes"),
        "OOM" => (ErrorKind::OutOfMemory, "the server has reached its maxmemory"),
        "UNBLOCKED" => (ErrorKind::Connection, "the server has become a replica"),
        "LOADING" => (ErrorKind::Connection, "the server is still loading its data"),
        "MASTERDOWN" => (ErrorKind::Connection, "the server has lost its primary"),
        "CLUSTERDOWN" => (ErrorKind::Connection, "the cluster is down"),
        "MOVED" | "ASK" => {
            (ErrorKind::Config, "the server is one of a Redis Cluster; name it as such")
        }
        "BUSY" => (ErrorKind::Backpressure, "the server is busy with a long script"),
        "TRYAGAIN" => (ErrorKind::Backpressure, "the keys are being moved"),
        "KVCONFLICT" => (
            ErrorKind::Conflict,
            "the session has done a newer request, or this one for another verb",
        ),
        "KVTAKEN" => (
            ErrorKind::Conflict,
            "another job has the key of a job, or holds a unique key; expected a partition that is \
             empty, or has jobs of the same source",
        ),
        "KVEXHAUSTED" => {
            (ErrorKind::Backend, "the numbers of the partition have come to their end")
        }
        "ERR" => plain(text),
        _ => (ErrorKind::Backend, "the server refuses the command"),
    };
    let error = Error::new(kind, format!("{what} ({code} from {server})"));
    let is_on_the_way = what == SCRIPT_FAILED || what == SCRIPT_DENIED;
    if is_on_the_way && access == Access::Write { error.maybe_applied() } else { error }
}

/// The format number comes from the server's data; it is shown if it looks like a number.
fn unknown_format(text: &str, server: &str) -> Error {
    let is_plain = |word: &&str| word.len() < 16 && word.bytes().all(|b| b.is_ascii_alphanumeric());
    let format = text.split_whitespace().nth(1).filter(is_plain).unwrap_or("of another kind");
    let message = format!("the queue is stored in format {format}, unknown here (from {server})");
    Error::new(ErrorKind::Config, message)
}

fn corrupt(server: &str) -> Error {
    Error::new(ErrorKind::Backend, format!("the queue's stored data on {server} cannot be read"))
}

/// The errors for which Redis has no code.
fn plain(text: &str) -> (ErrorKind, &'static str) {
    let known = [
        ("ERR value is not an integer", ErrorKind::WrongType, "the key holds no 64-bit integer"),
        (
            "ERR increment or decrement would overflow",
            ErrorKind::WrongType,
            "the counter would leave the range of 64-bit integers",
        ),
        ("ERR DB index is out of range", ErrorKind::Config, "db does not exist on the server"),
        ("ERR invalid DB index", ErrorKind::Config, "db does not exist on the server"),
        ("ERR max number of clients", ErrorKind::Backpressure, "the server has too many clients"),
        ("ERR unknown command", ErrorKind::Unsupported, "the server does not know the command"),
        (
            "ERR This instance has cluster support disabled",
            ErrorKind::Config,
            "the server is none of a Redis Cluster; name it as a single one",
        ),
        ("ERR The user executing the script", ErrorKind::Auth, SCRIPT_DENIED),
        ("ERR invalid cursor", ErrorKind::InvalidKey, "the cursor is not one of this server's"),
        ("ERR AUTH", ErrorKind::Auth, "the server refuses the credentials"),
        ("ERR invalid password", ErrorKind::Auth, "the server refuses the password"),
    ];
    let found = known.into_iter().find(|(prefix, ..)| text.starts_with(prefix));
    let other = if text.contains("@user_script") {
        SCRIPT_FAILED
    } else {
        "the server refuses the command"
    };
    found.map_or((ErrorKind::Backend, other), |(_, kind, what)| (kind, what))
}

#[cfg(test)]
mod tests {
    use kv_core::Effect;

    use super::*;

    fn write(kind: FredKind, details: &'static str) -> Error {
        convert(&FredError::new(kind, details), Access::Write, "host:1")
    }

    #[test]
    fn an_error_reply_is_of_the_kind_of_its_code_and_changed_nothing() {
        let cases = [
            ("WRONGTYPE Operation against a key", ErrorKind::WrongType),
            ("NOAUTH Authentication required.", ErrorKind::Auth),
            ("WRONGPASS invalid username-password pair", ErrorKind::Auth),
            ("NOPERM this user has no permissions", ErrorKind::Auth),
            ("READONLY You can't write against a replica", ErrorKind::ReadOnly),
            ("MISCONF Redis is configured to save", ErrorKind::ReadOnly),
            ("OOM command not allowed", ErrorKind::OutOfMemory),
            ("LOADING Redis is loading the dataset", ErrorKind::Connection),
            ("BUSY Redis is busy running a script", ErrorKind::Backpressure),
            ("TRYAGAIN Multiple keys request", ErrorKind::Backpressure),
            ("UNBLOCKED force unblock from blocking operation", ErrorKind::Connection),
            ("ERR This instance has cluster support disabled", ErrorKind::Config),
            ("ERR value is not an integer or out of range", ErrorKind::WrongType),
            ("ERR max number of clients reached", ErrorKind::Backpressure),
            ("ERR syntax error", ErrorKind::Backend),
            ("ODDCODE whatever", ErrorKind::Backend),
        ];
        for (text, kind) in cases {
            let error = write(FredKind::Unknown, text);
            assert_eq!((error.kind(), error.effect()), (kind, Effect::NotApplied), "{text}");
        }
    }

    #[test]
    fn a_write_without_a_reply_may_have_been_applied_and_a_read_never() {
        for (kind, expected) in [
            (FredKind::Timeout, ErrorKind::Timeout),
            (FredKind::IO, ErrorKind::Connection),
            (FredKind::Canceled, ErrorKind::Connection),
            (FredKind::Unknown, ErrorKind::Connection),
        ] {
            let error = FredError::new(kind, "Something else.");
            let (write, read) = (Access::Write, Access::Read);
            assert_eq!(convert(&error, write, "h").kind(), expected);
            assert_eq!(convert(&error, write, "h").effect(), Effect::MaybeApplied);
            assert_eq!(convert(&error, read, "h").effect(), Effect::NotApplied);
        }
        assert_eq!(write(FredKind::Unknown, NOT_ROUTED).effect(), Effect::NotApplied);
    }

    #[test]
    fn a_connection_that_never_came_about_did_not_break() {
        for (why, said) in [
            ("Connection refused (os error 111)", "host:1 refused the connection"),
            ("No route to host (os error 113)", "could not connect to host:1"),
            ("failed to lookup address information", "could not connect to host:1"),
            ("Connection reset by peer (os error 104)", "the connection to host:1 broke"),
        ] {
            let error = write(FredKind::IO, why);
            assert!(error.to_string().contains(said), "{why}: {error}");
        }
    }

    #[test]
    fn a_script_that_failed_on_its_way_may_have_been_applied() {
        for text in [
            "ERR user_script:9: attempt to compare nil script: 0123, on @user_script:9.",
            "KVCORRUPT a job cannot be read",
        ] {
            let error = write(FredKind::Unknown, text);
            assert_eq!(error.kind(), ErrorKind::Backend);
            assert_eq!(error.effect(), Effect::MaybeApplied, "{text}");
        }
    }

    #[test]
    fn an_unknown_format_is_named_if_it_can_be_one() {
        for (text, named) in [("KVFORMAT 2", "format 2"), ("KVFORMAT {secret}", "another kind")] {
            let error = write(FredKind::Unknown, text);
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn no_text_of_the_server_is_shown() {
        let text = "ERR unknown command 'X', with args beginning with: 'canary'";
        let error = write(FredKind::Unknown, text);
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}
