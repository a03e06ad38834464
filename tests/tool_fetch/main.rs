//! `farmout tool fetch` with the real clients.

mod git;
