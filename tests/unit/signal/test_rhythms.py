"""Spectra, wavelets and movements: equal to scipy, and to what is known of sine waves."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from time_courses import one_video, videos

from facearray.combine import concat
from facearray.errors import InputError
from facearray.signal import boft, multi_wavelet, spectrum, wavelet
from facearray.signal.kernels.rhythms import count_lobes, morlet, welch


@pytest.mark.parametrize("detrend", ["constant", "linear"])
@pytest.mark.parametrize("length", [32, 33])
def test_welch__is_scipy(detrend, length):
    x = np.cumsum(np.random.default_rng(0).normal(size=(2, 3, 200)), axis=-1)
    found = welch(x, 0.04, length, 16, detrend)
    _, expected = scipy.signal.welch(x, 25, nperseg=length, noverlap=length - 16, detrend=detrend)
    np.testing.assert_allclose(found.power, expected, rtol=1e-9)
    assert (found.n_windows == (200 - length) // 16 + 1).all()


def test_spectrum__windows_with_gaps_do_not_count():
    x = np.random.default_rng(1).normal(size=200)
    gap = x.copy()
    gap[70] = np.nan
    found = spectrum(one_video(gap), window=2, overlap=0).squeeze()
    _, of_windows = scipy.signal.welch(x.reshape(4, 50), 25, nperseg=50)
    np.testing.assert_allclose(found.power, of_windows[[0, 2, 3]].mean(axis=0), rtol=1e-9)
    assert found.n_windows.item() == 3
    # a frame that the source left out is a gap, too
    left_out = one_video(x).isel(frame=np.delete(np.arange(200), 70))
    np.testing.assert_allclose(spectrum(left_out, window=2, overlap=0).power.squeeze(), found.power, rtol=1e-9)


def test_spectrum__adds_up_to_the_variance():
    x = np.random.default_rng(2).normal(size=5000)
    found = spectrum(one_video(x), window=4).power.squeeze()
    step = found.frequency.diff("frequency")[0]
    assert (found.sum() * step).item() == pytest.approx(x.var(), rel=0.05)


@pytest.mark.parametrize("frequency", [0.5, 2.0])
def test_morlet__gain_is_that_of_its_closed_form(frequency):
    t = np.arange(0, 60, 0.04)
    for other in (frequency, 1.2 * frequency, 0.8 * frequency):
        found = np.abs(morlet(0.3 * np.cos(2 * np.pi * other * t + 1), 0.04, frequency, 7.0, 1.0))
        middle = found[len(t) // 2]
        width = frequency / 7.0
        assert middle == pytest.approx(0.3 * np.exp(-((other - frequency) ** 2) / (2 * width**2)), rel=0.01)


def test_morlet__is_a_convolution():
    x = np.random.default_rng(3).normal(size=300)
    f, step, n_cycles = 2.0, 0.04, 3.0
    s = n_cycles / (2 * np.pi * f)
    n = int(4 * s / step)
    t = np.arange(-n, n + 1) * step
    g = np.exp(-(t**2) / 2 / s**2)
    w = g * (np.exp(2j * np.pi * f * t) - (g * np.exp(2j * np.pi * f * t)).sum() / g.sum())
    w *= 2 / np.abs((w * np.exp(-2j * np.pi * f * t)).sum())
    expected = np.convolve(x - x.mean(), w, mode="same")
    np.testing.assert_allclose(morlet(x, step, f, n_cycles, 0.01), expected, atol=1e-12)


def amplitudes_by_pywavelets(x: np.ndarray, step: float, frequencies: list[float], n_cycles: float) -> np.ndarray:
    """Complex amplitudes (n_frequency, n) of a series by PyWavelets' complex Morlet wavelet.

    With the bandwidth B it is exp(-t² / B + 2πit) / sqrt(πB) with t in scales, so that B = 2 (s f)², and a wave of
    amplitude 1 has half the root of the scale for a coefficient. It is integrated over each place, and half a place
    late. Its sum is not 0, which matters with few cycles.
    """
    pywt = pytest.importorskip("pywt", reason="needs PyWavelets")
    bandwidth = n_cycles**2 / (2 * np.pi**2)
    scales = 1 / (np.array(frequencies) * step)
    coefficients, found = pywt.cwt(x, scales, f"cmor{bandwidth:.12f}-1.0", sampling_period=step, precision=18)
    np.testing.assert_allclose(found, frequencies)
    turns = np.fft.fftfreq(len(x))
    spectra = np.fft.fft(2 * coefficients / np.sqrt(scales)[:, None], axis=1)
    return np.fft.ifft(spectra * np.exp(1j * np.pi * turns) / np.sinc(turns), axis=1)


@pytest.mark.parametrize("n_cycles", [5.0, 7.0])
def test_multi_wavelet__is_pywavelets(n_cycles):
    rng, frequencies = np.random.default_rng(7), [0.5, 2.0, 5.0]
    x = rng.normal(size=(1500, 2)) + np.sin(2 * np.pi * 2 * np.arange(1500) / 25)[:, None]
    expected = np.stack([amplitudes_by_pywavelets(part - part.mean(), 0.04, frequencies, n_cycles) for part in x.T])
    parts = {
        name: multi_wavelet(one_video(x), frequencies, n_cycles=n_cycles, part=name).features.squeeze()
        for name in ("amplitude", "phase", "filtered", "power")
    }
    found = (parts["amplitude"] * np.exp(1j * parts["phase"])).transpose("feature", "frequency", "frame").values
    inner = slice(300, -300)
    assert not np.isnan(found[..., inner]).any()
    largest = np.abs(expected[..., inner]).max()
    np.testing.assert_allclose(found[..., inner], expected[..., inner], atol=0.004 * largest)
    for name, of in (("filtered", np.real), ("power", lambda z: np.abs(z) ** 2)):
        own = parts[name].transpose("feature", "frequency", "frame").values
        np.testing.assert_allclose(own, of(found), atol=1e-9)
    one = wavelet(one_video(x), 2.0, n_cycles=n_cycles, part="filtered").features.squeeze().T
    np.testing.assert_allclose(one[:, inner], expected[:, 1, inner].real, atol=0.004 * largest)


def test_wavelet__parts_of_a_wave():
    t = np.arange(500) / 25
    ds = one_video(0.5 + 0.2 * np.sin(2 * np.pi * t))
    inner = slice(100, 400)
    amplitude, power, phase, filtered = (
        wavelet(ds, 1.0, part=part).features.squeeze()[inner] for part in ("amplitude", "power", "phase", "filtered")
    )
    np.testing.assert_allclose(amplitude, 0.2, rtol=0.02)
    np.testing.assert_allclose(power, amplitude**2)
    np.testing.assert_allclose(filtered, 0.2 * np.sin(2 * np.pi * t[inner]), atol=0.005)
    np.testing.assert_allclose(np.exp(1j * phase), -1j * np.exp(2j * np.pi * t[inner]), atol=0.05)


@pytest.mark.parametrize(
    ("part", "units"),
    [
        ("amplitude", ["degree", ""]),
        ("filtered", ["degree", ""]),
        ("power", ["degree²", ""]),
        ("phase", ["radian"] * 2),
    ],
)
def test_wavelet__parts_have_their_own_units(part, units):
    ds = one_video(np.random.default_rng(3).normal(size=(200, 2)), features=["Pitch", "AU12"])
    ds = ds.assign_coords(unit=("feature", np.array(["degree", ""], dtype=np.dtypes.StringDType())))
    assert wavelet(ds, 1.0, ["Pitch", "AU12"], part=part).unit.values.tolist() == units
    assert multi_wavelet(ds, [1.0, 2.0], ["Pitch", "AU12"], part=part).unit.values.tolist() == units
    assert ds.unit.values.tolist() == ["degree", ""]


def test_wavelet__is_missing_where_too_little_is_known():
    x = np.random.default_rng(4).normal(size=500)
    x[250] = np.nan
    found = wavelet(one_video(x), 1.0).features.squeeze()
    assert np.isnan(found[[0, 499, 250]]).all()
    assert not np.isnan(found[60:240]).any()
    assert np.isnan(wavelet(one_video(x), 1.0, min_valid=1).features.squeeze()[205:295]).all()


def test_multi_wavelet__is_one_wavelet_after_the_other():
    ds = one_video(np.random.default_rng(5).normal(size=(300, 2)))
    found = multi_wavelet(ds, [1, 2.5], "AU02", part="amplitude")
    assert found.features.dims == ("video", "frame", "face", "feature", "frequency")
    for f in (1, 2.5):
        one = wavelet(ds, f, "AU02", part="amplitude")
        np.testing.assert_array_equal(found.features.sel(frequency=f), one.features)


def test_wavelet__videos_have_their_own_rates():
    a, b = (one_video(np.sin(2 * np.pi * np.arange(20 * f) / f), fps=f).assign_coords(video=[f"{f}"]) for f in (25, 30))
    found = wavelet(concat([a, b]), 1.0, part="amplitude")
    np.testing.assert_allclose(found.features[:, 200:300].squeeze(), 1, rtol=0.02)


def test_count_lobes__sizes_are_amplitudes_of_sine_waves():
    t = np.arange(0, 10, 0.002)
    x = np.stack([a * np.sin(2 * np.pi * f * t + 1) for a, f in ((0.15, 1), (0.3, 2), (0.3, 1))])
    edges = np.array([0.1, 0.2, 0.4])
    assert count_lobes(x[:1], 0.002, 1, edges)[0].tolist() == [[9, 0], [10, 0]]
    assert count_lobes(x[1:2], 0.002, 2, edges)[0].tolist() == [[0, 19], [0, 20]]
    x[2, 2500] = np.nan
    assert count_lobes(x[2:], 0.002, 1, edges)[0].sum() == 18  # cut at both ends and in the middle


def test_boft__counts_movements_by_size_and_speed():
    t = np.arange(0, 60, 0.04)
    x = np.stack([0.5 + 0.15 * np.sin(2 * np.pi * 0.5 * t), 0.5 + 0.3 * np.sin(2 * np.pi * 2 * t)], axis=1)
    found = boft(one_video(x), frequencies=[0.5, 2])
    assert found["count"].dims == ("video", "frequency", "direction", "size", "face", "feature")
    for feature, frequency, size in (("AU01", 0.5, 0.14), ("AU02", 2.0, 0.28)):
        inside = found["count"].sel(feature=feature, frequency=frequency).squeeze()
        n = inside.sel(size=size, method="nearest")
        expected = found.seconds.sel(feature=feature, frequency=frequency).item() * frequency
        np.testing.assert_allclose(n, expected, atol=2)
        assert inside.sum() - n.sum() <= 2
    assert found["count"].sel(feature="AU01", frequency=2, size=found["size"] > 0.05).sum() == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ds: spectrum(ds, window=100), "found a window of 100 s; expected at most 8 s, the longest video"),
        (lambda ds: spectrum(ds, window=0.1), "found window=0.1 s; expected 0.16 s or more, four frames"),
        (lambda ds: spectrum(ds, window=2, overlap=1), "found overlap=1; expected a share from 0 on, below 1"),
        (lambda ds: spectrum(ds, window=2, detrend="cubic"), "found detrend='cubic'"),
        (lambda ds: wavelet(ds, 13), "found a frequency of 13 Hz; expected at most 12.5 Hz, half of the 25 frames"),
        (lambda ds: multi_wavelet(ds, [1, 14]), "found a frequency of 14 Hz"),
        (lambda ds: multi_wavelet(ds, []), "found no frequency; expected one or more, in Hz"),
        (
            lambda ds: wavelet(ds, 0.01),
            "found a wavelet of 382 s; expected at most 8 s, the longest video; use a higher",
        ),
        (lambda ds: boft(ds), "found a wavelet of 63.66 s; expected at most 8 s"),
        (lambda ds: boft(ds, frequencies=[1], edges=[0.5, 0.1]), "in ascending order"),
        (lambda ds: wavelet(ds, 1, part="real"), "found part='real'; expected one of 'power'"),
        (lambda ds: wavelet(ds, 1, n_cycles=0, min_valid=2), "found n_cycles=0(.|\n)*found min_valid=2"),
    ],
)
def test_rhythms__bad_options(call, message):
    with pytest.raises(InputError, match=message):
        call(one_video(np.random.default_rng(6).random(200)))


def test_rhythms__bad_rates():
    mixed = concat([one_video(np.ones(60), fps=f).assign_coords(video=[f"{f}"]) for f in (25, 30)])
    with pytest.raises(InputError, match=r"different frame rates, from 25 .'25'. to 30 .'30'.*resample them to one"):
        spectrum(mixed, window=1)
    uneven = one_video(np.ones(6)).assign_coords(timestamp=(("video", "frame"), [[0, 0.1, 0.25, 0.32, 0.47, 0.53]]))
    with pytest.raises(InputError, match=r"'a': found that the time between frames varies.*resample"):
        wavelet(uneven, 1)
    with pytest.raises(InputError, match="found no video with two frames or more, so that the frame rate is unknown"):
        spectrum(one_video([1.0]), window=1)
    unknown = one_video(np.ones(3)).assign_coords(timestamp=(("video", "frame"), [[np.nan] * 3]))
    with pytest.raises(InputError, match="'a': found 3 of 3 frames without a time"):
        wavelet(unknown, 1)


def test_rhythms__no_values():
    nothing = videos(np.full((1, 100, 1, 1), np.nan))
    assert np.isnan(spectrum(nothing, window=2).power).all()
    assert np.isnan(wavelet(nothing, 2).features).all()
    assert boft(nothing, frequencies=[2])["count"].sum() == 0
