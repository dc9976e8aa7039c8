//! The scripts that make several steps one.
//!
//! In each writing script of the store the first write is the only one that can fail, so an error
//! means that nothing changed.

use crate::driver::Access;

/// A script, and the digest by which the server knows it.
///
/// A wrong digest costs only a round trip: the server does not know it, and the script is sent
/// whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
    pub(crate) sha1: &'static str,
    /// Whether the script may be sent twice.
    pub(crate) access: Access,
}

pub(crate) static SET_IF_VALUE: Script = Script {
    name: "set_if_value",
    source: include_str!("scripts/set_if_value.lua"),
    sha1: "a2173fe94b54170d0101232c481d7e329f514b26",
    access: Access::Write,
};

pub(crate) static DELETE_IF_VALUE: Script = Script {
    name: "delete_if_value",
    source: include_str!("scripts/delete_if_value.lua"),
    sha1: "c118f988bc55ea57fe9f7c26c6ed47db9cf358fe",
    access: Access::Write,
};

pub(crate) static PERSIST: Script = Script {
    name: "persist",
    source: include_str!("scripts/persist.lua"),
    sha1: "fbfdd25bd9055303c4bf1911e2560126fabff6f2",
    access: Access::Write,
};

pub(crate) static INCREMENT: Script = Script {
    name: "increment",
    source: include_str!("scripts/increment.lua"),
    sha1: "5ba55c6d0518f32e464a0bb876869e996dd46c2a",
    access: Access::Write,
};

pub(crate) static LIMIT: Script = Script {
    name: "limit",
    source: include_str!("scripts/limit.lua"),
    sha1: "0f2f9fcc4e7b75c0c7809bf0098c582d8df8ceb2",
    access: Access::Write,
};

pub(crate) static GET_SOME: Script = Script {
    name: "get_some",
    source: include_str!("scripts/get_some.lua"),
    sha1: "b2720c20599560b019af9e904957446bf65f988b",
    access: Access::Read,
};

pub(crate) static TTL_EACH: Script = Script {
    name: "ttl_each",
    source: include_str!("scripts/ttl_each.lua"),
    sha1: "b50d066c6accd3636ef6ac6aad344b2aae0d76ac",
    access: Access::Read,
};

pub(crate) static SET_EACH: Script = Script {
    name: "set_each",
    source: include_str!("scripts/set_each.lua"),
    sha1: "e99247c055c674f39eba360f1567a58ff40e1e5a",
    access: Access::Write,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_keeps_each_script_under_its_digest() {
        let server = kv_testbed::RedisServer::start().unwrap();
        let own = [&SET_IF_VALUE, &DELETE_IF_VALUE, &PERSIST, &INCREMENT, &LIMIT];
        let own = own.into_iter().chain([&GET_SOME, &TTL_EACH, &SET_EACH]);
        for script in own.chain(crate::queue::Scripts::new().all()) {
            let digest = server.cli(&["SCRIPT", "LOAD", script.source]).unwrap().text();
            assert_eq!(digest.as_deref(), Some(script.sha1), "{}", script.name);
        }
    }
}
