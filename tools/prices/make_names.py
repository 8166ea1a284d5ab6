"""Makes testdata/prices/names.tsv.zst: which model genai-prices takes for many names. See README.md."""

import pathlib

import zstandard
from genai_prices import types as t
from genai_prices.data import providers

OUT = pathlib.Path(__file__).resolve().parents[2] / "testdata/prices/names.tsv.zst"
DATES = ["-20260102", "-2026-01-02"]
REGIONS = ["us.", "eu.", "apac.", "au.", "jp.", "in.", "us-gov.", "ca.", "global."]


def texts(clause):
    """All texts that a rule compares with."""
    if isinstance(clause, t.ClauseOr):
        return [text for part in clause.or_ for text in texts(part)]
    if isinstance(clause, t.ClauseAnd):
        return [text for part in clause.and_ for text in texts(part)]
    if isinstance(clause, t.ClauseRegex):
        # Without signs it is a name, or close to one.
        text = clause.regex.strip("^$").replace("\\.", ".").replace("(typesafe/)?", "").replace("(-\\d{8})?", "")
        for sign, digits in (("\\d{8}", "20260102"), ("\\d{4}-\\d{2}-\\d{2}", "2026-01-02"), ("[-@]", "@"), ("\\d", "7")):
            text = text.replace(sign, digits)
        return [] if "?" in text else [text.replace("\\[", "[").replace("\\]", "]")]
    return [next(iter(vars(clause).values()))]


def variants(provider, name):
    yield name
    for date in DATES:
        yield name + date
    yield name + "-tts"
    yield name + "-preview"
    yield name + "0"
    if provider.id == "google":
        yield "models/" + name
        yield name + "@20260102"
    if provider.id == "aws":
        bare = name
        for region in REGIONS + ["regional."]:
            bare = bare.removeprefix(region)
        for start in ["", *REGIONS]:
            yield start + bare
            yield start + bare.removesuffix("-v1:0") + "-v1:0"
        yield f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{bare}"


def lines():
    for provider in providers:
        names = {}
        for model in provider.models:
            for text in [model.id, *texts(model.match)]:
                names.update(dict.fromkeys(v.lower() for v in variants(provider, text)))
        for name in names:
            found = provider.find_model(name, all_providers=providers)
            if found is None:
                yield f"{provider.id}\t{name}\t"
                continue
            # A model of another provider is named with it.
            own = any(found is model for model in provider.models)
            seller = provider if own else next(p for p in providers if any(found is m for m in p.models))
            yield f"{provider.id}\t{name}\t{seller.id}/{found.id}"


def main():
    text = "\n".join(lines()) + "\n"
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(zstandard.ZstdCompressor(level=22, write_content_size=True).compress(text.encode()))
    print(len(text.splitlines()), OUT.stat().st_size)


if __name__ == "__main__":
    main()
