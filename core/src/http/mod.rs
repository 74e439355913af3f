//! Talking to a server over HTTP: Loki, Grafana. One request at a time, on the calling thread.
//!
//! `connection` is who we are and whom we trust, `client` sends, `reply` is what came back, `advice`
//! what a person is told where nothing did, and `api` all of it for servers that speak JSON.

pub(crate) mod advice;
pub mod api;
mod client;
mod connection;
pub(crate) mod reply;

pub(crate) use client::Http;
