//! Where a connection is cut, and how the place is found in the stream.

use super::frames::Frames;

/// A reset of one connection at a chosen place of one command and its reply.
///
/// The command is the first one, on any connection, that contains the given bytes; what was sent
/// before it on the same connection goes through and is answered. Commands and replies are
/// matched by counting, so a client may pipeline as it likes; a command that is answered with
/// several replies or none (`SUBSCRIBE`, `CLIENT REPLY`) upsets the count.
///
/// The bytes are looked for as they are on the wire: a command's name in the case in which the
/// client sends it, or a key, or a value. Empty bytes stand for the next command whatever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    pub(super) needle: Vec<u8>,
    pub(super) place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Request,
    Reply { after: usize },
}

impl Cut {
    /// Before the command reaches the server: it has no effect.
    pub fn before_request(needle: impl Into<Vec<u8>>) -> Self {
        Self { needle: needle.into(), place: Place::Request }
    }

    /// After the server has answered, when `bytes` bytes of the reply have gone through.
    ///
    /// With 0 the client sees nothing of the reply; a number above the reply's length cuts right
    /// after it.
    pub fn in_reply(needle: impl Into<Vec<u8>>, bytes: usize) -> Self {
        Self { needle: needle.into(), place: Place::Reply { after: bytes } }
    }

    /// After the whole reply has gone through.
    pub fn after_reply(needle: impl Into<Vec<u8>>) -> Self {
        Self::in_reply(needle, usize::MAX)
    }
}

/// Finds a cut's bytes in what a client sends.
#[derive(Debug)]
pub(super) struct Requests {
    frames: Frames,
    /// The end of what went before, where the sought bytes may have begun.
    tail: Vec<u8>,
}

/// A place in a chunk of requests.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// The bytes of the chunk that go before it.
    pub(super) before: usize,
    /// The command's number on its connection.
    pub(super) command: u64,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self { frames: Frames::new(), tail: Vec::new() }
    }

    /// The bytes of the largest command so far.
    pub(super) fn largest(&self) -> u64 {
        self.frames.largest()
    }

    /// Takes a chunk and looks for `needle` in it, which may have begun in the chunk before.
    pub(super) fn take(&mut self, chunk: &[u8], needle: Option<&[u8]>) -> Option<Match> {
        let Some(needle) = needle else {
            self.tail.clear();
            self.frames.take_all(chunk);
            return None;
        };
        let old = self.tail.len();
        self.tail.extend_from_slice(chunk);
        let Some(start) = find(&self.tail, needle) else {
            self.frames.take_all(chunk);
            let kept = needle.len().saturating_sub(1).min(self.tail.len());
            self.tail.drain(..self.tail.len() - kept);
            return None;
        };
        self.tail.clear();
        let last = (start + needle.len()).saturating_sub(1).saturating_sub(old);
        let (head, rest) = chunk.split_at_checked(last).unwrap_or((chunk, &[]));
        self.frames.take_all(head);
        let command = self.frames.complete();
        self.frames.take_all(rest);
        Some(Match { before: start.saturating_sub(old), command })
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// The reply to cut, by its number on its connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReplyCut {
    pub(super) reply: u64,
    pub(super) after: usize,
}

/// Finds the place of a cut in what a server answers.
#[derive(Debug)]
pub(super) struct Replies {
    frames: Frames,
    /// The bytes of the current reply that have gone through.
    passed: usize,
}

impl Replies {
    pub(super) fn new() -> Self {
        Self { frames: Frames::new(), passed: 0 }
    }

    /// The bytes of the largest reply so far.
    pub(super) fn largest(&self) -> u64 {
        self.frames.largest()
    }

    /// Takes a chunk; if the place of the cut lies in it, the bytes that still go through.
    pub(super) fn take(&mut self, chunk: &[u8], cut: Option<ReplyCut>) -> Option<usize> {
        let mut start = 0;
        while let Some(rest) = chunk.get(start..).filter(|rest| !rest.is_empty()) {
            let number = self.frames.complete();
            let is_push = self.frames.in_push(rest);
            let end = self.frames.take_frame(rest);
            let length = end.unwrap_or(rest.len());
            if let Some(cut) = cut.filter(|cut| !is_push && cut.reply == number) {
                let left = cut.after.saturating_sub(self.passed);
                if end.is_some() || left <= length {
                    return Some(start + left.min(length));
                }
            }
            self.passed = if end.is_some() { 0 } else { self.passed + length };
            start += length;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Match, Replies, ReplyCut, Requests};

    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
    const INCR: &[u8] = b"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n";

    #[test]
    fn a_command_is_found_by_its_number_however_the_stream_is_split() {
        let stream = [PING, PING, INCR, PING].concat();
        for size in 1..=stream.len() {
            let mut requests = Requests::new();
            let found = stream.chunks(size).find_map(|chunk| requests.take(chunk, Some(b"INCR")));
            assert_eq!(found.map(|found| found.command), Some(2), "in chunks of {size}");
        }
    }

    #[test]
    fn what_goes_before_a_command_ends_where_the_sought_bytes_begin() {
        let found = Requests::new().take(&[PING, INCR].concat(), Some(b"INCR"));
        assert_eq!(found, Some(Match { before: PING.len() + 8, command: 1 }));
    }

    #[test]
    fn no_bytes_stand_for_the_next_command() {
        let mut requests = Requests::new();
        assert_eq!(requests.take(PING, None), None);
        assert_eq!(requests.take(INCR, Some(b"")), Some(Match { before: 0, command: 1 }));
    }

    /// How many bytes of a stream of replies go through, however it is split.
    fn passed(stream: &[u8], cut: ReplyCut) -> usize {
        let passed = (1..=stream.len()).map(|size| {
            let (mut replies, mut before) = (Replies::new(), 0);
            for chunk in stream.chunks(size) {
                match replies.take(chunk, Some(cut)) {
                    Some(more) => return before + more,
                    None => before += chunk.len(),
                }
            }
            panic!("no cut in chunks of {size}")
        });
        let passed: Vec<usize> = passed.collect();
        assert!(passed.iter().all(|one| *one == passed[0]), "{passed:?}");
        passed[0]
    }

    #[test]
    fn a_reply_is_cut_after_exactly_the_bytes_asked_for() {
        let stream = b"+PONG\r\n>1\r\n:5\r\n$5\r\nhello\r\n:1\r\n";
        let place = |after| passed(stream, ReplyCut { reply: 1, after });
        let before = b"+PONG\r\n>1\r\n:5\r\n".len();
        assert_eq!(place(0), before);
        assert_eq!(place(6), before + 6);
        assert_eq!(place(usize::MAX), before + b"$5\r\nhello\r\n".len());
    }
}
