#!/usr/bin/env python3
"""Makes a WAV (8 kHz, 16 bit, mono) by espeak-ng for every catalogue text that nobody has recorded.

make_prompts.py CATALOGUE OUT [--recorded DIRECTORY]... [--stamp FILE]

Reads CATALOGUE/<language>.toml and writes OUT/<language>/<key>.wav. Keys that a language has below a --recorded directory (in a
folder <language> or <language>_*) are left out. Made again is only what is missing or whose text changed; what is no longer
wanted is removed. Without espeak-ng or sox it says so and succeeds: the engine then speaks or skips such prompts at run time.
"""
import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tomllib
import wave

RATE = 8000
# Sounds without words belong to all languages: frequency in Hz and seconds.
TONES = {"beep": (1000, 0.4)}


def is_recorded(directories, language, key):
    folders = [f for d in directories for f in (d / language, *sorted(d.glob(language + "_*")))]
    return any((folder / (key + ".wav")).is_file() for folder in folders)


def wanted_prompts(catalogue, recorded):
    """{"de/welcome": "Willkommen."} of what is to be spoken."""
    wanted = {}
    for file in sorted(catalogue.glob("*.toml")):
        language = file.stem
        for key, text in tomllib.loads(file.read_text(encoding="utf-8")).items():
            if key not in TONES and not is_recorded(recorded, language, key):
                wanted[f"{language}/{key}"] = text
    return wanted


def write_tone(path, hz, seconds):
    count = int(RATE * seconds)
    ramp = RATE // 100  # 10 ms up and down, so that it does not click
    samples = [
        int(7000 * min(1, i / ramp, (count - i) / ramp) * math.sin(2 * math.pi * hz * i / RATE)) for i in range(count)
    ]
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(struct.pack(f"<{count}h", *samples))


def speak(path, language, text):
    voice = "en-us" if language == "en" else language.lower().replace("_", "-")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp.wav")
    try:
        spoken = subprocess.run(
            ["espeak-ng", "-b", "1", "-v", voice, "--stdin", "--stdout"],
            input=text.encode(), capture_output=True, check=True, timeout=60,
        ).stdout
        # --stdout cannot know the length in its header: sox is told to take what comes.
        subprocess.run(
            ["sox", "-V1", "-D", "-G", "--ignore-length", "-t", "wav", "-", "-r", str(RATE), "-b", "16", "-c", "1",
             str(temporary)],
            input=spoken, capture_output=True, check=True, timeout=60,
        )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("catalogue", type=pathlib.Path)
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--recorded", type=pathlib.Path, action="append", default=[])
    arguments.add_argument("--stamp", type=pathlib.Path, help="touched when everything is made")
    options = arguments.parse_args()

    options.out.mkdir(parents=True, exist_ok=True)
    for key, (hz, seconds) in TONES.items():
        write_tone(options.out / (key + ".wav"), hz, seconds)

    missing = [program for program in ("espeak-ng", "sox") if shutil.which(program) is None]
    if missing:
        print(f"sounds: {' and '.join(missing)} not found: prompts without a recording are not made. "
              f"apt install {' '.join(missing)}")
        return 0

    wanted = wanted_prompts(options.catalogue, options.recorded)
    record = options.out / "texts.json"  # what each file says
    try:
        made = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        made = {}
    for name in made.keys() - wanted.keys():
        (options.out / (name + ".wav")).unlink(missing_ok=True)
    made = {name: text for name, text in made.items() if name in wanted}
    todo = [n for n, text in wanted.items() if made.get(n) != text or not (options.out / (n + ".wav")).is_file()]

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {pool.submit(speak, options.out / (n + ".wav"), n.split("/", 1)[0], wanted[n]): n for n in todo}
        for job in concurrent.futures.as_completed(jobs):
            name = jobs[job]
            try:
                job.result()
                made[name] = wanted[name]
            except (OSError, subprocess.SubprocessError) as wrong:
                failed += 1
                output = (getattr(wrong, "stderr", None) or b"").decode(errors="replace").strip()
                print(f"sounds: {name}: {wrong} {output}", file=sys.stderr)
    record.write_text(json.dumps(made, ensure_ascii=False, indent=1, sort_keys=True), encoding="utf-8")
    print(f"sounds: {len(todo) - failed} prompts made, {len(wanted) - len(todo)} as before, {failed} failed")
    if failed == 0 and options.stamp:
        options.stamp.touch()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
