//! The connection to a cluster and the login that it needs.

use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use futures::future::BoxFuture;
use http::{HeaderValue, Request, header::AUTHORIZATION};
use kube::{
    Api, Client, Config, Resource,
    api::{ApiResource, DynamicObject},
    client::{Body, ClientBuilder},
    config::{KubeConfigOptions, Kubeconfig},
    core::DynamicResourceScope,
};
use serde_json::json;
use tokio::sync::Mutex;
use tower::{
    BoxError,
    buffer::BufferLayer,
    filter::{AsyncFilterLayer, AsyncPredicate},
};
use url::Url;

use super::{Kind, error};
use crate::{
    Cloud, ExecCredential, Proxies,
    runtime::{self, block_on, install_tls},
};

/// A connection to one cluster. Cheap to clone, usable from several threads.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    address: Arc<str>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Logs in to the EKS cluster `name` with tokens that are made in this process and renewed
    /// before they end. Sends nothing yet.
    ///
    /// # Errors
    /// When the endpoint or the certificate authority cannot be read.
    pub fn connect(endpoint: &str, ca_base64: &str, cloud: &Cloud, name: &str) -> Result<Self> {
        let document = json!({
            "clusters": [{ "name": name, "cluster": {
                "server": endpoint,
                "certificate-authority-data": ca_base64,
            }}],
            "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
            "users": [{ "name": name, "user": {} }],
            "current-context": name,
        });
        let kubeconfig: Kubeconfig = serde_json::from_value(document)?;
        let login =
            Login { cloud: cloud.clone(), cluster: name.into(), kept: Arc::new(Mutex::new(None)) };
        Self::build(kubeconfig, KubeConfigOptions::default(), Some(login), cloud.proxies())
            .with_context(|| format!("failed to connect to cluster `{name}` at {endpoint}"))
    }

    /// A context of a kubeconfig file; without a file, of those that `KUBECONFIG` names or of the
    /// one in the home folder. Sends nothing yet.
    ///
    /// # Errors
    /// When there is no such file or context, or its entries cannot be used.
    pub fn from_context(file: Option<&Path>, context: &str) -> Result<Self> {
        let kubeconfig = match file {
            Some(file) => Kubeconfig::read_from(file)
                .with_context(|| format!("failed to read the kubeconfig `{}`", file.display()))?,
            None => Kubeconfig::read().context("failed to read the kubeconfig")?,
        };
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..Default::default() };
        Self::build(kubeconfig, options, None, &Proxies::from_env()?)
            .with_context(|| format!("failed to use context `{context}` of the kubeconfig"))
    }

    fn build(
        kubeconfig: Kubeconfig,
        options: KubeConfigOptions,
        login: Option<Login>,
        proxies: &Proxies,
    ) -> Result<Self> {
        install_tls();
        let own_proxy = proxy_of_context(&kubeconfig, &options);
        block_on(async {
            let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
            config.connect_timeout = Some(Duration::from_secs(10));
            // kube compares NO_PROXY with the proxy's address instead of the server's.
            config.proxy_url = match own_proxy {
                Some(_) => config.proxy_url,
                None => proxy_for(&config.cluster_url, proxies)?,
            };
            let address = config.cluster_url.to_string();
            let builder = ClientBuilder::try_from(config)?;
            let client = match login {
                // The filter needs a service that can be cloned; a buffer in front of it can.
                Some(login) => builder
                    .with_layer(&BufferLayer::new(64))
                    .with_layer(&AsyncFilterLayer::new(login))
                    .build(),
                None => builder.build(),
            };
            Ok(Self { client, address: address.into() })
        })
    }

    /// The server's version: `v1.33.4-eks-...`. The cheapest question that needs a valid login.
    ///
    /// # Errors
    /// When the server is not reached or does not accept the login.
    pub fn version(&self) -> Result<String> {
        ask(async {
            let version = self.client.apiserver_version().await;
            Ok(version
                .map_err(|e| error::explain("failed to ask for the server's version", e))?
                .git_version)
        })
    }

    pub(super) fn api(&self, kind: &Kind, namespace: Option<&str>) -> Api<DynamicObject> {
        self.api_for(kind, namespace)
    }

    pub(super) fn api_for<K>(&self, kind: &Kind, namespace: Option<&str>) -> Api<K>
    where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
    {
        let resource = resource(kind);
        match namespace.filter(|_| kind.namespaced) {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }
}

/// The proxy that the kubeconfig itself names for the context's cluster: it wins, as with kubectl.
fn proxy_of_context(kubeconfig: &Kubeconfig, options: &KubeConfigOptions) -> Option<String> {
    let wanted = options.context.as_ref().or(kubeconfig.current_context.as_ref())?;
    let context = kubeconfig.contexts.iter().find(|context| context.name == *wanted)?;
    let name = &context.context.as_ref()?.cluster;
    let cluster = kubeconfig.clusters.iter().find(|cluster| cluster.name == *name)?;
    cluster.cluster.as_ref()?.proxy_url.clone().filter(|url| !url.is_empty())
}

fn proxy_for(server: &http::Uri, proxies: &Proxies) -> Result<Option<http::Uri>> {
    let server = Url::parse(&server.to_string()).context("failed to read the cluster's address")?;
    let proxy = proxies.for_url(&server).map(|proxy| proxy.as_str().parse());
    proxy.transpose().context("failed to read the proxy's URL")
}

/// How long one question to the API may take, with all its requests.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a question that is no wait.
pub(super) fn ask<T>(question: impl Future<Output = Result<T>>) -> Result<T> {
    runtime::ask("the Kubernetes API", PATIENCE, question)
}

pub(super) fn resource(kind: &Kind) -> ApiResource {
    let api_version = match kind.group {
        "" => kind.version.to_owned(),
        group => format!("{group}/{}", kind.version),
    };
    ApiResource {
        group: kind.group.into(),
        version: kind.version.into(),
        api_version,
        kind: kind.kind.into(),
        plural: kind.plural.into(),
    }
}

/// Puts a valid EKS token into every request.
#[derive(Clone)]
struct Login {
    cloud: Cloud,
    cluster: Arc<str>,
    kept: Arc<Mutex<Option<ExecCredential>>>,
}

/// A token that ends sooner than this is not used any more.
const TOKEN_MARGIN: Duration = Duration::from_secs(120);

impl Login {
    async fn header(&self) -> Result<HeaderValue> {
        let mut kept = self.kept.lock().await;
        let valid = kept.take().filter(|kept| kept.expires > SystemTime::now() + TOKEN_MARGIN);
        let credential = match valid {
            Some(credential) => credential,
            None => self.cloud.make_eks_token(&self.cluster).await?,
        };
        let mut header = HeaderValue::try_from(format!("Bearer {}", credential.token.expose()))?;
        header.set_sensitive(true);
        *kept = Some(credential);
        Ok(header)
    }
}

impl AsyncPredicate<Request<Body>> for Login {
    type Future = BoxFuture<'static, Result<Self::Request, BoxError>>;
    type Request = Request<Body>;

    fn check(&mut self, mut request: Request<Body>) -> Self::Future {
        let login = self.clone();
        Box::pin(async move {
            request.headers_mut().insert(AUTHORIZATION, login.header().await?);
            Ok(request)
        })
    }
}
