//! Plain HTTP for smoke tests and downloads.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, bail};

use crate::Wait;

/// How requests travel.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    pub proxy: Option<String>,
    /// A certificate authority that is trusted besides those of the system.
    pub extra_ca_pem: Option<String>,
    /// For one request, from connecting to the last byte.
    pub timeout: Duration,
}

/// An HTTP client.
#[derive(Debug, Clone)]
pub struct Http {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// At most one MiB; the rest is not read.
    pub body: String,
}

impl Http {
    pub fn new(_config: HttpConfig) -> Result<Self> {
        bail!("not built")
    }

    pub fn send(
        &self,
        _method: Method,
        _url: &str,
        _headers: &[(&str, &str)],
        _body: Option<&str>,
    ) -> Result<Response> {
        bail!("not built")
    }

    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response> {
        self.send(Method::Get, url, headers, None)
    }

    /// Sends until the answer is neither a connection error nor 502, 503 or 504.
    pub fn send_until_reachable(
        &self,
        _method: Method,
        _url: &str,
        _headers: &[(&str, &str)],
        _body: Option<&str>,
        _wait: &Wait<'_>,
    ) -> Result<Response> {
        bail!("not built")
    }

    /// The status that a WebSocket handshake gets: 101 where one is accepted.
    pub fn websocket_handshake(&self, _url: &str, _headers: &[(&str, &str)]) -> Result<u16> {
        bail!("not built")
    }
}
