"""Makes the bundled price book from the pinned genai-prices package. See README.md."""

import importlib.metadata
import pathlib
from decimal import ROUND_HALF_EVEN, Decimal

import zstandard
from genai_prices import types as t
from genai_prices.data import providers

from rules import anchored

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "src/cost/bundled"

# Units that spans have a column for, or may have: the rest is kept as facts that are not applied.
UNITS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "input_audio",
    "input_image_mtok": "input_image",
    "cache_audio_read_mtok": "cache_read_audio",
    "cache_image_read_mtok": "cache_read_image",
    "output_audio_mtok": "output_audio",
    "output_image_mtok": "output_image",
    "requests_kcount": "requests",
}

# Model families and who sells them: the source's own rules, anchored, and three families that it leaves out. `closed`:
# nobody else serves these weights under the same name without paying the owner's price.
FAMILIES = [
    ("claude", "anthropic", "closed"),
    ("gpt-", "openai", "closed"),
    ("chatgpt-", "openai", "closed"),
    ("o1", "openai", "closed"),
    ("o3", "openai", "closed"),
    ("o4", "openai", "closed"),
    ("text-embedding-3-", "openai", "closed"),
    ("text-embedding-ada-", "openai", "closed"),
    ("whisper-1", "openai", "closed"),
    ("tts-1", "openai", "closed"),
    ("gemini", "google", "closed"),
    ("grok-", "x-ai", "closed"),
    ("voyage-", "voyageai", "closed"),
    ("composer-", "cursor", "closed"),
    ("eleven_", "elevenlabs", "closed"),
    ("databricks-", "databricks", "closed"),
    ("@cf/", "cloudflare", "closed"),
    ("accounts/fireworks/", "fireworks", "closed"),
    ("command-", "cohere", "open"),
    ("deepseek", "deepseek", "open"),
    ("kimi", "moonshotai", "open"),
    ("moonshot", "moonshotai", "open"),
    ("glm-", "zhipuai", "open"),
    ("minimax-", "minimax", "open"),
    ("jev-", "typesafe", "open"),
    ("muse-spark-", "meta", "open"),
    ("mistral", "mistral", "open"),
    ("ministral", "mistral", "open"),
    ("codestral", "mistral", "open"),
    ("devstral", "mistral", "open"),
    ("magistral", "mistral", "open"),
    ("mixtral", "mistral", "open"),
    ("pixtral", "mistral", "open"),
    ("voxtral", "mistral", "open"),
    ("open-mistral", "mistral", "open"),
    ("open-mixtral", "mistral", "open"),
]


def decimal(value):
    """At most 12 decimals; more are noise of the floats that the source computed them with."""
    rounded = value.quantize(Decimal("1e-12"), rounding=ROUND_HALF_EVEN) if value.as_tuple().exponent < -12 else value
    text = format(rounded, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def amounts(price):
    """`unit=price ... +fact=price ... >threshold unit=price ...`"""
    base, facts, tiers = [], [], {}
    for key, value in price.__dict__.items():
        if value is None:
            continue
        tiered = isinstance(value, t.TieredPrices)
        flat = value.base if tiered else value
        if key not in UNITS:
            if tiered:
                raise SystemExit(f"{key} has tiers and no column")
            facts.append(f"+{key}={decimal(flat)}")
            continue
        base.append((UNITS[key], flat))
        for tier in value.tiers if tiered else ():
            tiers.setdefault(tier.start, []).append((UNITS[key], tier.price))
    order = list(UNITS.values())

    def listed(pairs):
        return [f"{k}={decimal(v)}" for k, v in sorted(pairs, key=lambda pair: order.index(pair[0]))]

    words = listed(base) + sorted(facts)
    below = dict(base)
    for start in sorted(tiers):
        # A tier tells what it changes.
        changed = [(key, value) for key, value in tiers[start] if decimal(below[key]) != decimal(value)]
        if changed:
            words += [f">{start}", *listed(changed)]
            below.update(changed)
    return " ".join(words)


def row(price, constraint=None, when=None):
    fields = ["row", amounts(price)]
    if isinstance(constraint, t.StartDateConstraint):
        fields.append(f"from={constraint.start_date.isoformat()}")
    elif isinstance(constraint, t.TimeOfDateConstraint):
        assert constraint.start_time.utcoffset().total_seconds() == 0
        assert constraint.end_time.utcoffset().total_seconds() == 0
        fields.append(f"window={constraint.start_time:%H:%M:%S}-{constraint.end_time:%H:%M:%S}")
    elif constraint is not None:
        raise SystemExit(f"unknown constraint {constraint}")
    if when is not None:
        ((key, value),) = when.items()
        fields.append(f"when={key}:{value}")
    return "\t".join(fields)


def lines():
    version = importlib.metadata.version("genai-prices")
    yield "spanfile-prices\t1"
    yield f"source\tgenai-prices\t{version}\tMIT"
    for line in (OUT / "LICENSE.genai-prices").read_text().strip().splitlines():
        yield f"notice\t{line}"
    for prefix, owner, kind in FAMILIES:
        yield f"family\t{prefix}\t{owner}\t{kind}"
    for provider in providers:
        yield "\t".join(["provider", provider.id, *(provider.fallback_model_providers or [])])
        # A name that a rule gives to one model is not taken by the id of another.
        rules = {model.id: anchored(provider.id, model.match) for model in provider.models}
        claimed = {form[1:] for forms in rules.values() for form in forms if form[0] == "="}
        for model in provider.models:
            forms = rules[model.id]
            # The source's first match wins; what is repeated further down never answers.
            own = "=" + model.id.lower()
            if own not in forms and model.id.lower() not in claimed:
                forms = [own, *forms]
            yield "\t".join(["model", model.id, *(("=" if form == own else form) for form in forms)])
            prices = model.prices if isinstance(model.prices, list) else [t.ConditionalPrice(prices=model.prices)]
            for price in prices:
                yield row(price.prices, price.constraint)
            for variant in model.price_variants or ():
                if any(value is not None for value in variant.prices.__dict__.values()):
                    yield row(variant.prices, variant.constraint, variant.when)


def main():
    text = "\n".join(lines()) + "\n"
    packed = zstandard.ZstdCompressor(level=22, write_content_size=True, write_checksum=True).compress(text.encode())
    (OUT / "prices.txt.zst").write_bytes(packed)
    print(f"{len(text.splitlines())} lines, {len(text)} bytes, {len(packed)} compressed")


if __name__ == "__main__":
    main()
