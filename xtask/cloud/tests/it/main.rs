//! The network edge against stand-ins on this machine.
// `cfg(test)` is always true here; with it clippy knows helpers for tests, which may panic.

#[cfg(test)]
mod aws;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod declared;
#[cfg(test)]
mod github;
#[cfg(test)]
mod http;
#[cfg(test)]
mod kubernetes;
#[cfg(test)]
mod lost;
#[cfg(test)]
mod moto;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod standin;
#[cfg(test)]
mod waits;
