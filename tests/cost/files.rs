//! Rows and aliases of users, files of them, and the book as bytes.

use proptest::prelude::*;
use spanfile::cost::{
    Alias, CannotPrice, Context, Layer, PriceBook, PriceFile, PriceFormat, RowChange, format_usd, write_aliases,
    write_rows,
};

use super::rules::tokens;

fn with(file: &str) -> PriceBook {
    PriceFile::read(file.as_bytes()).unwrap().onto(PriceBook::bundled()).unwrap()
}

/// Dollars of a million input tokens, with the layer; or the reason.
fn price(book: &PriceBook, provider: &str, model: &str, day: &str, tier: Option<&str>) -> String {
    let instant = day_ns(day);
    let rates =
        book.find(Some(provider), Some(model), None).and_then(|m| m.rates_at(instant, Context { service_tier: tier }));
    match rates.and_then(|r| Ok((r.layer.name(), r.cost(&tokens(1_000_000, 0))?))) {
        Ok((layer, cost)) => format!("{layer} {}", format_usd(cost.total)),
        Err(e) => e.why.name().to_owned(),
    }
}

fn day_ns(day: &str) -> i64 {
    let file = format!("provider,model,valid_from\nx,y,{day}\n");
    let PriceFile::Rows(rows) = PriceFile::read(file.as_bytes()).unwrap() else { panic!() };
    rows[0].valid_from.unwrap()
}

#[test]
fn rows_of_the_user_overlay_bundled_ones() {
    let book = with(
        "provider,model,match,valid_from,valid_to,service_tier,input_usd_per_mtok,output_usd_per_mtok,source\n\
         openai,gpt-4o,,2026-01-01,2026-07-01,,1.5,6,contract 7\n\
         openai,gpt-4o,exact,2026-01-01,,flex,0.5,,contract 7\n\
         azure.ai.openai,gpt-4o-prod,prefix,2026-01-01,,,2,8,\n\
         my-gateway,house-model,,,,,0,0,\n\
         my-gateway,silent-model,,,,,,,\n",
    );
    // Under all names that lead to the model, while they hold.
    for name in ["gpt-4o", "gpt-4o-2024-08-06", "openai/gpt-4o"] {
        assert_eq!(price(&book, "openai", name, "2026-03-01", None), "user 1.5");
        assert_eq!(price(&book, "openai", name, "2025-12-31", None), "bundled 2.5");
        assert_eq!(price(&book, "openai", name, "2026-07-01", None), "bundled 2.5");
        assert_eq!(price(&book, "openai", name, "2026-03-01", Some("flex")), "user 0.5");
    }
    assert_eq!(price(&book, "openai", "gpt-4o-mini", "2026-03-01", None), "bundled 0.15");
    // A row of one's own does not reach back, unlike a bundled one.
    assert_eq!(price(&book, "azure", "gpt-4o-prod-7", "2026-03-01", None), "user 2");
    assert_eq!(price(&book, "azure", "gpt-4o-prod-7", "2025-12-31", None), "not_valid_then");
    assert_eq!(price(&book, "my-gateway", "house-model", "2026-03-01", None), "user 0");
    assert_eq!(price(&book, "my-gateway", "silent-model", "2026-03-01", None), "no_price");
    assert_eq!(price(&book, "my-gateway", "gpt-4o", "2026-03-01", None), "unknown_model");
    let model = book.model("openai", "gpt-4o").unwrap();
    let rates = model.rates_at(day_ns("2026-03-01"), Context::default()).unwrap();
    assert_eq!((rates.source.as_str(), rates.valid_to), ("contract 7", Some(day_ns("2026-07-01"))));
    assert!(!model.constant_between(day_ns("2026-03-01"), day_ns("2026-07-01"), Context::default()));
    assert_eq!(book.without_user(), **PriceBook::bundled());
    assert_eq!(PriceBook::empty().rebased(&book).unwrap(), **PriceBook::bundled());
    assert_eq!(book.rebased(PriceBook::bundled()).unwrap().hash(), book.hash());
}

#[test]
fn zero_is_a_price_and_nothing_is_none() {
    let book = with(
        "provider,model,input_usd_per_mtok,output_usd_per_mtok,cache_read_usd_per_mtok\n\
         own,free,0,0,\n\
         own,cached-for-free,2,4,0\n\
         own,input-only,2,,\n",
    );
    let rates = |model: &str| {
        book.find(Some("own"), Some(model), None).unwrap().rates_at(day_ns("2026-01-01"), Context::default()).unwrap()
    };
    let cached = spanfile::cost::Usage { cache_read: Some(600), ..tokens(1000, 0) };
    assert_eq!(rates("free").cost(&tokens(5, 5)).unwrap().total, 0);
    // Whatever a model does for nothing need not be counted.
    assert_eq!(rates("free").cost(&spanfile::cost::Usage::default()).unwrap().total, 0);
    assert_eq!(format_usd(rates("cached-for-free").cost(&cached).unwrap().total), "0.0008");
    assert_eq!(format_usd(rates("input-only").cost(&cached).unwrap().total), "0.002");
    assert!(matches!(rates("input-only").cost(&tokens(1, 1)).unwrap_err().why, CannotPrice::BucketWithoutPrice(_)));
}

#[test]
fn aliases_price_what_has_no_name_of_its_own() {
    let at = |book: &PriceBook, provider: &str, name: &str| price(book, provider, name, "2026-03-01", None);
    let bundled = PriceBook::bundled();
    assert_eq!(at(bundled, "azure.ai.openai", "prod-chat"), "unknown_model");
    let book = with(
        "alias,for_provider,provider,model\n\
         Prod-Chat,azure.ai.openai,openai,gpt-4o-2024-08-06\n\
         arn:aws:bedrock:us-east-1:1:application-inference-profile/a1,,aws.bedrock,us.anthropic.claude-sonnet-4-5-20250929-v1:0\n\
         house,,openai,no-such-model\n\
         gpt-4o,,openai,gpt-4o-mini\n",
    );
    assert_eq!(at(&book, "azure.ai.openai", "prod-chat"), "bundled 2.5");
    assert_eq!(at(&book, "az.ai.openai", "PROD-CHAT"), "bundled 2.5");
    assert_eq!(at(&book, "openai", "prod-chat"), "unknown_model");
    let profile = "arn:aws:bedrock:us-east-1:1:application-inference-profile/a1";
    assert_eq!(
        at(&book, "aws.bedrock", profile),
        at(bundled, "aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0")
    );
    assert_eq!(at(&book, "ollama", "house"), "alias_without_model");
    // A whole name of the book comes before.
    assert_eq!(at(&book, "openai", "gpt-4o"), "bundled 2.5");
    let lines = write_aliases(book.aliases(), PriceFormat::JsonLines).unwrap();
    assert_eq!(PriceFile::read(&lines).unwrap(), PriceFile::Aliases(book.aliases().to_vec()));
}

#[test]
fn sellers_who_disagree_are_not_chosen_from() {
    let one = "provider,model,input_usd_per_mtok\nshop-a,house-model,1\nshop-b,house-model,1\n";
    assert_eq!(price(&with(one), "", "house-model", "2026-03-01", None), "user 1");
    let two = one.replace("shop-b,house-model,1", "shop-b,house-model,2");
    assert_eq!(price(&with(&two), "", "house-model", "2026-03-01", None), "ambiguous_model");
    assert_eq!(price(&with(&two), "shop-b", "house-model", "2026-03-01", None), "user 2");
}

#[test]
fn errors_say_where() {
    let error = |file: &str| PriceFile::read(file.as_bytes()).unwrap_err().to_string();
    let head = "provider,model,input_usd_per_mtok,above_input_tokens,valid_from\n";
    for (file, expected) in [
        ("", "line 1: the file is empty"),
        ("provider,model,colour\na,b,c\n", "line 2, colour: there is no such column"),
        ("provider,provider\n", "line 1, provider: it is there twice"),
        (&format!("{head}a,b,1\n"), "line 2: 3 fields, the header has 5"),
        (
            &format!("{head}\n\na,b,x,,\n"),
            "line 4, input_usd_per_mtok: \"x\" is no decimal number such as 2.50, zero or more",
        ),
        (
            &format!("{head}a,b,-1,,\n"),
            "line 2, input_usd_per_mtok: \"-1\" is no decimal number such as 2.50, zero or more",
        ),
        (
            &format!("{head}a,b,0.0000000000001,,\n"),
            "line 2, input_usd_per_mtok: 0.0000000000001 has more than 12 decimals",
        ),
        (&format!("{head}a,,1,,\n"), "line 2, model: it is missing"),
        (
            &format!("{head}a,b,1,,yesterday\n"),
            "line 2, valid_from: \"yesterday\" is neither a day such as 2025-06-10 nor a moment such as 2025-06-10T12:00:00Z",
        ),
        (&format!("{head}a,b,1,5,\n"), "line 2, above_input_tokens: it goes on with the row before, and there is none"),
        (&format!("{head}a,b,1,,\na,b,1,5,\na,b,1,5,\n"), "line 4, above_input_tokens: thresholds must ascend"),
        (&format!("{head}a,b,\"1,,\n"), "line 2: quotes do not pair up"),
        (
            "{\"provider\":\"a\",\"model\":\"b\",\"input_usd_per_mtok\":[1]}",
            "line 1, input_usd_per_mtok: it is neither text, a number nor null",
        ),
        ("{\"provider\":\"a\",\n\"provider\":\"b\"}", "line 2, provider: it is there twice"),
        ("[{\"provider\":\"a\",\"model\":\"b\"}", "line 1: expected a comma, or a bracket that ends the array"),
        ("{\"provider\":\"a\"}", "line 1, model: it is missing"),
        ("alias,provider\nx,y\n", "line 2, model: it is missing"),
    ] {
        assert_eq!(error(file), expected, "{file:?}");
    }
    assert!(PriceFile::read(b"provider,model\na,\xff\n").unwrap_err().to_string().starts_with("line 2: "));
}

#[test]
fn rows_survive_being_written_and_read() {
    let bundled = PriceBook::bundled();
    let rows: Vec<_> = bundled.rows().collect();
    for format in [PriceFormat::Csv, PriceFormat::JsonLines] {
        let (bytes, left_out) = write_rows(&rows, format).unwrap();
        assert_eq!(left_out, rows.iter().map(|r| r.facts().len()).sum::<usize>());
        let book = PriceFile::read(&bytes).unwrap().onto(&PriceBook::empty()).unwrap();
        assert_eq!(book.models().count(), bundled.models().count());
        for model in bundled.models() {
            let again = book.model(model.provider(), model.id()).unwrap();
            for day in ["2025-05-01", "2026-10-13", "2027-06-01"] {
                for hour in [0, 7] {
                    let at = day_ns(day) + hour * 3_600_000_000_000;
                    for tier in [None, Some("flex"), Some("batch"), Some("fast")] {
                        let context = Context { service_tier: tier };
                        let cost = |m: &spanfile::cost::Model| {
                            m.rates_at(at, context).and_then(|r| r.cost(&tokens(300_000, 1000))).map_err(|e| e.why)
                        };
                        assert_eq!(cost(model), cost(again), "{} {day} {hour} {tier:?}", model.price_key());
                    }
                }
            }
        }
        // And rows of the user come back as they were.
        let of_user: Vec<_> = book.rows().collect();
        let (bytes, left_out) = write_rows(&of_user, format).unwrap();
        assert_eq!(left_out, 0);
        assert_eq!(PriceFile::read(&bytes).unwrap().onto(&PriceBook::empty()).unwrap(), book);
    }
}

#[test]
fn differences_are_told() {
    let old = with("provider,model,input_usd_per_mtok\na,x,1\na,y,2\n");
    let new = with("provider,model,input_usd_per_mtok\na,x,1.5\na,z,3\n");
    let told: Vec<String> = old
        .diff(&new)
        .iter()
        .map(|c| match c {
            RowChange::Added(r) => format!("+ {} {}", r.model, r.prices_text()),
            RowChange::Removed(r) => format!("- {} {}", r.model, r.prices_text()),
            RowChange::Changed { old, new } => format!("{} {} > {}", old.model, old.prices_text(), new.prices_text()),
        })
        .collect();
    assert_eq!(told, ["x input=1 > input=1.5", "- y input=2", "+ z input=3"]);
    assert_eq!(old.diff(&old), []);
}

#[test]
fn the_book_survives_being_stored() {
    let bundled = PriceBook::bundled();
    let file = include_bytes!("../../src/cost/bundled/prices.txt.zst");
    assert_eq!(PriceBook::decode(file).unwrap(), **bundled);
    let book = with(
        "provider,model,match,input_usd_per_mtok,above_input_tokens\nopenai,GPT-5,prefix,1,\nopenai,GPT-5,prefix,2,1000\nnew,m,,3,\n",
    );
    let alias = Alias { alias: "a".into(), for_provider: None, provider: "openai".into(), model: "gpt-5".into() };
    let book = book.with_aliases([alias]).unwrap();
    assert!(book.model("openai", "gpt-5").is_some() && book.model("openai", "GPT-5").is_none());
    let again = PriceBook::decode(&book.encode().unwrap()).unwrap();
    assert_eq!(again, book);
    assert_eq!((again.hash(), again.encode().unwrap()), (book.hash(), book.encode().unwrap()));
    assert_ne!(book.hash(), bundled.hash());
    assert_eq!(book.rows().filter(|r| r.layer == Layer::User).count(), 2);
    assert_eq!(bundled.source().name, "genai-prices");
    assert!(bundled.notices().any(|n| n.starts_with("Copyright (c) Pydantic")));
    assert!(file.len() < 80_000 && book.encode().unwrap().len() < 100_000);
}

#[test]
fn a_bomb_is_no_price_book() {
    let bomb = zstd::bulk::compress(&vec![b'a'; 1 << 28], 3).unwrap();
    assert!(bomb.len() < 100_000);
    assert!(PriceBook::decode(&bomb).unwrap_err().to_string().contains("more than"));
    let fields = format!("spanfile-prices\t1\nprovider\ta\nmodel\tm\n{}", "row\t\n".repeat(1 << 18));
    assert!(PriceBook::decode(&zstd::bulk::compress(fields.as_bytes(), 3).unwrap()).is_err());
    let rules = format!("spanfile-prices\t1\nuser\nprovider\ta\nmodel\tm{}\n", "\t=a".repeat(1 << 17));
    let rows: String = (0..50_000)
        .rev()
        .map(|s| format!("row\t\tfrom=2025-01-01T{:02}:{:02}:{:02}Z\n", s / 3600, s / 60 % 60, s % 60))
        .collect();
    let rows = format!("spanfile-prices\t1\nuser\nprovider\ta\nmodel\tm\n{rows}");
    for (text, reason) in [(rules, "rules of one model"), (rows, "rows of one model")] {
        let error = PriceBook::decode(&zstd::bulk::compress(text.as_bytes(), 3).unwrap()).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    for text in ["", "spanfile-prices\t2\n", "spanfile-prices\t1\nrow\tinput=1\n", "spanfile-prices\t1\nmodel\tx\n"] {
        assert!(PriceBook::decode(&zstd::bulk::compress(text.as_bytes(), 3).unwrap()).is_err(), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_bytes_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in any::<prop::sample::Index>()) {
        let mut bytes = include_bytes!("../../src/cost/bundled/prices.txt.zst").to_vec();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let _ = PriceBook::decode(&bytes);
    }

    #[test]
    fn damaged_text_never_panics(flips in prop::collection::vec((any::<prop::sample::Index>(), "[\t\n =>+:~^#@a9.-]{1,4}"), 1..20)) {
        let book = with("provider,model,service_tier,input_usd_per_mtok,above_input_tokens\na,x,flex,1,\na,x,flex,2,7\n");
        let mut text = String::from_utf8(zstd::decode_all(&book.encode().unwrap()[..]).unwrap()).unwrap();
        text.drain(4_000..text.len() - 4_000);
        for (at, with) in flips {
            let at = at.index(text.len() - 4);
            if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                text.replace_range(at..at + 1, &with);
            }
        }
        if let Ok(book) = PriceBook::decode(&zstd::bulk::compress(text.as_bytes(), 1).unwrap()) {
            let again = PriceBook::decode(&book.encode().unwrap()).unwrap();
            prop_assert_eq!(again.hash(), book.hash());
        }
    }

    #[test]
    fn any_file_is_read_or_refused(text in "(provider|model|alias|input_usd_per_mtok|[,\"{}\\[\\]:\n 0-9a-z.\\\\-]){0,60}") {
        let _ = PriceFile::read(text.as_bytes());
    }

    #[test]
    fn any_name_is_found_or_not(provider in "[a-z./_-]{0,8}|openai|aws.bedrock|litellm|", model in "(us\\.|anthropic\\.|openai/|models/|arn:aws:bedrock:|gpt-4o|claude|-v1:0|-2025|[0-9é@:/.-]){0,8}") {
        let _ = PriceBook::bundled().find(Some(&provider), Some(&model), Some("x"));
    }
}
