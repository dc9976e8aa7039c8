//! Counts RESP commands and replies in a stream, without holding them.

/// More than any header needs; what is longer is a line whose content does not matter.
const HEADER_KEPT: usize = 32;

/// Where a byte stream stands among RESP2 and RESP3 frames.
#[derive(Debug)]
pub(super) struct Frames {
    /// Whole frames seen, without the pushes of RESP3.
    complete: u64,
    /// Bytes of the frame that has begun.
    taken: u64,
    /// Bytes of the largest whole frame.
    largest: u64,
    /// The type of the frame that has begun.
    kind: Option<u8>,
    /// Values still to come in the current frame, itself included.
    values: u64,
    /// Bytes still to come of a bulk string.
    skip: u64,
    header: Vec<u8>,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            complete: 0,
            taken: 0,
            largest: 0,
            kind: None,
            values: 1,
            skip: 0,
            header: Vec::new(),
        }
    }

    pub(super) fn complete(&self) -> u64 {
        self.complete
    }

    pub(super) fn largest(&self) -> u64 {
        self.largest
    }

    /// Whether the frame that `bytes` go on with is a push, which answers no command.
    pub(super) fn in_push(&self, bytes: &[u8]) -> bool {
        self.kind.or(bytes.first().copied()) == Some(b'>')
    }

    /// Takes bytes up to the end of the current frame; their number, or `None` if all were taken
    /// and the frame goes on.
    pub(super) fn take_frame(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            self.kind.get_or_insert(byte);
            if self.skip > 0 {
                let rest = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX);
                let step = self.skip.min(rest);
                self.skip -= step;
                at += usize::try_from(step).unwrap_or(usize::MAX);
            } else {
                at += 1;
                self.take_header_byte(byte);
            }
            if self.skip == 0 && self.values == 0 {
                self.take_bytes(at);
                self.end_frame();
                return Some(at);
            }
        }
        self.take_bytes(at);
        None
    }

    fn take_bytes(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Takes bytes of any number of frames.
    pub(super) fn take_all(&mut self, mut bytes: &[u8]) {
        while let Some(rest) = self.take_frame(bytes).and_then(|taken| bytes.get(taken..)) {
            bytes = rest;
        }
    }

    fn take_header_byte(&mut self, byte: u8) {
        if byte != b'\n' {
            if self.header.len() < HEADER_KEPT {
                self.header.push(byte);
            }
            return;
        }
        let count = self.header.get(1..).and_then(|rest| std::str::from_utf8(rest).ok());
        // A null array or string has the length -1, and nothing follows.
        let count = count.and_then(|text| text.trim_end().parse::<u64>().ok());
        let (more, skip) = match (self.header.first(), count) {
            (Some(b'*' | b'~' | b'>'), Some(count)) => (count, 0),
            (Some(b'%'), Some(count)) => (count.saturating_mul(2), 0),
            // An attribute goes before the value that it belongs to.
            (Some(b'|'), Some(count)) => (count.saturating_mul(2).saturating_add(1), 0),
            (Some(b'$' | b'=' | b'!'), Some(count)) => (0, count.saturating_add(2)),
            _ => (0, 0),
        };
        self.values = self.values.saturating_sub(1).saturating_add(more);
        self.skip = skip;
        self.header.clear();
    }

    fn end_frame(&mut self) {
        if self.kind.take() != Some(b'>') {
            self.complete += 1;
        }
        self.values = 1;
        self.largest = self.largest.max(std::mem::take(&mut self.taken));
    }
}

#[cfg(test)]
mod tests {
    use super::Frames;

    /// The number of frames in `bytes`, however they are split.
    fn count(bytes: &[u8]) -> u64 {
        let counts = (1..=bytes.len()).map(|size| {
            let mut frames = Frames::new();
            bytes.chunks(size).for_each(|chunk| frames.take_all(chunk));
            frames.complete()
        });
        let counts: Vec<u64> = counts.collect();
        assert!(counts.windows(2).all(|pair| pair[0] == pair[1]), "{counts:?}");
        counts[0]
    }

    #[test]
    fn every_type_of_reply_is_one_frame() {
        let frames: [&[u8]; 13] = [
            b"+OK\r\n",
            b"-ERR a very long line that is longer than what is kept of a header\r\n",
            b":1\r\n",
            b"$5\r\na\r\n:1\r\n",
            b"$0\r\n\r\n",
            b"$-1\r\n",
            b"*0\r\n",
            b"*-1\r\n",
            b"*2\r\n*1\r\n$1\r\nx\r\n:2\r\n",
            b"%1\r\n+a\r\n*1\r\n:1\r\n",
            b"|1\r\n+ttl\r\n:9\r\n$1\r\nv\r\n",
            b"=7\r\ntxt:a\r\n\r\n",
            b"_\r\n",
        ];
        frames.iter().for_each(|frame| assert_eq!(count(frame), 1, "{}", frame.escape_ascii()));
        assert_eq!(count(&frames.concat()), 13);
    }

    #[test]
    fn the_largest_frame_is_known_however_the_stream_is_split() {
        let stream = b":1\r\n$5\r\nhello\r\n+OK\r\n";
        for size in 1..=stream.len() {
            let mut frames = Frames::new();
            stream.chunks(size).for_each(|chunk| frames.take_all(chunk));
            assert_eq!(frames.largest(), 11, "in chunks of {size}");
        }
    }

    #[test]
    fn a_push_is_not_counted() {
        assert_eq!(count(b">2\r\n$1\r\na\r\n:1\r\n+OK\r\n"), 1);
    }

    #[test]
    fn bytes_that_are_not_resp_do_no_harm() {
        let noise: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let mut frames = Frames::new();
        frames.take_all(&noise);
        frames.take_all(b"*18446744073709551615\r\n*18446744073709551615\r\n");
        frames.take_all(b"%18446744073709551615\r\n$18446744073709551615\r\n");
    }
}
