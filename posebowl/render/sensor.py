"""The camera: exposure, bloom, blur, tint, vignetting, noise, quantization to eight bits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.render import fractal_noise as noise
from posebowl.render.earth import Picture
from posebowl.render.parts import Rng

Photo = npt.NDArray[np.uint8]
NOISE_SIDE: Final = 1 << 22
LARGEST_LEVEL: Final = 0.95
"""Maximum of the median light, where 1 is white: an all-white frame would show nothing."""
COMPACT_NOISY: Final = 0.1
"""Share of noisy photos in a compact set: noise makes PNG files large."""
COMPACT_BLUR: Final = 1.4
"""Minimum blur in a compact set, in pixels: it removes grain, which costs bytes."""


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """The settings of one camera.

    Attributes:
        exposure: Factor on the light.
        gamma: Exponent on the light, 1 for none.
        bloom: Share of the brightest light that spreads.
        blur: Radius of the lens's blur, in pixels.
        vignette: Loss in the corners, 0 to 1.
        tint: Factor on red, green and blue.
        noise: Deviation of the read noise, in grey levels of 255.
        shot: Factor on the noise that grows with the root of the light.
        grey: Whether it is monochrome.
    """

    exposure: float = 1.0
    gamma: float = 1.0
    bloom: float = 0.0
    blur: float = 0.0
    vignette: float = 0.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    noise: float = 0.0
    shot: float = 0.0
    grey: bool = False


def sample_sensor(rng: Rng, *, compact: bool) -> Sensor:
    """Sample the settings of a camera; a compact set has few noisy and no sharp ones."""
    noisy = rng.random() < (COMPACT_NOISY if compact else 0.75)
    strength = float(rng.lognormal(np.log(2.2), 0.7)) if noisy else 0.0
    tint = tuple(float(value) for value in 1 + rng.normal(size=3) * rng.choice((0.0, 0.03, 0.1)))
    sensor = Sensor(
        exposure=float(np.clip(rng.lognormal(0.25, 0.4), 0.35, 3.5)),
        gamma=float(rng.uniform(0.7, 1.15)),
        bloom=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.4 else 0.0,
        blur=float(rng.uniform(0.4, 1.6)) if rng.random() < 0.6 else 0.0,
        vignette=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.3 else 0.0,
        tint=tint,  # type: ignore[arg-type]
        noise=min(strength, 14.0),
        shot=float(rng.uniform(0, 1.5)),
        grey=bool(rng.random() < 0.12),
    )
    if not compact:
        return sensor
    return replace(sensor, noise=min(strength, 0.8), shot=0.0, blur=max(sensor.blur, COMPACT_BLUR))


def brighten_to_show(sensor: Sensor, light: float) -> Sensor:
    """Return a sensor with enough exposure to lift a light of 0 to 1 above black and noise."""
    level = 0.12 + 5 * sensor.noise / 255
    return replace(sensor, exposure=max(sensor.exposure, level / max(light, 0.05)))


def capture(rng: Rng, light: Picture, sensor: Sensor) -> Photo:
    """Return the eight-bit photo of light, 0 to about 1, shape (IMAGE_HEIGHT, IMAGE_WIDTH, 3).

    However long the exposure, half of the photo stays below LARGEST_LEVEL.
    """
    level = float(np.quantile(light[::16, ::16].max(axis=2), 0.5))
    exposure = min(sensor.exposure, LARGEST_LEVEL / max(level, 0.01))
    light = tone(light, replace(sensor, exposure=exposure))
    if sensor.vignette:
        light *= (1 - sensor.vignette * vignette_map())[..., None]
    if sensor.bloom:
        light += sensor.bloom * halo(rng, light)
    if sensor.grey:
        light[...] = light.mean(axis=2, keepdims=True)
    photo = to_uint8(light)
    if sensor.blur:
        blurred = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(sensor.blur))
        photo = np.asarray(blurred)
    return add_noise(rng, photo, sensor) if sensor.noise else photo


def tone(light: Picture, sensor: Sensor) -> Picture:
    """Apply exposure, tint and gamma to light; white is 1, and the result is clipped at 4."""
    light = np.clip(light * (np.array(sensor.tint, dtype=np.float32) * sensor.exposure), 0, 4)
    if sensor.gamma != 1:
        np.power(light, np.float32(sensor.gamma), out=light)
    return light


def to_uint8(light: npt.NDArray[np.float32]) -> Photo:
    """Round light to eight bits: 0 is black, 1 and more is white."""
    return (np.minimum(light, 1) * 255 + 0.5).astype(np.uint8)


@cache
def vignette_map() -> noise.Field:
    """Build a map that is 0 in the middle of the frame and 1 in its corners."""
    x = np.linspace(-1, 1, IMAGE_WIDTH, dtype=np.float32) ** 2
    y = np.linspace(-1, 1, IMAGE_HEIGHT, dtype=np.float32) ** 2
    return np.asarray((x[None, :] + y[:, None]) / 2)


def halo(rng: Rng, light: Picture) -> Picture:
    """Return the glow around the light that exceeds the sensor's range."""
    step = 8
    height, width = light.shape[0] // step, light.shape[1] // step
    over = np.maximum(light - 0.8, 0).reshape(height, step, width, step, 3).mean(axis=(1, 3))
    level = np.clip(over * 255, 0, 255).astype(np.uint8)
    wide = Image.fromarray(level).filter(ImageFilter.GaussianBlur(float(rng.uniform(1, 6))))
    spread = wide.resize((light.shape[1], light.shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(spread, dtype=np.float32) * np.float32(3 / 255)


@cache
def _grains() -> npt.NDArray[np.float32]:
    return np.random.default_rng(11).standard_normal(NOISE_SIDE, dtype=np.float32)


def add_noise(rng: Rng, photo: Photo, sensor: Sensor) -> Photo:
    """Add read noise and shot noise, a random piece of a fixed run of Gaussian numbers."""
    start, size = int(rng.integers(NOISE_SIDE)), photo.size
    run = _grains()
    grains = np.concatenate((run[start : start + size], run[: max(0, size - (NOISE_SIDE - start))]))
    levels = np.arange(256, dtype=np.float32)
    deviation = sensor.noise * np.sqrt(1 + sensor.shot * levels / 64)
    noisy = photo + grains.reshape(photo.shape) * deviation.astype(np.float32)[photo]
    return np.clip(noisy + 0.5, 0, 255).astype(np.uint8)
