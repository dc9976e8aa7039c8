//! Bytes that were made to hurt.

use crate::{READ, cause, describe, from_hex, short_goldens};

/// Bytes one after another.
pub(crate) fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// What runs `os.system` in Python, in every way that pickle has.
const COMMANDS: &[&[u8]] = &[
    b"cos\nsystem\n(S'true'\ntR.",
    b"(S'true'\nios\nsystem\n.",
    b"(cos\nsystem\nS'true'\no.",
    b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.",
    b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
    b"\x80\x04\x95\x14\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
    b"\x80\x02cos\nsystem\n)\x81.",
    b"\x80\x04\x8c\x02os\x8c\x06system\x93)}\x92.",
];

#[test]
fn a_command_is_refused_by_its_name_in_every_form() {
    for bytes in COMMANDS {
        let cause = cause(bytes);
        assert!(cause.contains("os.system`") || cause.contains("posix.system`"), "{cause}");
    }
}

#[test]
fn any_other_class_is_refused_by_its_name_even_if_it_is_not_used() {
    for (bytes, name) in [
        (&b"cbuiltins\neval\n0N."[..], "`builtins.eval`"),
        (b"cbuiltins\ngetattr\n.", "`builtins.getattr`"),
        (b"ccollections\nOrderedDict\n)R.", "`collections.OrderedDict`"),
        (b"\x80\x02ccopy_reg\n_reconstructor\n.", "`copy_reg._reconstructor`"),
        (b"\x80\x04\x8c\x04uuid\x8c\x04UUID\x93)\x81}b.", "`uuid.UUID`"),
        (b"\x80\x04\x8c\x08datetime\x8c\x11datetime.datetime\x93.", "`datetime.datetime.datetime`"),
        (b"cbuiltins\nset\n.", "`builtins.set` stands"),
        (b"\x80\x04](cdatetime\ndate\ne.", "`datetime.date` stands"),
    ] {
        let cause = cause(bytes);
        assert!(cause.contains(name), "{cause}");
    }
}

#[test]
fn a_name_that_is_none_is_not_told() {
    let long = "a".repeat(65);
    for name in ["", "a b", "<script>", "\u{1b}[2J", &long] {
        let cause = cause(format!("cos\n{name}\n.").as_bytes());
        assert!(cause.contains("too strange to tell") && cause.len() < 120, "{cause}");
    }
}

#[test]
fn all_that_builds_or_names_objects_is_refused() {
    for (bytes, told) in [
        (&b"\x80\x02}}b."[..], "an object is built"),
        (b"\x80\x02cbuiltins\nset\n)\x81.", "an object is built"),
        (b"(cbuiltins\nset\no.", "an object is built"),
        (b"\x80\x04cbuiltins\nset\n)}\x92.", "an object is built"),
        (b"\x80\x02\x82\x01.", "`copyreg`"),
        (b"\x80\x02\x83\x01\x00.", "`copyreg`"),
        (b"\x80\x02\x84\x01\x00\x00\x00.", "`copyreg`"),
        (b"Pid\n.", "persistent"),
        (b"NQ.", "persistent"),
        (b"\x80\x05\x97.", "buffer"),
        (b"\x80\x05N\x98.", "buffer"),
        (b"(ibuiltins\nset\n.", "`builtins.set` is not data"),
        (b"N)R.", "no class"),
        (b"cbuiltins\nset\nNR.", "no class"),
        (b"\x80\x06N.", "protocol 6"),
        (b"\xff.", "no opcode"),
    ] {
        let cause = cause(bytes);
        assert!(cause.contains(told), "{cause} / {told}");
    }
}

#[test]
fn a_known_class_with_other_arguments_is_refused() {
    let dates: &[&[u8]] = &[
        b"cdatetime\ndatetime\n(I2024\nI1\nI1\ntR.",
        b"\x80\x03cdatetime\ndatetime\nC\x0a\x07\xe8\x0d\x01\x00\x00\x00\x00\x00\x00\x85R.",
        b"\x80\x03cdatetime\ndatetime\nC\x0a\x07\xe8\x0c\x01\x18\x00\x00\x00\x00\x00\x85R.",
        b"\x80\x03cdatetime\ndatetime\nC\x0a\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x85R.",
        b"\x80\x03cdatetime\ndatetime\nC\x09\x07\xe8\x01\x01\x00\x00\x00\x00\x00\x85R.",
        b"\x80\x03cdatetime\ndatetime\nC\x00\x85R.",
        b"\x80\x03cdatetime\ndate\nC\x04\x07\xe8\x01\x20\x85R.",
        b"\x80\x03cdatetime\ntime\nC\x06\x01\x3c\x00\x00\x00\x00\x85R.",
        b"\x80\x03cdatetime\ntime\nC\x06\x01\x00\x00\xff\xff\xff\x85R.",
        b"\x80\x03cdatetime\ntime\nC\x06\x01\x00\x00\x00\x00\x00N\x86R.",
        b"\x80\x03cdatetime\ntimedelta\nK\x01K\x01\x86R.",
        b"\x80\x03cdatetime\ntimedelta\n\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01K\x01K\x01\x87R.",
        b"\x80\x03cdatetime\ntimezone\ncdatetime\ntimedelta\nK\x01K\x00K\x00\x87R\x85R.",
        b"\x80\x03cdatetime\ntimezone\nK\x01\x85R.",
    ];
    let others: &[&[u8]] = &[
        b"c_codecs\nencode\n(Va\nVrot13\ntR.",
        b"c_codecs\nencode\n(V\\u0100\nVlatin1\ntR.",
        b"c_codecs\nencode\n(Va\ntR.",
        b"cbuiltins\nbytes\n(I100000000000\ntR.",
        b"cbuiltins\nbytearray\n(I100000000000\ntR.",
        b"cbuiltins\nset\n(I1\ntR.",
        b"cbuiltins\nset\n((l(ltR.",
        b"cdecimal\nDecimal\n(I1\ntR.",
    ];
    for bytes in dates.iter().chain(others) {
        let cause = cause(bytes);
        assert!(cause.contains("never gives it"), "{cause}: {bytes:?}");
    }
}

#[test]
fn a_length_that_lies_costs_nothing() {
    let ff = [0xff; 8];
    for (opcodes, length) in [(&b"UC\x8c\x8a"[..], 1), (b"TXB\x8b", 4), (b"\x8d\x8e\x96\x95", 8)] {
        for opcode in opcodes {
            let bytes = join(&[b"\x80\x04", &[*opcode], &ff[..length], b"abc."]);
            let cause = cause(&bytes);
            assert!(cause.contains("ends within") || cause.contains("longer than"), "{cause}");
        }
    }
}

#[test]
fn an_opcode_without_its_arguments_its_mark_or_its_container_is_refused() {
    for bytes in [
        &b"."[..],
        b"a.",
        b"]a.",
        b"s.",
        b"}Ns.",
        b"}(Nu.",
        b"N(e.",
        b"](Nu.",
        b"}(Ne.",
        b"e.",
        b"t.",
        b"l.",
        b"d.",
        b"(Nd.",
        b"\x85.",
        b"N\x86.",
        b"NN\x87.",
        b"N(\x85.",
        b"(.",
        b"N(.",
        b"0.",
        b"1.",
        b"2.",
        b"p0\n.",
        b"q\x00.",
        b"\x94.",
        b"g0\n.",
        b"h\x00.",
        b"Np-1\n.",
        b"R.",
        b"NpX\n.",
        b"NR.",
        b"\x93.",
        b"NN\x93.",
        b"\x90.",
        b"](\x90.",
        b"\x91.",
        b"IX\n.",
        b"FX\n.",
        b"I\xff\n.",
        b"N.N.",
        b"N..",
        b"\x8c\x02\xff\xff.",
        b"S'\\xff'\n.",
        b"U\x01\xff.",
        b"N(a.",
    ] {
        assert!(describe(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn what_is_no_pickle_is_refused() {
    for bytes in [&b""[..], b"null", b"{\"a\": 1}", b"8", b"80042e2e", b"80 04 4e 2e", b"\x80\x04N"]
    {
        assert!(describe(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn stack_opcodes_that_python_hardly_writes_work_as_in_python() {
    for (bytes, value) in [
        (&b"(I1\n2t."[..], "[1,1]"),
        (b"I1\nI2\n0.", "1"),
        (b"I1\n(I2\nI3\n1.", "1"),
        (b"I1\n(0.", "1"),
        (b"(I1\nI2\nd.", "{1:2}"),
        (b"(Va\nVb\nl.", "[t61,t62]"),
        (b"(S'a'\nU\x01bT\x01\x00\x00\x00ct.", "[t61,t62,t63]"),
        (b"\x80\x04\x8d\x01\x00\x00\x00\x00\x00\x00\x00a.", "t61"),
        (b"\x80\x04\x8e\x01\x00\x00\x00\x00\x00\x00\x00a.", "b61"),
        (b"cbuiltins\nbytearray\n(V\xe4\nVlatin-1\ntR.", "be4"),
        (b"I1\np7\n0g7\n.", "1"),
        (b"I1\nr\x00\x00\x00\x010j\x00\x00\x00\x01.", "1"),
    ] {
        assert_eq!(describe(bytes).unwrap(), value, "{bytes:?}");
    }
}

#[test]
fn nesting_without_end_is_refused_in_every_kind_of_container() {
    const DEEP: usize = 1_000_000;
    let many = |part: &[u8]| part.repeat(DEEP);
    for bytes in [
        join(&[&many(b"]"), &many(b"a"), b"."]),
        join(&[b"N", &many(b"\x85"), b"."]),
        join(&[&many(b"("), &many(b"t"), b"."]),
        join(&[&many(b"("), &many(b"\x91"), b"."]),
        join(&[&many(b"}N"), b"N", &many(b"s"), b"."]),
        join(&[&many(b"cbuiltins\nset\n("), b"N", &many(b"tR"), b"."]),
    ] {
        assert!(describe(&bytes).is_err());
    }
}

#[test]
fn a_value_that_contains_itself_is_refused() {
    for bytes in [
        &b"]q\x00h\x00a."[..],
        b"}q\x00Nh\x00s.",
        b"]q\x00h\x00\x85a.",
        b"\x80\x04\x8f\x94(h\x00\x85\x90.",
        b"]q\x00]q\x01h\x00ah\x01a0h\x00h\x01a.",
    ] {
        assert!(cause(bytes).contains("contains itself"), "{bytes:?}");
    }
}

#[test]
fn references_that_double_and_double_again_are_refused() {
    let doubled = |levels: usize| join(&[b"]", &b"2\x86".repeat(levels), b"."]);
    assert!(describe(&doubled(10)).is_ok());
    for levels in [20, 64, 100] {
        assert!(cause(&doubled(levels)).contains("out of all proportion"));
    }
}

#[test]
fn one_long_value_that_is_referred_to_again_and_again_is_refused() {
    let long = vec![b'a'; 100_000];
    let length = 100_000_u32.to_le_bytes();
    let text = join(&[b"X", &length, &long, b"q\x00"]);
    let items = join(&[b"](", &b"N".repeat(100_000), b"eq\x00"]);
    let again = |part: &[u8]| part.repeat(10_000);
    for bytes in [
        join(&[&text, b"(", &again(b"h\x00"), b"t."]),
        join(&[&text, b"Vlatin1\n\x86q\x01c_codecs\nencode\nq\x02", &again(b"h\x02h\x01R0"), b"."]),
        join(&[&text, b"\x85q\x01cdecimal\nDecimal\nq\x02", &again(b"h\x02h\x01R0"), b"."]),
        join(&[&items, b"\x85q\x01cbuiltins\nset\nq\x02", &again(b"h\x02h\x01R0"), b"."]),
    ] {
        assert!(cause(&bytes).contains("out of all proportion"));
    }
}

#[test]
fn integers_of_many_digits_are_refused_without_working_them_out() {
    let digits = vec![b'9'; 5_000_000];
    let length = 5_000_000_u32.to_le_bytes();
    let lines = [join(&[b"L", &digits, b"L\n."]), join(&[b"I", &digits, b"\n."])];
    for bytes in lines.into_iter().chain([join(&[b"\x8b", &length, &digits, b"."])]) {
        assert!(cause(&bytes).contains("beyond 128 bits"));
    }
    assert_eq!(describe(&join(&[b"L", &vec![b'0'; 5_000_000], b"7L\n."])).unwrap(), "7");
}

#[test]
fn a_pickle_cut_short_anywhere_or_followed_by_anything_is_refused() {
    for pickle in short_goldens() {
        for end in 0..pickle.len() {
            assert!(describe(&pickle[..end]).is_err(), "{pickle:?} cut at {end}");
        }
        let text: String = pickle.iter().map(|byte| format!("{byte:02x}")).collect();
        for end in 0..text.len() {
            assert!(describe(&text.as_bytes()[..end]).is_err(), "{text} cut at {end}");
        }
        assert!(describe(&join(&[&pickle, b"."])).is_err());
        assert!(describe(format!("{text}2e").as_bytes()).is_err());
    }
}

#[test]
fn the_last_byte_tells_raw_pickles_from_text() {
    for text in READ.lines().filter_map(|line| line.split('\t').nth(2)) {
        assert!(from_hex(text).ends_with(b".") && !text.contains('.'));
    }
}
