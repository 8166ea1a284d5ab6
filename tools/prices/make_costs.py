"""Makes testdata/prices/costs.tsv.zst: what genai-prices asks for arbitrary usages of each of its models. See README.md."""

import functools
import multiprocessing
import pathlib
import sys
import warnings
from datetime import UTC, datetime
from decimal import Decimal, getcontext

import zstandard
from genai_prices import types as t
from genai_prices.data import providers

OUT = pathlib.Path(__file__).resolve().parents[2] / "testdata/prices/costs.tsv.zst"
LONG, SHORT, SHOWN = 10_000, 200, 2
MASK = (1 << 64) - 1
THRESHOLDS = [32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 524_288]
TIERS = ["flex", "priority", "batch", "fast", "default", None, None, None]
CONTEXTS = {
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "batch": {"processing": "batch", "service_tier": "batch"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}


class Random:
    """SplitMix64, seeded with the FNV-1a hash of a text."""

    def __init__(self, text):
        self.state = 0xCBF29CE484222325
        for byte in text.encode():
            self.state = (self.state ^ byte) * 0x100000001B3 & MASK

    def below(self, bound):
        self.state = self.state + 0x9E3779B97F4A7C15 & MASK
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        return (z ^ z >> 31) % bound

    def size(self):
        return self.below([100, 10_000, 1_000_000, 3_000_000][self.below(4)])


def call(random):
    """One usage, when it was, its service tier, and whether its counts agree. The test has the same function."""
    shape = random.below(16)
    total = THRESHOLDS[random.below(9)] + random.below(3) - 1 if random.below(4) == 0 else random.size()
    out = 0 if random.below(8) == 0 else random.size()
    second = 1_672_531_200 + random.below(157_766_400)
    tier = TIERS[random.below(8)]
    u = {"input_tokens": total, "output_tokens": out}
    consistent = True
    if shape == 0:
        u = {"input_tokens": 0, "output_tokens": 0}
    elif shape == 1:
        u["cache_read_tokens"] = total
    elif shape == 2:
        u["output_reasoning_tokens"] = out
    elif shape == 4:
        u["cache_write_tokens"] = random.below(total + 1)
    elif shape == 5:
        u["cache_write_tokens"] = random.below(total + 1)
        u["cache_write_1h_tokens"] = random.below(u["cache_write_tokens"] + 1)
    elif shape == 6:
        u["input_audio_tokens"] = random.below(total + 1)
    elif shape == 7:
        u["input_image_tokens"] = random.below(total + 1)
    elif shape == 8:
        u["cache_read_tokens"] = random.below(total + 1)
        u["cache_audio_read_tokens"] = random.below(u["cache_read_tokens"] + 1)
        u["input_audio_tokens"] = u["cache_audio_read_tokens"] + random.below(total - u["cache_read_tokens"] + 1)
    elif shape == 9:
        u["cache_read_tokens"] = total + 1 + random.below(1000)
        consistent = False
    elif shape == 10:
        u["output_reasoning_tokens"] = out + 1 + random.below(1000)
        consistent = False
    elif shape == 11:
        u["cache_read_tokens"] = random.below(total + 1)
        u["input_audio_tokens"] = random.below(total + 1)
    elif shape == 12:
        u["output_audio_tokens"] = random.below(out + 1)
    elif shape == 13:
        u["output_image_tokens"] = random.below(out + 1)
    elif shape >= 14:
        u["cache_read_tokens"] = random.below(total + 1)
        u["cache_write_tokens"] = random.below(total - u["cache_read_tokens"] + 1)
        u["cache_write_1h_tokens"] = random.below(u["cache_write_tokens"] + 1)
        u["output_reasoning_tokens"] = random.below(out + 1)
    return u, second, tier, consistent


def line(place, count):
    provider = providers[place[0]]
    model = provider.models[place[1]]
    random = Random(f"{provider.id}/{model.id}")
    # Sums, those of calls without output, a fingerprint of all results in their order, how many were refused.
    total, silent, print_, refused, accepted = Decimal(0), Decimal(0), 0, 0, 0
    fields = [provider.id, model.id]
    shown = []
    for number in range(1, count + 1):
        u, second, tier, consistent = call(random)
        usage = t.Usage(**u)
        try:
            price = model.calc_price(
                usage,
                provider,
                genai_request_timestamp=datetime.fromtimestamp(second, UTC),
                price_context=CONTEXTS.get(tier),
            ).total_price
        except ValueError:
            price = None
        if not consistent:
            # Counts that contradict each other are refused whatever they cost; the source looks only at priced ones.
            accepted += price is not None
        elif price is None:
            refused += 1
            print_ = (print_ * 6364136223846793005 + 1) & MASK
        else:
            total += price
            silent += price if u["output_tokens"] == 0 else 0
            print_ = (print_ * 6364136223846793005 + int(price.scaleb(12).to_integral_value()) + 2) & MASK
            if number <= SHOWN:
                shown.append(f"{number}:{plain(price)}")
        if number in (SHORT, count):
            fields += [plain(total), plain(silent), f"{print_:016x}", str(refused), str(accepted)]
    return "\t".join([*fields, *shown])


def plain(value):
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def main():
    warnings.simplefilter("ignore")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else LONG
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    places = [(p, m) for p, provider in enumerate(providers) for m in range(len(provider.models))]
    with multiprocessing.Pool(processes, initializer=prepare) as pool:
        lines = pool.map(functools.partial(line, count=count), places, chunksize=8)
    head = f"# genai-prices 0.2.3, {SHORT} and {count} usages of each of {len(lines)} models\n"
    text = head + "\n".join(lines) + "\n"
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(zstandard.ZstdCompressor(level=22, write_content_size=True).compress(text.encode()))
    print(len(text), OUT.stat().st_size)


def prepare():
    # Sums of ten thousand results keep every digit.
    getcontext().prec = 60
    warnings.simplefilter("ignore")


if __name__ == "__main__":
    main()
