//! What providers and models are called in spans.

/// What a provider's name in a span says about prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seller {
    /// A provider of the book.
    Book(&'static str),
    /// A gateway, a library or a framework: who sold the model must be told by the model's name.
    PassesOn,
    /// Runs or sells models at prices of its own, which the book does not have.
    Other,
}

/// Names in spans of the book's providers, beside the book's own. Lower case, whole names only.
const SELLERS: &[(&str, &[&str])] = &[
    ("anthropic", &["anthropic_chat", "claude", "chat_anthropic", "chatanthropic"]),
    ("arcee", &["arcee-ai", "arcee_ai"]),
    (
        "aws",
        &[
            "aws.bedrock",
            "aws_bedrock",
            "aws-bedrock",
            "bedrock",
            "bedrock_converse",
            "bedrock-converse",
            "amazon_bedrock",
            "amazon-bedrock",
            "amazon.bedrock",
            "amazon",
            "chatbedrock",
            "chatbedrockconverse",
            "bedrock_mantle",
            "strands.bedrock",
        ],
    ),
    (
        "azure",
        &[
            "azure.ai.openai",
            "az.ai.openai",
            "azure.ai.inference",
            "az.ai.inference",
            "azure_openai",
            "azure-openai",
            "azure.openai",
            "azureopenai",
            "azure_ai",
            "azure-ai",
            "azure_openai_chat",
            "azure.ai.foundry",
            "microsoft.foundry",
            "azurechatopenai",
        ],
    ),
    ("baseten", &[]),
    ("cerebras", &["cerebras_cloud"]),
    ("cloudflare", &["cloudflare_workers_ai", "workers-ai", "workers_ai", "cloudflare.workers_ai"]),
    ("cohere", &["cohere_chat", "chatcohere"]),
    ("databricks", &["databricks_chat"]),
    ("deepseek", &["deepseek_ai", "chatdeepseek"]),
    ("elevenlabs", &["eleven_labs"]),
    ("fireworks", &["fireworks_ai", "fireworks-ai", "fireworks.ai", "chatfireworks"]),
    ("github-copilot", &["github_copilot", "copilot"]),
    (
        "google",
        &[
            "gcp.gemini",
            "gcp.vertex_ai",
            "gcp.gen_ai",
            "gemini",
            "vertexai",
            "vertex_ai",
            "vertex-ai",
            "vertex",
            "google_genai",
            "google-genai",
            "google_vertexai",
            "google-vertex",
            "google_vertex",
            "google.vertex",
            "google-gla",
            "google-vertex-anthropic",
            "google_generative_ai",
            "google.generative-ai",
            "google_ai",
            "google-ai",
            "google.ai",
            "vertex_ai_beta",
            "chatgooglegenerativeai",
            "chatvertexai",
            "google_gemini",
            "gen_ai.google",
        ],
    ),
    ("groq", &["groq_chat", "chatgroq"]),
    ("minimax", &["minimax_ai"]),
    ("mistral", &["mistral_ai", "mistralai", "mistral-ai", "mistral.ai", "chatmistralai", "codestral"]),
    ("moonshotai", &["moonshot", "moonshot_ai", "moonshot-ai", "moonshot.ai"]),
    ("novita", &["novita-ai", "novita_ai"]),
    (
        "openai",
        &[
            "openai_chat",
            "openai-chat",
            "openai-responses",
            "openai_responses",
            "openai.chat",
            "openai.responses",
            "openai.completion",
            "openai.embedding",
            "chatopenai",
            "text-completion-openai",
            "openai_realtime",
        ],
    ),
    ("openrouter", &["open_router", "open-router", "openrouter.ai"]),
    ("ovhcloud", &["ovh", "ovhcloud_ai"]),
    ("perplexity", &["perplexity_ai", "perplexity-ai", "pplx", "chatperplexity"]),
    ("together", &["together_ai", "together-ai", "togetherai", "together.ai", "chattogether"]),
    ("voyageai", &["voyage", "voyage_ai", "voyage-ai"]),
    ("x-ai", &["x_ai", "xai", "x.ai", "chatxai"]),
    ("zai", &["z-ai", "z_ai", "z.ai"]),
    ("zhipuai", &["zhipu", "zhipu_ai", "zhipu-ai", "bigmodel"]),
];

/// The book's own names of providers that are written nowhere above.
const BY_OWN_NAME: &[&str] = &[
    "avian",
    "cursor",
    "doubleword",
    "huggingface_cerebras",
    "huggingface_fireworks-ai",
    "huggingface_groq",
    "huggingface_hyperbolic",
    "huggingface_nebius",
    "huggingface_novita",
    "huggingface_nscale",
    "huggingface_ovhcloud",
    "huggingface_publicai",
    "huggingface_sambanova",
    "huggingface_together",
    "meta",
    "modal",
    "openai-decisions",
    "quicksilverpro",
    "typesafe",
];

/// Gateways, libraries and frameworks.
const PASSES_ON: &[&str] = &[
    "",
    "litellm",
    "litellm_proxy",
    "langchain",
    "langgraph",
    "langsmith",
    "langfuse",
    "llamaindex",
    "llama_index",
    "vercel",
    "gateway",
    "ai-gateway",
    "vercel_ai_gateway",
    "portkey",
    "helicone",
    "kong",
    "gcp.vertex.agent",
    "google_adk",
    "adk",
    "crewai",
    "autogen",
    "ag2",
    "smolagents",
    "pydantic_ai",
    "pydantic-ai",
    "agno",
    "strands",
    "strands-agents",
    "haystack",
    "dspy",
    "semantic_kernel",
    "instructor",
    "aisuite",
    "unknown",
    "none",
    "null",
    "custom",
    "other",
    "_other",
    "_unset",
];

/// Those that run models, or sell them at prices that the book does not have.
const OTHERS: &[&str] = &[
    "ollama",
    "chatollama",
    "vllm",
    "hosted_vllm",
    "sglang",
    "llamacpp",
    "llama.cpp",
    "llama_cpp",
    "llamafile",
    "lm_studio",
    "lmstudio",
    "lm-studio",
    "localai",
    "tgi",
    "text-generation-inference",
    "triton",
    "xinference",
    "huggingface",
    "hugging_face",
    "hf",
    "transformers",
    "mlx",
    "gpt4all",
    "ibm.watsonx.ai",
    "watsonx",
    "watsonx_ai",
    "replicate",
    "nvidia",
    "nvidia_nim",
    "nvidia.nim",
    "sambanova",
    "nebius",
    "hyperbolic",
    "deepinfra",
    "anyscale",
    "sagemaker",
    "aws.sagemaker",
    "aws_sagemaker",
    "oci",
    "snowflake",
    "alibaba",
    "dashscope",
    "qwen",
    "ai21",
    "aleph_alpha",
    "writer",
    "predibase",
    "friendliai",
    "lepton",
    "octoai",
    "runpod",
    "beam",
    "volcengine",
    "baidu",
    "tencent",
    "sap",
];

/// What a provider's name says, in lower case. `None` for a name nobody knows.
pub(super) fn seller(name: &str) -> Option<Seller> {
    if let Some((book, _)) = SELLERS.iter().find(|(book, names)| *book == name || names.contains(&name)) {
        return Some(Seller::Book(book));
    }
    if let Some(book) = BY_OWN_NAME.iter().find(|b| **b == name) {
        return Some(Seller::Book(book));
    }
    match (PASSES_ON.contains(&name), OTHERS.contains(&name)) {
        (true, _) => Some(Seller::PassesOn),
        (_, true) => Some(Seller::Other),
        _ => None,
    }
}

/// The book's name of a provider, if it is one of the book's; else the name in lower case.
pub(super) fn canonical(name: &str) -> String {
    let lower = name.to_lowercase();
    match seller(&lower) {
        Some(Seller::Book(id)) => id.to_owned(),
        _ => lower,
    }
}

/// Regions that stand before a model's name at AWS, with the models' maker after the dot.
pub(super) const REGIONS: [&str; 9] = ["us", "eu", "apac", "au", "jp", "in", "us-gov", "ca", "global"];

/// What stands before model names at AWS.
const MAKERS: [&str; 17] = [
    "anthropic",
    "amazon",
    "meta",
    "mistral",
    "cohere",
    "ai21",
    "openai",
    "deepseek",
    "qwen",
    "google",
    "nvidia",
    "moonshotai",
    "moonshot",
    "minimax",
    "zai",
    "writer",
    "stability",
];

/// A name as AWS alone writes it: `anthropic.claude-...`, `us.meta.llama...`.
pub(super) fn is_of_aws(name: &str) -> bool {
    let mut parts = name.split('.');
    let first = parts.next().unwrap_or_default();
    let maker = if REGIONS.contains(&first) { parts.next().unwrap_or_default() } else { first };
    MAKERS.contains(&maker) && parts.next().is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

/// A model's name after what only says where it is, and the provider that this names.
pub(super) fn without_prefix(name: &str) -> Option<(&str, Option<Seller>)> {
    if let Some(arn) = name.strip_prefix("arn:aws:bedrock:").or_else(|| name.strip_prefix("arn:aws-us-gov:bedrock:")) {
        // Profiles that an application made say nothing about their model.
        let (kind, rest) = arn.rsplit_once(':')?.1.split_once('/').or_else(|| {
            // The name itself ends in a version after a colon.
            let at = arn.find("inference-profile/").or_else(|| arn.find("foundation-model/"))?;
            arn[at..].split_once('/')
        })?;
        let known =
            matches!(kind, "inference-profile" | "foundation-model") && !arn.contains("application-inference-profile");
        return known.then_some((rest, Some(Seller::Book("aws"))));
    }
    if let Some(rest) = name.strip_prefix("models/") {
        return Some((rest, None));
    }
    if let Some(at) = name.find("publishers/").filter(|&at| at == 0 || name.starts_with("projects/")) {
        let (_, model) = name[at..].split_once("/models/")?;
        return Some((model, Some(Seller::Book("google"))));
    }
    if let Some((first, rest)) = name.split_once('/').filter(|(_, rest)| !rest.is_empty()) {
        return match (seller(first), first) {
            (Some(seller), _) => Some((rest, Some(seller))),
            (None, "converse" | "chat" | "responses" | "completion") => Some((rest, None)),
            (None, _) => None,
        };
    }
    let (first, rest) = name.split_once('.')?;
    (MAKERS.contains(&first) && !rest.is_empty()).then_some((rest, None))
}

/// A name before the date at its end: `-20250110`, `@20250110` or `-2025-01-10`.
pub(super) fn without_date(name: &str) -> Option<&str> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let is_date = |y: &str, m: &str, d: &str| {
        digits(y)
            && digits(m)
            && digits(d)
            && y.starts_with("20")
            && ("01"..="12").contains(&m)
            && ("01"..="31").contains(&d)
    };
    if let Some((at, date)) = name.len().checked_sub(9).and_then(|at| Some((at, name.get(at..)?))) {
        let compact = date.strip_prefix(['-', '@']).filter(|d| d.is_ascii());
        if at > 0 && compact.is_some_and(|d| is_date(&d[..4], &d[4..6], &d[6..])) {
            return name.get(..at);
        }
    }
    let at = name.len().checked_sub(11).filter(|&at| at > 0)?;
    let date = name.get(at..)?.strip_prefix('-').filter(|d| d.is_ascii())?;
    let dashed = &date[4..5] == "-" && &date[7..8] == "-";
    (dashed && is_date(&date[..4], &date[5..7], &date[8..])).then(|| &name[..at])
}

/// A name with the compact date at its end written with dashes: some gateways take them out.
pub(super) fn with_dashed_date(name: &str) -> Option<String> {
    let stem = without_date(name)?;
    let date = name.get(stem.len()..)?.strip_prefix('-').filter(|d| d.len() == 8)?;
    Some(format!("{stem}-{}-{}-{}", &date[..4], &date[4..6], &date[6..]))
}

/// A name before the `-v1:0` at its end.
pub(super) fn without_version(name: &str) -> Option<&str> {
    let (stem, version) = name.rsplit_once("-v")?;
    let (major, minor) = version.split_once(':')?;
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    (!stem.is_empty() && digits(major) && digits(minor)).then_some(stem)
}
