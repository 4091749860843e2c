"""Makes tests/data/audio_vectors.npz: features by librosa, which is not needed to run the tests.

    python -m venv /tmp/librosa && /tmp/librosa/bin/pip install librosa==0.11.0
    /tmp/librosa/bin/python tests/data/audio_vectors.py

librosa puts a window of fewer samples than the transform's points into the middle of a frame; so that its first frame
begins with the recording, half of the difference is put before it as zeros, and half behind it.
"""

from pathlib import Path

import numpy as np

# Rate, bands, coefficients, lowest and highest frequency; window 25 ms, hop 10 ms.
CASES = {
    "wide": (16000, 40, 13, 20.0, None),
    "phone": (8000, 23, 12, 64.0, 3800.0),
    "music": (44100, 80, 20, 20.0, None),
}


def sound(rate: int) -> np.ndarray:
    """A quarter of a second: a rising tone with overtones, noise of a thousandth of full scale, a pause of zeros."""
    t = np.arange(rate // 4) / rate
    noise = np.random.default_rng(0).normal(size=len(t))
    tone = sum(np.sin(2 * np.pi * k * (200 * t + 1500 * t * t)) / k for k in range(1, 6))
    samples = 0.2 * tone * np.exp(-4 * t) + 0.001 * noise
    samples[(t > 0.15) & (t < 0.2)] = 0
    return samples.astype(np.float32)


def main() -> None:
    import librosa

    found = {}
    for name, (rate, bands, coefficients, lowest, highest) in CASES.items():
        samples = sound(rate)
        window, hop = round(0.025 * rate), round(0.010 * rate)
        points = 1 << (window - 1).bit_length()
        left = (points - window) // 2
        mel = librosa.feature.melspectrogram(
            y=np.pad(samples.astype(np.float64), (left, points - window - left)),
            sr=rate,
            n_fft=points,
            hop_length=hop,
            win_length=window,
            window="hann",
            center=False,
            power=2.0,
            n_mels=bands,
            fmin=lowest,
            fmax=highest,
            htk=True,
            norm=None,
            dtype=np.float64,
        )
        logs = np.log(np.maximum(mel, 1e-10))
        cepstra = librosa.feature.mfcc(S=logs, n_mfcc=coefficients, dct_type=2, norm="ortho")
        found[f"{name}_samples"] = samples
        for feature, values in (
            ("log_mel", logs),
            ("mfcc", cepstra),
            ("deltas", librosa.feature.delta(cepstra, width=5, mode="nearest")),
        ):
            found[f"{name}_{feature}"] = values.T.astype(np.float32)
    np.savez_compressed(Path(__file__).with_name("audio_vectors.npz"), **found)


if __name__ == "__main__":
    main()
