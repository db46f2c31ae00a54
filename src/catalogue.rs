//! The models that are offered by name, and the hub that they come from.

/// The hub that is asked unless the person names another one.
pub const HUB: &str = "https://huggingface.co";

/// A model that is offered by name. Revision, size and hash are pinned: what was looked at is what is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// What it is called.
    pub name: &'static str,
    /// Its repository.
    pub repo: &'static str,
    /// Its commit.
    pub revision: &'static str,
    /// Its number of weights.
    pub parameters: u64,
    /// Bytes of `model.safetensors`, which make up nearly all of it.
    pub size: u64,
    /// SHA-256 of `model.safetensors`; where it is not known here, the repository's pointer says it.
    pub sha256: Option<&'static str>,
}

/// The models that are offered by name.
pub const KNOWN: [Known; 3] = [
    Known {
        name: "DistilGPT-2",
        repo: "distilbert/distilgpt2",
        revision: "2290a62682d06624634c1f46a6ad5be0f47f38aa",
        parameters: 81_912_576,
        size: 352_824_413,
        sha256: Some("e1ff18884359fe8beb795a5f414feb85a6ce3d929ad019c0d958c039d2b94a1b"),
    },
    Known {
        name: "GPT-2",
        repo: "openai-community/gpt2",
        revision: "607a30d783dfa663caf39e06633721c8d4cfcd7e",
        parameters: 124_439_808,
        size: 548_105_171,
        sha256: Some("248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707"),
    },
    Known {
        name: "GPT-2 Medium",
        repo: "openai-community/gpt2-medium",
        revision: "6dcaa7a952f72f9298047fd5137cd6e4f05f41da",
        parameters: 354_823_168,
        size: 1_519_984_962,
        sha256: None,
    },
];
