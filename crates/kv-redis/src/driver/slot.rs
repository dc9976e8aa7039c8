//! Which of a Cluster's slots a key is in.

/// How many slots a Cluster has.
pub(crate) const SLOTS: u16 = 16_384;

/// The key's slot: CRC16 (XMODEM) of its hash tag, or of the whole key if it has none.
///
/// The tag is the text between the first `{` and the next `}`, unless it is empty.
pub(crate) fn slot(key: &[u8]) -> u16 {
    crc16(tag(key)) % SLOTS
}

fn tag(key: &[u8]) -> &[u8] {
    let tag = || {
        let begin = key.iter().position(|byte| *byte == b'{')? + 1;
        let rest = key.get(begin..)?;
        let end = rest.iter().position(|byte| *byte == b'}').filter(|end| *end > 0)?;
        rest.get(..end)
    };
    tag().unwrap_or(key)
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let at = usize::from((crc >> 8) ^ u16::from(*byte));
        (crc << 8) ^ TABLE[at & 0xFF]
    })
}

/// The remainder of each byte.
const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        #[expect(clippy::cast_possible_truncation, reason = "at is below 256")]
        let mut crc = (at as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_code_is_met() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
    }

    #[test]
    fn only_the_first_tag_counts_and_an_empty_one_does_not() {
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_eq!(slot(b"foo{bar}{zap}"), slot(b"bar"));
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
        for whole in [&b"foo{}{bar}"[..], b"foo{bar", b"foo}bar{", b""] {
            assert_eq!(slot(whole), crc16(whole) % SLOTS);
        }
    }

    #[test]
    fn the_server_computes_the_same() {
        let server = kv_testbed::RedisServer::builder().config("cluster-enabled", "yes");
        let server = server.start().unwrap();
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut connection = server.connection().unwrap();
        for _ in 0..2_000 {
            let key: String = (0..random.usize(1..12))
                .map(|_| *random.choice(b"{}ab").unwrap() as char)
                .collect();
            let reply = connection.command(&["CLUSTER", "KEYSLOT", &key]).unwrap();
            assert_eq!(reply, kv_testbed::Reply::Integer(i64::from(slot(key.as_bytes()))), "{key}");
        }
    }
}
