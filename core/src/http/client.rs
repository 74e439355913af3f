//! Sends requests. reqwest's futures run on a runtime of ours that has no threads, so that nothing of
//! it outlives a call, except a name that is being looked up (the system's resolver has no time-out):
//! that one is left alone.

use std::time::Duration;

use reqwest::{RequestBuilder, Url};
use tokio::runtime::Runtime;

use super::connection::connection;
use super::reply::Reply;
use crate::config::access::Access;

/// A connection to a server, kept alive between requests.
pub(crate) struct Http {
    access: Access,
    url: Url,
    timeout: Duration,
    /// Always there; taken out to be shut down.
    runtime: Option<Runtime>,
    /// Made with the first request, for it needs secrets and certificates, which may be mended.
    client: Option<reqwest::Client>,
    /// What must not stand in any text of ours.
    secrets: Vec<String>,
}

impl Http {
    /// Reads nothing and connects to nobody yet.
    ///
    /// # Errors
    /// What the machine lacks.
    pub(crate) fn new(access: &Access, url: &Url, timeout: Duration) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // For the resolver alone. Threads that wait for a name for ever do not pile up, and
            // those that are done are soon gone.
            .thread_name("lb-resolver")
            .max_blocking_threads(2)
            .thread_keep_alive(Duration::from_millis(10))
            .build();
        let runtime = runtime.map_err(|error| format!("{}: no runtime: {error}", access.block))?;
        let (access, url, runtime) = (access.clone(), url.clone(), Some(runtime));
        Ok(Self { access, url, timeout, runtime, client: None, secrets: Vec::new() })
    }

    /// What requests are made with.
    ///
    /// # Errors
    /// What of secrets and certificates cannot be read or used, and what to do.
    pub(crate) fn requests(&mut self) -> Result<reqwest::Client, String> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let (client, secrets) = connection(&self.access, &self.url, self.timeout)?;
        self.secrets = secrets;
        Ok(self.client.insert(client).clone())
    }

    /// Reads secrets and certificates again; those of before stay where that fails.
    ///
    /// # Errors
    /// As [`Self::requests`].
    pub(crate) fn renew(&mut self) -> Result<(), String> {
        let (client, secrets) = connection(&self.access, &self.url, self.timeout)?;
        self.secrets = secrets;
        self.client = Some(client);
        Ok(())
    }

    /// Sends a request, and reads at most so many bytes of the answer.
    pub(crate) fn send(
        &self,
        request: RequestBuilder,
        most: usize,
    ) -> Result<Reply, reqwest::Error> {
        let nobody = Reply { status: 0, location: None, body: Vec::new(), cut: None };
        let Some(runtime) = &self.runtime else { return Ok(nobody) };
        runtime.block_on(async { Ok(Reply::read(request.send().await?, most).await) })
    }

    /// A text without our secrets: a server may repeat what it was sent.
    pub(crate) fn clean(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| text.replace(secret.as_str(), "***");
        self.secrets.iter().fold(text.to_owned(), hide)
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        // Waits for nothing: a look-up of a name may take minutes.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
