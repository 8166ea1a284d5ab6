//! The rules of pricing, one by one.

use spanfile::cost::{
    Bucket, CannotPrice, Context, Inconsistent, Layer, MatchKind, NotFromSums, PriceBook, Rates, SellerBy, TierUse,
    Usage, format_usd,
};

const MAY_2025: i64 = 1_746_057_600_000_000_000;
const JULY_2025: i64 = 1_751_328_000_000_000_000;
const NOVEMBER_2026: i64 = 1_794_182_400_000_000_000;

pub(super) fn tokens(input: i64, output: i64) -> Usage {
    Usage { input: Some(input), output: Some(output), ..Usage::default() }
}

fn rates(provider: &str, model: &str, instant: i64) -> Rates {
    let found = PriceBook::bundled().find(Some(provider), Some(model), None).unwrap();
    found.rates_at(instant, Context::default()).unwrap()
}

fn usd(rates: &Rates, usage: &Usage) -> String {
    format_usd(rates.cost(usage).unwrap().total)
}

/// Key, kind and what told the seller; or the reason.
fn found(provider: &str, model: &str) -> String {
    match PriceBook::bundled().find(Some(provider), Some(model), None) {
        Ok(m) => format!("{} {} {}", m.price_key(), m.kind.name(), m.seller_by.name()),
        Err(e) => e.why.name().to_owned(),
    }
}

#[test]
fn a_price_is_that_of_its_day() {
    let usage = tokens(1_000_000, 100_000);
    assert_eq!(usd(&rates("openai", "o3", MAY_2025), &usage), "14");
    assert_eq!(usd(&rates("openai", "o3", JULY_2025), &usage), "2.8");
    let old = rates("openai", "o3", MAY_2025);
    assert_eq!((old.layer, old.valid_from), (Layer::Bundled, None));
    assert_eq!(old.valid_to, rates("openai", "o3", JULY_2025).valid_from);
    assert!(old.source.starts_with("genai-prices "));
    let model = PriceBook::bundled().model("openai", "o3").unwrap();
    assert!(!model.constant_between(MAY_2025, JULY_2025, Context::default()));
    let change = old.valid_to.unwrap();
    assert!(model.constant_between(MAY_2025, change - 1, Context::default()));
    assert!(!model.constant_between(MAY_2025, change, Context::default()));
    assert!(model.constant_between(change, JULY_2025, Context::default()));
}

#[test]
fn hours_of_the_day_have_prices() {
    let model = PriceBook::bundled().model("deepseek", "deepseek-chat").unwrap();
    let day = NOVEMBER_2026;
    let second = 1_000_000_000;
    let at = |t: i64| usd(&model.rates_at(t, Context::default()).unwrap(), &tokens(1_000_000, 0));
    let (begin, end) = (day + 1800 * second, day + (16 * 3600 + 1800) * second);
    assert_eq!([begin - 1, begin, end - 1, end].map(at), ["0.135", "0.27", "0.27", "0.135"]);
    let constant = |a, b| model.constant_between(a, b, Context::default());
    assert!(constant(begin, end - 1) && constant(end, end + 7 * 3600 * second));
    assert!(!constant(begin, end) && !constant(begin - 1, begin) && !constant(end, end + 20 * 3600 * second));
}

#[test]
fn prices_are_constant_as_long_as_they_say() {
    let hour = 3_600_000_000_000;
    for model in PriceBook::bundled().models() {
        for instant in [MAY_2025, JULY_2025, NOVEMBER_2026 - 37 * 24 * hour, NOVEMBER_2026 + 7 * hour] {
            for tier in [None, Some("flex"), Some("batch")] {
                let context = Context { service_tier: tier };
                let Ok(rates) = model.rates_at(instant, context) else { continue };
                let (from, until) = rates.constant;
                let last = until.map_or(instant + 24 * 365 * hour, |u| u - 1);
                for at in [from.unwrap_or(0), last] {
                    assert_eq!(model.rates_at(at, context).as_ref(), Ok(&rates), "{} at {at}", model.price_key());
                }
                assert!(from.is_none_or(|f| f <= instant) && instant <= last);
                assert!(model.constant_between(instant, last, context), "{}", model.price_key());
            }
        }
    }
}

#[test]
fn thresholds_are_cliffs_for_every_model_that_has_one() {
    let mut seen = 0;
    for model in PriceBook::bundled().models() {
        let Ok(rates) = model.rates_at(NOVEMBER_2026, Context::default()) else { continue };
        for threshold in rates.thresholds() {
            seen += 1;
            let price = |input| rates.price(Bucket::Input, input).unwrap();
            let cost = |input| rates.cost(&tokens(input, 0)).unwrap().total;
            for input in [threshold - 1, threshold] {
                assert_eq!(price(input), price(threshold), "{}", model.price_key());
            }
            for input in [threshold - 1, threshold, threshold + 1] {
                let exact = price(input) * i128::from(input);
                assert!((cost(input) * 1_000_000 - exact).abs() <= 500_000, "{} at {input}", model.price_key());
            }
            let sums = |low, high| rates.cost_of_sums(&tokens(low + high, 0), low, high, 2).unwrap();
            if price(threshold) != price(threshold + 1) {
                assert_eq!(sums(threshold, threshold + 1), Err(NotFromSums::Tiers));
            }
            if rates.is_exact() {
                let both = sums(threshold + 1, threshold + 1).unwrap().total;
                assert_eq!(both, cost(threshold + 1) * 2, "{}", model.price_key());
            } else {
                assert_eq!(sums(threshold + 1, threshold + 1), Err(NotFromSums::Rounding));
            }
        }
    }
    assert!(seen > 100, "{seen}");
    let sonnet = rates("anthropic", "claude-sonnet-4-5", JULY_2025);
    assert_eq!(sonnet.thresholds().collect::<Vec<_>>(), [200_000]);
    assert_eq!(usd(&sonnet, &tokens(200_000, 1000)), "0.615");
    assert_eq!(usd(&sonnet, &tokens(200_001, 1000)), "1.222506");
}

#[test]
fn parts_without_a_price_are_priced_with_their_whole() {
    let rates = rates("openai", "gpt-4o", NOVEMBER_2026);
    let whole = rates.cost(&tokens(1000, 500)).unwrap();
    let written =
        Usage { cache_write: Some(300), cache_write_1h: Some(100), reasoning: Some(200), ..tokens(1000, 500) };
    let parts = rates.cost(&written).unwrap();
    assert_eq!(parts.total, whole.total);
    assert_eq!(parts.bucket(Bucket::Reasoning), 200 * whole.bucket(Bucket::Output) / 500);
    assert_eq!(parts.bucket(Bucket::CacheWrite1h), whole.bucket(Bucket::Input) / 10);
    let read = rates.cost(&Usage { cache_read: Some(1000), ..tokens(1000, 0) }).unwrap();
    assert_eq!((format_usd(read.total), read.bucket(Bucket::Input)), ("0.00125".to_owned(), 0));
}

#[test]
fn what_contradicts_itself_has_no_cost() {
    let rates = rates("openai", "gpt-4o", NOVEMBER_2026);
    let why = |usage: Usage| rates.cost(&usage).unwrap_err().why;
    let inconsistent = |usage| matches!(why(usage), CannotPrice::Inconsistent(_));
    assert_eq!(why(tokens(-1, 0)), CannotPrice::Inconsistent(Inconsistent::Negative("input_tokens")));
    assert!(inconsistent(Usage { cache_read: Some(11), ..tokens(10, 0) }));
    assert!(inconsistent(Usage { cache_read: Some(6), cache_write: Some(5), ..tokens(10, 0) }));
    assert!(inconsistent(Usage { cache_write: Some(5), cache_write_1h: Some(6), ..tokens(10, 0) }));
    assert!(inconsistent(Usage { reasoning: Some(11), ..tokens(10, 10) }));
    assert!(inconsistent(Usage { cache_read: Some(i64::MAX), cache_write: Some(i64::MAX), ..tokens(i64::MAX, 0) }));
    assert!(rates.cost(&tokens(i64::MAX, i64::MAX)).is_ok());
    assert_eq!(why(Usage { output: None, ..tokens(10, 0) }), CannotPrice::Incomplete("output_tokens"));
    assert_eq!(why(Usage { input: None, ..tokens(0, 10) }), CannotPrice::Incomplete("input_tokens"));
    assert_eq!(why(Usage::default()), CannotPrice::Incomplete("input_tokens"));
    // A model without a price for output needs none told.
    let embedding = super::rules::rates("openai", "text-embedding-3-small", NOVEMBER_2026);
    assert_eq!(usd(&embedding, &Usage { output: None, ..tokens(1_000_000, 0) }), "0.02");
    assert_eq!(embedding.cost(&tokens(10, 1)).unwrap_err().why, CannotPrice::BucketWithoutPrice(Bucket::Output));
}

#[test]
fn the_same_call_costs_the_same_however_it_was_told() {
    // Anthropic's raw usage leaves cached tokens out of the input; spans hold it inclusive.
    let (input, read, write, output) = (2_000, 150_000, 8_000, 700);
    let usage = Usage { cache_read: Some(read), cache_write: Some(write), ..tokens(input + read + write, output) };
    let rates = rates("anthropic", "claude-sonnet-4-5", NOVEMBER_2026);
    let by_hand = 3 * input * 1000 + 300 * read + 3_750 * write + 15 * output * 1000;
    assert_eq!(rates.cost(&usage).unwrap().total, i128::from(by_hand) * 1000);
    let hour = Usage { cache_write_1h: Some(write), ..usage };
    assert_eq!(rates.cost(&hour).unwrap().total, i128::from(by_hand + (6_000 - 3_750) * write) * 1000);
}

#[test]
fn an_entry_without_prices_is_no_price() {
    let none = PriceBook::bundled()
        .models()
        .filter(|m| m.rates_at(NOVEMBER_2026, Context::default()).is_err_and(|e| e.why == CannotPrice::NoPrice));
    assert!(none.count() > 10);
}

#[test]
fn names_lead_to_models() {
    for (provider, model, expected) in [
        ("openai", "gpt-4o", "openai/gpt-4o exact provider"),
        ("openai", " GPT-4o ", "openai/gpt-4o exact provider"),
        ("openai", "gpt-4o-2024-08-06", "openai/gpt-4o exact provider"),
        ("openai", "o3-2025-04-16", "openai/o3 exact provider"),
        ("openai", "o3-20250416", "openai/o3 date_rewritten provider"),
        ("openai", "openai/gpt-4o", "openai/gpt-4o prefix_stripped provider"),
        ("openai", "gpt-9-unheard-of", "unknown_model"),
        ("openai", "my-gpt-4o", "unknown_model"),
        ("azure.ai.openai", "gpt-4o-2024-08-06", "openai/gpt-4o exact fallback"),
        ("azure.ai.openai", "my-deployment", "unknown_model"),
        ("anthropic", "claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5 date_stripped provider"),
        ("gcp.gemini", "models/gemini-2.5-pro", "google/gemini-2.5-pro prefix_stripped provider"),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro", "google/gemini-2.5-pro prefix_stripped provider"),
        ("gcp.gemini", "gemini-2.5-pro-preview-06-05", "google/gemini-2.5-pro rule provider"),
        ("litellm", "openai/gpt-4o", "openai/gpt-4o exact model_name"),
        ("litellm", "gpt-4o", "openai/gpt-4o exact family"),
        ("", "gpt-4o", "openai/gpt-4o exact family"),
        ("", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5 exact family"),
        ("", "anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5 exact model_name"),
        ("some-gateway", "gpt-4o", "openai/gpt-4o exact family"),
        ("some-gateway", "mistral-large-latest", "unknown_provider"),
        ("ollama", "mistral-small", "unknown_provider"),
        ("", "ollama/llama3", "unknown_provider"),
        ("", "no-such-model", "unknown_model"),
        ("", "", "no_model"),
    ] {
        assert_eq!(found(provider, model), expected, "{provider:?} {model:?}");
    }
}

#[test]
fn regions_are_a_part_of_a_name() {
    let price = |model: &str| match PriceBook::bundled().find(Some("aws.bedrock"), Some(model), None) {
        Ok(m) => format!(
            "{} {}",
            m.price_key(),
            usd(&m.rates_at(NOVEMBER_2026, Context::default()).unwrap(), &tokens(1_000_000, 0))
        ),
        Err(e) => e.why.name().to_owned(),
    };
    let sonnet = "anthropic.claude-sonnet-4-5-20250929-v1:0";
    assert_eq!(price(&format!("global.{sonnet}")), format!("aws/global.{sonnet} 3"));
    assert_eq!(price(&format!("eu.{sonnet}")), format!("aws/regional.{sonnet} 3.3"));
    assert_eq!(price(sonnet), format!("aws/regional.{sonnet} 3.3"));
    assert_eq!(price(&format!("mars.{sonnet}")), "unknown_model");
    let arn = |kind: &str, name: &str| format!("arn:aws:bedrock:us-east-1:123456789012:{kind}/{name}");
    assert_eq!(price(&arn("inference-profile", &format!("us.{sonnet}"))), format!("aws/regional.{sonnet} 3.3"));
    assert_eq!(price(&arn("application-inference-profile", "a1b2c3")), "unknown_model");
    assert_eq!(found("", &format!("us.{sonnet}")), format!("aws/regional.{sonnet} rule model_name"));
}

#[test]
fn the_answering_model_is_asked_first() {
    let book = PriceBook::bundled();
    let m = book.find(Some("openai"), Some("gpt-4o-mini-2024-07-18"), Some("gpt-4o")).unwrap();
    assert_eq!((m.price_key().as_str(), m.from_response), ("openai/gpt-4o-mini", true));
    let m = book.find(Some("openai"), Some("no-such-model"), Some("gpt-4o")).unwrap();
    assert_eq!((m.price_key().as_str(), m.from_response, m.kind), ("openai/gpt-4o", false, MatchKind::Exact));
    // A deployment at Azure is called as its owner likes.
    let m = book.find(Some("azure.ai.openai"), Some("gpt-4o-mini-2024-07-18"), Some("gpt-4o-prod")).unwrap();
    assert_eq!((m.price_key().as_str(), m.seller_by), ("openai/gpt-4o-mini", SellerBy::Fallback));
}

#[test]
fn service_tiers_have_prices_or_are_said_to_have_none() {
    let m = PriceBook::bundled().find(Some("openai"), Some("gpt-5"), None).unwrap();
    let at = |tier| m.rates_at(NOVEMBER_2026, Context { service_tier: tier }).unwrap();
    let cost = |tier| usd(&at(tier), &tokens(1_000_000, 0));
    let standard = cost(None);
    for same in ["default", "auto", "standard", " DEFAULT "] {
        assert_eq!(cost(Some(same)), standard);
        assert_eq!(at(Some(same)).tier, TierUse::Standard);
    }
    assert_eq!(at(Some("flex")).tier, TierUse::Variant("service_tier:flex".to_owned()));
    assert_ne!(cost(Some("flex")), standard);
    assert_eq!(at(Some("batch")).tier, TierUse::Variant("processing:batch".to_owned()));
    assert_eq!(at(Some("scale")).tier, TierUse::NotInBook("scale".to_owned()));
    assert_eq!(cost(Some("scale")), standard);
    // Before the tier had prices in the book.
    let early = m.rates_at(JULY_2025, Context { service_tier: Some("flex") }).unwrap();
    assert_eq!(early.tier, TierUse::NotInBook("flex".to_owned()));
}
