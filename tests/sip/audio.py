"""Measuring what was heard: level, frequency, and which prompt it was. Also G.711 and WAV, all at 8 kHz, mono, linear 16 bit.

A tone of 0 dBm0 is 3.17 dB below the peak of mu-law (G.711 table 2); A-law's 3.14 is near enough for tests.
Run as a program, it tests itself with generated signals.
"""
from __future__ import annotations

import math
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RATE = 8000
FULL_SCALE = 32636.0  # 8159 of 14-bit mu-law, in 16 bits
DBM0_AT_FULL_SCALE = 3.17


# --- G.711 -----------------------------------------------------------------------------------------------------------------

def _ulaw_table() -> np.ndarray:
    codes = ~np.arange(256) & 0xFF
    magnitude = ((((codes & 0x0F) << 3) + 0x84) << ((codes >> 4) & 7)) - 0x84
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> np.ndarray:
    codes = np.arange(256) ^ 0x55
    exponent, mantissa = (codes >> 4) & 7, codes & 0x0F
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(codes & 0x80, magnitude, -magnitude).astype(np.int16)


def _encoder(table: np.ndarray) -> np.ndarray:
    """The nearest code for each of the 65,536 linear values, found by looking at the decoder's values."""
    order = np.argsort(table, kind="stable")
    values = table[order].astype(np.int32)
    middles = (values[1:] + values[:-1] + 1) // 2
    return order[np.searchsorted(middles, np.arange(-32768, 32768), side="right")].astype(np.uint8)


_DECODE = {"PCMU": _ulaw_table(), "PCMA": _alaw_table()}
_ENCODE = {name: _encoder(table) for name, table in _DECODE.items()}


def encode(codec: str, samples: np.ndarray) -> bytes:
    return _ENCODE[codec][samples.astype(np.int32) + 32768].tobytes()


def decode(codec: str, payload: bytes) -> np.ndarray:
    return _DECODE[codec][np.frombuffer(payload, dtype=np.uint8)]


# --- making and reading signals ------------------------------------------------------------------------------------------------

def tone(frequency: float, seconds: float, dbm0: float = -10.0, rate: int = RATE) -> np.ndarray:
    """A sine at a level in dBm0."""
    amplitude = FULL_SCALE * 10 ** ((dbm0 - DBM0_AT_FULL_SCALE) / 20)
    return np.round(amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), dtype=np.int16)


def read_wav(path: str | Path) -> np.ndarray:
    """A WAV of 16 bit (any rate, any channels: the first is taken, other rates are resampled linearly) as 8 kHz samples."""
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"{path}: {8 * file.getsampwidth()} bits a sample; only 16 are read here")
        data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")[::file.getnchannels()]
        rate = file.getframerate()
    if rate != RATE and len(data):
        positions = np.arange(0, len(data), rate / RATE)
        data = np.interp(positions, np.arange(len(data)), data).astype(np.int16)
    return data


def write_wav(path: str | Path, samples: np.ndarray, rate: int = RATE) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())


# --- measuring ----------------------------------------------------------------------------------------------------------------

def level_dbm0(samples: np.ndarray) -> float:
    """Power over the whole recording in dBm0; -99 for digital silence."""
    if len(samples) == 0:
        return -99.0
    rms = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))
    return max(-99.0, 20 * math.log10(rms * math.sqrt(2) / FULL_SCALE) + DBM0_AT_FULL_SCALE) if rms > 0 else -99.0


def level_dbfs(samples: np.ndarray) -> float:
    """The same against a full-scale sine."""
    return max(-99.0, level_dbm0(samples) - DBM0_AT_FULL_SCALE)


def dominant_frequency(samples: np.ndarray, rate: int = RATE) -> float:
    """The strongest frequency in Hz, interpolated between the bins; 0 for silence."""
    if len(samples) < 160 or not samples.any():
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    spectrum[:max(1, int(20 * len(samples) / rate))] = 0
    peak = int(np.argmax(spectrum))
    shift = 0.0
    if 0 < peak < len(spectrum) - 1:
        a, b, c = np.log(spectrum[peak - 1:peak + 2] + 1e-9)
        shift = 0.5 * (a - c) / (a - 2 * b + c) if (a - 2 * b + c) != 0 else 0.0
    return (peak + shift) * rate / len(samples)


def goertzel_dbm0(samples: np.ndarray, frequency: float, rate: int = RATE) -> float:
    """The level of one frequency in dBm0, as a sine of that level would have."""
    if len(samples) == 0:
        return -99.0
    window = np.hanning(len(samples) + 2)[1:-1]
    angle = np.exp(-2j * np.pi * frequency * np.arange(len(samples)) / rate)
    amplitude = 2 * abs(np.sum(samples * window * angle)) / np.sum(window)
    return max(-99.0, 20 * math.log10(amplitude / FULL_SCALE) + DBM0_AT_FULL_SCALE) if amplitude > 0 else -99.0


def trim(samples: np.ndarray, below_dbm0: float = -45.0) -> np.ndarray:
    """Without the quiet 20 ms blocks at both ends."""
    blocks = len(samples) // 160
    loud = [i for i in range(blocks) if level_dbm0(samples[i * 160:(i + 1) * 160]) > below_dbm0]
    return samples[loud[0] * 160:(loud[-1] + 1) * 160] if loud else samples[:0]


def hears_tone(samples: np.ndarray, frequency: float, above_dbm0: float = -35.0) -> bool:
    """The tone is there, and it is what the recording consists of: other power is at least 6 dB below."""
    there, total = goertzel_dbm0(samples, frequency), level_dbm0(samples)
    return there > above_dbm0 and there > total - 1.2


@dataclass
class Match:
    """Which reference it was. `score` 0…1 is the correlation over the shared part, `offset` seconds into the recording at
    which the reference begins (negative: its beginning was missed), `part` the share of the reference that was heard."""
    name: str
    score: float
    offset: float
    part: float = 1.0


def correlate(recording: np.ndarray, reference: np.ndarray, min_overlap: float = 0.4) -> tuple[float, int]:
    """The best normalised cross-correlation and its lag in samples. Overlaps below `min_overlap` s do not count, so that a
    few samples alike by chance are no match."""
    x, y = recording.astype(np.float64), reference.astype(np.float64)
    if len(x) == 0 or len(y) == 0 or not x.any() or not y.any():
        return 0.0, 0
    size = 1 << (len(x) + len(y) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(x, size) * np.conj(np.fft.rfft(y, size)), size)
    lags = np.arange(-(len(y) - 1), len(x))
    product = np.concatenate((product[-(len(y) - 1):], product[:len(x)])) if len(y) > 1 else product[:len(x)]
    ex, ey = np.concatenate(([0.0], np.cumsum(x * x))), np.concatenate(([0.0], np.cumsum(y * y)))
    begin_x, begin_y = np.maximum(lags, 0), np.maximum(-lags, 0)
    overlap = np.minimum(len(x) - begin_x, len(y) - begin_y)
    energy_x = ex[begin_x + overlap] - ex[begin_x]
    energy_y = ey[begin_y + overlap] - ey[begin_y]
    # The overlap must hold a fair share of the reference's sound; else the noise of a pause could match the noise of another.
    enough = (overlap >= min(min_overlap * RATE, 0.9 * len(y), len(x))) & (energy_y > 0.1 * ey[-1])
    score = np.where(enough, product / np.sqrt(np.maximum(energy_x * energy_y, 1.0)), 0.0)
    best = int(np.argmax(score))
    return float(score[best]), int(lags[best])


class Prompts:
    """Reference recordings by name, against which something heard is matched."""

    def __init__(self, references: dict[str, np.ndarray] | None = None):
        self.references = dict(references or {})

    @staticmethod
    def from_folder(folder: str | Path, names: list[str] | None = None) -> "Prompts":
        """Every *.wav below a folder by its stem, or only the named ones."""
        # Where there are several languages, English is the one meant: sorted last, it wins.
        files = {path.stem: path for path in sorted(Path(folder).rglob("*.wav"), key=lambda path: ("en" in path.parts, path))}
        wanted = names if names is not None else list(files)
        missing = [name for name in wanted if name not in files]
        if missing:
            raise FileNotFoundError(f"no {', '.join(missing)} (.wav) below {folder}; give the folder with the prompts")
        return Prompts({name: read_wav(files[name]) for name in wanted})

    def rank(self, recording: np.ndarray) -> list[Match]:
        """All references, best first."""
        matches = []
        for name, reference in self.references.items():
            score, lag = correlate(recording, reference)
            heard = min(len(recording) - max(lag, 0), len(reference) - max(-lag, 0)) / max(1, len(reference))
            matches.append(Match(name, score, lag / RATE, heard))
        return sorted(matches, key=lambda match: -match.score)

    def which(self, recording: np.ndarray, at_least: float = 0.6) -> Match | None:
        """The reference that was heard, or None where none is like it. G.711 and 8 kHz leave scores above 0.95; a lost packet
        in fifty above 0.9."""
        ranked = self.rank(recording)
        return ranked[0] if ranked and ranked[0].score >= at_least else None


def self_test() -> None:
    """Generated signals with known answers; raises AssertionError."""
    for codec in ("PCMU", "PCMA"):
        codes = bytes(range(256))
        again = encode(codec, decode(codec, codes))
        differ = [i for i in range(256) if decode(codec, codes)[i] != decode(codec, again)[i]]
        assert not differ, f"{codec} codes that do not survive: {differ}"
        for frequency, level in ((440, -10), (1000, 0), (3000, -30)):
            heard = decode(codec, encode(codec, tone(frequency, 1, level)))
            assert abs(dominant_frequency(heard) - frequency) < 0.5, (codec, frequency, dominant_frequency(heard))
            assert abs(level_dbm0(heard) - level) < 0.3, (codec, level, level_dbm0(heard))
            assert abs(goertzel_dbm0(heard, frequency) - level) < 0.3
            assert goertzel_dbm0(heard, frequency + 200) < level - 25
    assert decode("PCMU", b"\x00")[0] == -32124 and decode("PCMU", b"\xff")[0] == 0 and decode("PCMA", b"\xd5")[0] == 8
    assert level_dbm0(silence(1)) == -99 and dominant_frequency(silence(1)) == 0
    assert hears_tone(tone(440, 1), 440) and not hears_tone(tone(440, 1) + tone(880, 1), 440)
    assert not hears_tone(silence(1), 440)

    noise = np.random.default_rng(7)

    def speech(seconds: float) -> np.ndarray:
        """Noise shaped into syllables: as unlike another piece of it as two spoken prompts are."""
        raw = noise.normal(size=int(seconds * RATE))
        smooth = np.convolve(raw, np.ones(6) / 6, "same")
        shape = np.abs(np.sin(np.pi * np.arange(len(raw)) * 3 / RATE)) ** 2
        return (smooth * shape * 6000).clip(-32767, 32767).astype(np.int16)

    prompts = Prompts({name: speech(2.5) for name in ("welcome", "goodbye", "invalid")})
    for name, reference in prompts.references.items():
        heard = decode("PCMA", encode("PCMA", np.concatenate((silence(0.7), reference, silence(0.3)))))
        match = prompts.which(heard)
        assert match and match.name == name and match.score > 0.95 and abs(match.offset - 0.7) < 0.001, match
        cut = prompts.which(heard[int(1.5 * RATE):int(2.6 * RATE)])
        assert cut and cut.name == name and abs(cut.offset + 0.8) < 0.001 and cut.part < 0.5, cut
        lossy = heard.copy()
        for start in range(0, len(lossy), 8000):
            lossy[start:start + 160] = 0
        assert (found := prompts.which(lossy)) and found.name == name and found.score > 0.9, found
    assert prompts.which(speech(3)) is None and prompts.which(silence(2)) is None and prompts.which(tone(440, 2)) is None
    assert Prompts({"beep": tone(1000, 0.3)}).which(np.concatenate((silence(1), tone(1000, 0.3), silence(1)))) is not None


if __name__ == "__main__":
    self_test()
    print("audio.py: all measures are right on generated signals")
    sys.exit(0)
