//! Providers of models: which there are, and what each needs to let a caller in.
//!
//! The names, ways and fields are facts of MLflow 3.18 (`mlflow/utils/providers.py` and the names of its catalogue).
//! Others can be used too: what is not listed here takes a key and, where it is not the usual one, an address.

use std::borrow::Cow;

/// The providers, by name.
pub const PROVIDERS: &[&str] = &[
    "abliteration",
    "ai21",
    "aiand",
    "aihubmix",
    "aiml",
    "aleph_alpha",
    "amazon_nova",
    "anthropic",
    "anyscale",
    "azure",
    "azure_ai",
    "azure_text",
    "baseten",
    "bedrock",
    "bedrock_mantle",
    "bigmodel",
    "black_forest_labs",
    "cerebras",
    "chatgpt",
    "clf_ai_gateway",
    "cloudflare",
    "codestral",
    "cognition",
    "cohere",
    "cohere_chat",
    "coralbricks",
    "crusoe",
    "cursor",
    "darkbloom",
    "dashscope",
    "databricks",
    "deepinfra",
    "deepseek",
    "fal_ai",
    "featherless_ai",
    "fireworks_ai",
    "fireworks_ai-embedding-models",
    "friendliai",
    "gemini",
    "gigachat",
    "github_copilot",
    "gmi",
    "gradient_ai",
    "groq",
    "heroku",
    "hostinger_router",
    "hyperbolic",
    "inception",
    "inferenceapis",
    "kyma",
    "lambda_ai",
    "lemonade",
    "libertai",
    "llamagate",
    "meta",
    "meta_llama",
    "microsoft_365_copilot",
    "minimax",
    "mistral",
    "moonshot",
    "morph",
    "nebius",
    "nlp_cloud",
    "novita",
    "nscale",
    "oci",
    "ollama",
    "openai",
    "opencode_go",
    "openinfer",
    "openrouter",
    "ovhcloud",
    "palm",
    "perplexity",
    "pinstripes",
    "portkey",
    "prism",
    "publicai",
    "qwen_ai_platform",
    "qwencloud",
    "recraft",
    "refuseless",
    "replicate",
    "runwayml",
    "sagemaker",
    "sail",
    "sambanova",
    "sarvam",
    "scaledown",
    "scaleway",
    "scx-ai",
    "snowflake",
    "stability",
    "streamlake",
    "tencent",
    "tensormesh",
    "text-completion-codestral",
    "text-completion-inception",
    "text-completion-openai",
    "together_ai",
    "typesafe",
    "v0",
    "vercel_ai_gateway",
    "vertex_ai",
    "volcengine",
    "voyage",
    "wandb",
    "watsonx",
    "xai",
    "xiaomi_mimo",
    "zai",
    "zerogpu",
];

/// A field of a way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name under which its value is kept.
    pub name: &'static str,
    /// What to write there.
    pub description: Cow<'static, str>,
    /// Whether it is sealed; else people see it.
    pub is_secret: bool,
    /// Whether it must be filled.
    pub is_required: bool,
    /// What is meant if it is not.
    pub default: Option<&'static str>,
}

/// One way in which a provider lets callers in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthMode {
    /// Its name on the wire.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it is, for people.
    pub description: Cow<'static, str>,
    /// What it needs.
    pub fields: Vec<Field>,
}

/// What a provider is called here, of the names that people call it.
pub fn canonical(name: &str) -> String {
    let name = name.to_lowercase();
    match name.as_str() {
        "amazon-bedrock" | "bedrock_converse" => "bedrock".to_owned(),
        "databricks-model-serving" => "databricks".to_owned(),
        _ => name,
    }
}

/// The ways in of a provider, the usual one first.
pub fn auth_modes(provider: &str) -> Vec<AuthMode> {
    match canonical(provider).as_str() {
        "azure" => vec![mode(
            API_KEY,
            "A key of Azure OpenAI",
            vec![
                secret("api_key", "Key"),
                config("api_base", "URL of the Azure OpenAI resource"),
                config("api_version", "Version of the API, such as 2024-02-01"),
            ],
        )],
        "bedrock" => bedrock(),
        "databricks" => databricks(),
        "portkey" => portkey(),
        "sagemaker" => sagemaker(),
        "typesafe" => vec![simple("TypeSafe")],
        "vertex_ai" => vertex(),
        other => vec![simple(&title(other))],
    }
}

const API_KEY: (&str, &str) = ("api_key", "API Key");
const CHAIN: (&str, &str) = ("default_chain", "Default Credential Chain");

fn mode(
    (id, title): (&'static str, &'static str),
    description: impl Into<Cow<'static, str>>,
    fields: Vec<Field>,
) -> AuthMode {
    AuthMode { id, title, description: description.into(), fields }
}

fn config(name: &'static str, description: impl Into<Cow<'static, str>>) -> Field {
    Field { name, description: description.into(), is_secret: false, is_required: true, default: None }
}

fn secret(name: &'static str, description: impl Into<Cow<'static, str>>) -> Field {
    Field { is_secret: true, ..config(name, description) }
}

impl Field {
    fn optional(self) -> Self {
        Self { is_required: false, ..self }
    }

    fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self.optional() }
    }
}

/// A key and an address.
fn simple(provider: &str) -> AuthMode {
    let fields = vec![
        secret("api_key", format!("Key of {provider}")),
        config("api_base", format!("Base URL of {provider}, if it is not the usual one")).optional(),
    ];
    mode(API_KEY, format!("A key of {provider}"), fields)
}

/// The name of a provider with capitals.
fn title(name: &str) -> String {
    let mut inside_word = false;
    let mut titled = String::with_capacity(name.len());
    for c in name.chars() {
        match c.to_uppercase().next() {
            Some(capital) if c.is_alphabetic() && !inside_word => titled.push(capital),
            _ => titled.push(c),
        }
        inside_word = c.is_alphabetic();
    }
    titled
}

fn region() -> Field {
    config("aws_region_name", "AWS region, such as us-east-1")
}

fn access_keys() -> [Field; 2] {
    [
        secret("aws_access_key_id", "Id of the AWS access key"),
        secret("aws_secret_access_key", "Secret of the AWS access key"),
    ]
}

fn role() -> Field {
    config("aws_role_name", "ARN of the IAM role to take on")
}

/// What the server's own surroundings know of AWS.
fn aws_chain() -> AuthMode {
    let session = config("aws_session_name", "Name of the session, where a role is taken on").optional();
    let fields = vec![role().optional(), session, region().optional()];
    mode(CHAIN, "What the server finds itself: its instance's profile, its task's role, ~/.aws", fields)
}

fn bedrock() -> Vec<AuthMode> {
    let [id, key] = access_keys();
    vec![
        mode(API_KEY, "A bearer token of Amazon Bedrock", vec![secret("api_key", "Token"), region()]),
        mode(("access_keys", "Access Keys"), "An AWS access key", vec![id, key, region().optional()]),
        mode(
            ("iam_role", "IAM Role Assumption"),
            "An IAM role, taken on with what the server finds itself",
            vec![role(), region().optional()],
        ),
        aws_chain(),
    ]
}

fn sagemaker() -> Vec<AuthMode> {
    let [id, key] = access_keys();
    let [of_role_id, of_role_key] = access_keys();
    let session = config("aws_session_name", "Name of the session").optional();
    vec![
        mode(("access_keys", "Access Keys"), "An AWS access key", vec![id, key, region()]),
        mode(
            ("iam_role", "IAM Role Assumption"),
            "An IAM role of another account, taken on with an access key",
            vec![of_role_id, of_role_key, role(), session, region()],
        ),
        aws_chain(),
    ]
}

fn databricks() -> Vec<AuthMode> {
    let workspace = || config("api_base", "URL of the Databricks workspace");
    vec![
        mode(
            ("pat_token", "Personal Access Token"),
            "A personal access token",
            vec![secret("api_key", "Token"), workspace()],
        ),
        mode(
            ("oauth_m2m", "OAuth M2M (Service Principal)"),
            "A service principal, by OAuth between machines",
            vec![
                secret("client_secret", "Secret of the client"),
                workspace(),
                config("client_id", "Id of the client"),
            ],
        ),
    ]
}

fn portkey() -> Vec<AuthMode> {
    let fields = vec![
        secret("api_key", "Key of Portkey"),
        config(
            "portkey_provider",
            "Whereto: a slug of the catalogue, such as @openai-prod, or of a provider",
        )
        .optional(),
        secret("portkey_config", "Id of a Portkey config, or the config as JSON, which may hold secrets")
            .optional(),
        secret("provider_api_key", "Key of the provider behind it, if Portkey does not hold it").optional(),
        config("api_base", "Base URL of Portkey, if it is not https://api.portkey.ai/v1").optional(),
    ];
    vec![mode(API_KEY, "A key of Portkey, and where it leads", fields)]
}

fn vertex() -> Vec<AuthMode> {
    let project = || config("vertex_project", "Id of the GCP project");
    let location = || config("vertex_location", "GCP region").or("us-central1");
    vec![
        mode(
            ("service_account_json", "Service Account JSON"),
            "A service account of GCP, by its key file",
            vec![secret("vertex_credentials", "What is in the key file (JSON)"), project(), location()],
        ),
        mode(
            (CHAIN.0, "Application Default Credentials"),
            "What the server finds itself: GOOGLE_APPLICATION_CREDENTIALS, or the account of its machine",
            vec![project(), location()],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_sorted_and_need_something() {
        assert!(PROVIDERS.is_sorted() && PROVIDERS.contains(&"openai"));
        for provider in PROVIDERS {
            let modes = auth_modes(provider);
            assert!(modes.iter().all(|mode| !mode.fields.is_empty()), "{provider}");
            let mut ids: Vec<_> = modes.iter().map(|mode| mode.id).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), modes.len(), "{provider}");
        }
    }

    #[test]
    fn what_is_not_listed_takes_a_key_and_an_address() {
        let [only] = auth_modes("my_own-llm").try_into().unwrap();
        assert_eq!((only.id, &*only.description), ("api_key", "A key of My_Own-Llm"));
        let names: Vec<_> = only.fields.iter().map(|f| (f.name, f.is_secret, f.is_required)).collect();
        assert_eq!(names, [("api_key", true, true), ("api_base", false, false)]);
    }

    #[test]
    fn a_provider_has_several_names() {
        assert_eq!(auth_modes("Amazon-Bedrock"), auth_modes("bedrock"));
        assert_eq!(auth_modes("bedrock_converse").len(), 4);
        assert_eq!(auth_modes("vertex_ai")[0].fields[2].default, Some("us-central1"));
    }
}
