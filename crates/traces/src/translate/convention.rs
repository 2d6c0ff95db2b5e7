//! The conventions, in the order in which they are asked.

use super::{View, claude_code, gemini, vercel};

/// A key of an attribute.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    /// This one.
    Named(&'static str),
    /// One that begins with these, with a number between each two of them.
    Numbered(&'static [&'static str]),
}

use Key::{Named, Numbered};

/// Tokens as one convention counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) input: Option<i64>,
    pub(super) output: Option<i64>,
    pub(super) total: Option<i64>,
    pub(super) cache_read: Option<i64>,
    pub(super) cache_write: Option<i64>,
}

/// The keys of tokens; of two the first one that is there counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenKeys {
    pub(super) input: &'static [&'static str],
    pub(super) output: &'static [&'static str],
    pub(super) total: &'static [&'static str],
    pub(super) cache_read: &'static [&'static str],
    pub(super) cache_write: &'static [&'static str],
}

/// Keys that name a type of span, with what each name means.
pub(super) type Kinds = (&'static [&'static str], &'static [(&'static str, &'static str)]);

/// How one family of instrumentations speaks.
pub(super) struct Convention {
    pub(super) kinds: Kinds,
    pub(super) kind: fn(&Self, &View<'_>) -> Option<&'static str>,
    pub(super) inputs: &'static [Key],
    pub(super) input: fn(&Self, &View<'_>) -> Option<String>,
    pub(super) outputs: &'static [Key],
    pub(super) output: fn(&Self, &View<'_>) -> Option<String>,
    pub(super) token_keys: TokenKeys,
    pub(super) tokens: fn(&Self, &View<'_>) -> Tokens,
    pub(super) models: &'static [Key],
    pub(super) providers: &'static [Key],
    pub(super) tools: &'static [Key],
    pub(super) format: fn(&View<'_>) -> Option<&'static str>,
}

impl Convention {
    /// The type of a span, in `MLflow`'s words.
    pub(super) fn span_type(&self, view: &View<'_>) -> Option<&'static str> {
        (self.kind)(self, view)
    }
}

const NO_TOKENS: TokenKeys =
    TokenKeys { input: &[], output: &[], total: &[], cache_read: &[], cache_write: &[] };

/// One that says nothing.
const SILENT: Convention = Convention {
    kinds: (&[], &[]),
    kind: named_kind,
    inputs: &[],
    input: |convention, view| view.first(convention.inputs).map(str::to_owned),
    outputs: &[],
    output: |convention, view| view.first(convention.outputs).map(str::to_owned),
    token_keys: NO_TOKENS,
    tokens: counted,
    models: &[],
    providers: &[],
    tools: &[],
    format: |_| None,
};

/// The type that the first key with a known name tells.
pub(super) fn named_kind(convention: &Convention, view: &View<'_>) -> Option<&'static str> {
    let (keys, kinds) = convention.kinds;
    let meant = |key: &&str| {
        let told = view.text(key)?;
        kinds.iter().find(|(name, _)| *name == told).map(|(_, kind)| *kind)
    };
    keys.iter().find_map(meant)
}

/// The tokens under the convention's keys.
pub(super) fn counted(convention: &Convention, view: &View<'_>) -> Tokens {
    let keys = &convention.token_keys;
    let first = |keys: &[&str]| keys.iter().find_map(|key| view.number(key));
    Tokens {
        input: first(keys.input),
        output: first(keys.output),
        total: first(keys.total),
        cache_read: first(keys.cache_read),
        cache_write: first(keys.cache_write),
    }
}

const OPEN_INFERENCE: Convention = Convention {
    kinds: (
        &["openinference.span.kind"],
        &[
            ("TOOL", "TOOL"),
            ("CHAIN", "CHAIN"),
            ("LLM", "LLM"),
            ("RETRIEVER", "RETRIEVER"),
            ("EMBEDDING", "EMBEDDING"),
            ("AGENT", "AGENT"),
            ("RERANKER", "RERANKER"),
            ("UNKNOWN", "UNKNOWN"),
            ("GUARDRAIL", "GUARDRAIL"),
            ("EVALUATOR", "EVALUATOR"),
        ],
    ),
    inputs: &[Named("input.value")],
    outputs: &[Named("output.value")],
    token_keys: TokenKeys {
        input: &["llm.token_count.prompt"],
        output: &["llm.token_count.completion"],
        total: &["llm.token_count.total"],
        cache_read: &["llm.token_count.prompt_details.cache_read"],
        cache_write: &["llm.token_count.prompt_details.cache_write"],
    },
    models: &[
        Named("llm.response.model_name"),
        Named("llm.model_name"),
        Named("llm.request.model_name"),
        Named("embedding.model_name"),
    ],
    providers: &[Named("llm.provider")],
    ..SILENT
};

const GEN_AI_TOKENS: TokenKeys = TokenKeys {
    input: &["gen_ai.usage.input_tokens"],
    output: &["gen_ai.usage.output_tokens"],
    total: &[],
    cache_read: &["gen_ai.usage.cache_read.input_tokens"],
    cache_write: &["gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"],
};

const GEN_AI_NAMES: &[(&str, &str)] = &[
    ("chat", "CHAT_MODEL"),
    ("create_agent", "AGENT"),
    ("embeddings", "EMBEDDING"),
    ("execute_tool", "TOOL"),
    ("generate_content", "LLM"),
    ("invoke_agent", "AGENT"),
    ("text_completion", "LLM"),
    ("response", "LLM"),
];

/// OpenTelemetry's own.
const GEN_AI: Convention = Convention {
    kinds: (&["gen_ai.operation.name"], GEN_AI_NAMES),
    inputs: &[Named("gen_ai.input.messages"), Named("gen_ai.tool.call.arguments")],
    outputs: &[Named("gen_ai.output.messages"), Named("gen_ai.tool.call.result")],
    token_keys: GEN_AI_TOKENS,
    models: &[Named("gen_ai.response.model"), Named("gen_ai.request.model")],
    providers: &[Named("gen_ai.provider.name")],
    tools: &[Named("gen_ai.tool.definitions")],
    ..SILENT
};

const GEMINI_CLI: Convention = Convention {
    kinds: (
        &["gen_ai.operation.name"],
        &[("llm_call", "LLM"), ("tool_call", "TOOL"), ("agent_call", "AGENT")],
    ),
    kind: |convention, view| gemini::speaks(view).then(|| named_kind(convention, view)).flatten(),
    input: gemini::input,
    output: gemini::output,
    format: |view| gemini::speaks(view).then_some("gemini"),
    ..GEN_AI
};

const CLAUDE_CODE: Convention = Convention {
    kind: |_, view| claude_code::kind(view),
    input: |_, view| claude_code::input(view),
    output: |_, view| claude_code::output(view),
    tokens: |_, view| claude_code::tokens(view),
    ..SILENT
};

/// Opentelemetry for LLMs by Traceloop.
const TRACELOOP: Convention = Convention {
    kinds: (
        &["traceloop.span.kind"],
        &[
            ("workflow", "WORKFLOW"),
            ("task", "TASK"),
            ("agent", "AGENT"),
            ("tool", "TOOL"),
            ("unknown", "UNKNOWN"),
        ],
    ),
    inputs: &[
        Named("traceloop.entity.input"),
        Numbered(&["gen_ai.prompt.", ".content"]),
        Numbered(&["gen_ai.completion.", ".tool_calls.", ".arguments"]),
    ],
    outputs: &[Named("traceloop.entity.output"), Numbered(&["gen_ai.completion.", ".content"])],
    token_keys: TokenKeys {
        input: &["gen_ai.usage.prompt_tokens"],
        output: &["gen_ai.usage.completion_tokens"],
        total: &["llm.usage.total_tokens"],
        ..NO_TOKENS
    },
    providers: &[Named("gen_ai.system")],
    ..SILENT
};

const GOOGLE_ADK: Convention = Convention {
    inputs: &[Named("gcp.vertex.agent.llm_request"), Named("gcp.vertex.agent.tool_call_args")],
    outputs: &[Named("gcp.vertex.agent.llm_response"), Named("gcp.vertex.agent.tool_response")],
    ..SILENT
};

const VERCEL_AI: Convention = Convention {
    kinds: (
        &["ai.operationId"],
        &[
            ("ai.generateText", "LLM"),
            ("ai.generateText.doGenerate", "LLM"),
            ("ai.toolCall", "TOOL"),
            ("ai.streamText", "LLM"),
            ("ai.streamText.doStream", "LLM"),
            ("ai.generateObject", "LLM"),
            ("ai.generateObject.doGenerate", "LLM"),
            ("ai.streamObject", "LLM"),
            ("ai.streamObject.doStream", "LLM"),
            ("ai.embed", "EMBEDDING"),
            ("ai.embed.doEmbed", "EMBEDDING"),
            ("ai.embedMany", "EMBEDDING"),
        ],
    ),
    inputs: &[Named("ai.prompt"), Named("ai.toolCall.args"), Named("ai.value"), Named("ai.values")],
    input: vercel::input,
    outputs: &[
        Named("ai.response.text"),
        Named("ai.toolCall.result"),
        Named("ai.response.object"),
        Named("ai.embedding"),
        Named("ai.embeddings"),
    ],
    output: vercel::output,
    format: |view| vercel::is_chat(view).then_some("vercel_ai"),
    ..SILENT
};

const VOLT_AGENT: Convention = Convention {
    // Steps within an agent inherit its entity, so their own type is asked first.
    kinds: (
        &["span.type", "entity.type"],
        &[("agent", "AGENT"), ("llm", "LLM"), ("tool", "TOOL"), ("memory", "MEMORY")],
    ),
    inputs: &[Named("agent.messages"), Named("llm.messages"), Named("input")],
    outputs: &[Named("output")],
    token_keys: TokenKeys {
        input: &["usage.prompt_tokens", "llm.usage.prompt_tokens"],
        output: &["usage.completion_tokens", "llm.usage.completion_tokens"],
        total: &["usage.total_tokens", "llm.usage.total_tokens"],
        ..NO_TOKENS
    },
    format: |view| {
        let keys = ["voltagent.operation_id", "voltagent.conversation_id"];
        keys.iter().any(|key| view.has(key)).then_some("voltagent")
    },
    ..SILENT
};

const LIVE_KIT: Convention = Convention {
    kind: live_kit_kind,
    inputs: &[
        Named("lk.user_input"),
        Named("lk.user_transcript"),
        Named("lk.chat_ctx"),
        Named("lk.input_text"),
    ],
    outputs: &[Named("lk.response.text"), Named("lk.response.function_calls")],
    format: |view| view.below("lk.").next().is_some().then_some("livekit"),
    ..GEN_AI
};

fn live_kit_kind(_: &Convention, view: &View<'_>) -> Option<&'static str> {
    if view.has("gen_ai.request.model") {
        return Some("LLM");
    }
    let operation = view.text("gen_ai.operation.name").map(|name| name.to_lowercase());
    let named = operation.and_then(|told| GEN_AI_NAMES.iter().find(|(name, _)| *name == told));
    named.map(|(_, kind)| *kind).or_else(|| {
        let told = |key: &str| match key {
            "retry_count" => Some("LLM"),
            "agent_name" | "instructions" | "generation_id" => Some("AGENT"),
            _ if key.starts_with("function_tool") => Some("TOOL"),
            _ => None,
        };
        view.below("lk.").find_map(|(key, _)| told(key))
    })
}

const LAMINAR: Convention = Convention {
    kinds: (
        &["lmnr.span.type"],
        &[
            ("LLM", "LLM"),
            ("CACHED", "LLM"),
            ("TOOL", "TOOL"),
            ("DEFAULT", "CHAIN"),
            ("PIPELINE", "CHAIN"),
            ("EXECUTOR", "AGENT"),
            ("EVALUATOR", "EVALUATOR"),
            ("HUMAN_EVALUATOR", "EVALUATOR"),
            ("EVALUATION", "EVALUATOR"),
        ],
    ),
    inputs: &[Named("lmnr.span.input")],
    outputs: &[Named("lmnr.span.output")],
    token_keys: TokenKeys { cache_read: &[], cache_write: &[], ..GEN_AI_TOKENS },
    models: &[Named("gen_ai.response.model"), Named("gen_ai.request.model")],
    providers: &[Named("gen_ai.system")],
    format: |view| view.has("lmnr.span.type").then_some("openai"),
    ..SILENT
};

const LANGFUSE: Convention = Convention {
    kinds: (
        &["langfuse.observation.type"],
        &[
            ("generation", "LLM"),
            ("embedding", "EMBEDDING"),
            ("tool", "TOOL"),
            ("retriever", "RETRIEVER"),
            ("agent", "AGENT"),
            ("chain", "CHAIN"),
            ("evaluator", "EVALUATOR"),
            ("guardrail", "GUARDRAIL"),
            ("span", "UNKNOWN"),
        ],
    ),
    inputs: &[Named("langfuse.observation.input")],
    outputs: &[Named("langfuse.observation.output")],
    ..SILENT
};

/// All, the one that is asked first in front. Spring AI's attributes are OpenTelemetry's own; what it says in
/// events stands in [`events`](super::events).
pub(super) const CONVENTIONS: &[Convention] = &[
    OPEN_INFERENCE,
    GEMINI_CLI,
    CLAUDE_CODE,
    GEN_AI,
    TRACELOOP,
    GOOGLE_ADK,
    VERCEL_AI,
    VOLT_AGENT,
    LIVE_KIT,
    LAMINAR,
    LANGFUSE,
];
