"""A land model similar to Noah: with another soil, another evaporation and other layers than the simulated truth.

Chen & Dudhia, Mon. Weather Rev. 129:569-585, 2001; soil parameters by Cosby et al., Water Resources Research
20:682-690, 1984.
"""

from dataclasses import dataclass

import numpy as np

from vadose.simulation.fields import Floats

TOP_MM, ROOT_MM = 100.0, 900.0
"""Depths of the layers: 0-10 cm and 10-100 cm."""
STEPS = 8
"""Of a day."""
SPIN_UP_DAYS = 180
GREEN = 0.45
"""Vegetated fraction of a pixel; the model has no fields."""
TOP_ROOTS = 0.2
EXCHANGE = 0.25
"""Fraction of the difference in relative saturation that diffusion removes in a day; our choice."""
MELT_MM_DEGREE = 4.0


@dataclass(frozen=True, eq=False)
class Soil:
    """Soil properties from the texture of a pixel, (pixel,) each.

    Attributes:
        wilting, reference, saturation: m3 m-3; plants are unstressed above the reference.
        conductivity_mm_day: saturated hydraulic conductivity.
        power: exponent of relative saturation in the conductivity.
    """

    wilting: Floats
    reference: Floats
    saturation: Floats
    conductivity_mm_day: Floats
    power: Floats

    @classmethod
    def of(cls, sand: Floats, clay: Floats) -> "Soil":
        """Return the properties by mass fractions of sand and clay: Cosby et al. 1984, table 5; Chen & Dudhia 2001,
        table 2.
        """
        saturation = 0.489 - 0.126 * sand
        suction_m = 10 ** (1.88 - 1.31 * sand) / 100
        conductivity_m_s = 0.0070556e-3 * 10 ** (-0.884 + 1.53 * sand)
        steepness = 2.91 + 15.9 * clay
        reference = saturation * (1 / 3 + 2 / 3 * (5.79e-9 / conductivity_m_s) ** (1 / (2 * steepness + 3)))
        wilting = 0.5 * saturation * (200 / suction_m) ** (-1 / steepness)
        return cls(wilting, reference, saturation, conductivity_m_s * 86_400_000, 2 * steepness + 3)


@dataclass(frozen=True, eq=False)
class Forcing:
    """Forcing of the model: (step, pixel) each, mm per step and degrees Celsius."""

    rain_mm: Floats
    evaporation_mm: Floats
    temperature_c: Floats


@dataclass(frozen=True, eq=False)
class State:
    """State of the model: water contents of its layers, m3 m-3, and snow, mm, (pixel,) or (step, pixel)."""

    top: Floats
    root: Floats
    snow_mm: Floats


def run(soil: Soil, forcing: Forcing) -> State:
    """Return states at the start of each step, (step, pixel); the first season is run twice as a spin-up."""
    state = State(0.8 * soil.reference, 0.8 * soil.reference, np.zeros_like(soil.reference))
    for step in range(min(SPIN_UP_DAYS * STEPS, len(forcing.rain_mm))):
        state = _next(soil, forcing, step, state)
    states = []
    for step in range(len(forcing.rain_mm)):
        states.append(state)
        state = _next(soil, forcing, step, state)
    return State(
        *(np.array([getattr(state, name) for state in states], np.float32) for name in ("top", "root", "snow_mm"))
    )


def _next(soil: Soil, forcing: Forcing, step: int, state: State) -> State:
    snow, supply = _snow(state.snow_mm, forcing.rain_mm[step], forcing.temperature_c[step])
    deficit = (soil.saturation - state.top) * TOP_MM + (soil.saturation - state.root) * ROOT_MM
    ready = deficit * (1 - np.exp(-3 / STEPS))
    entering = supply * ready / np.maximum(supply + ready, 1e-9)
    above = np.minimum(entering, (soil.saturation - state.top) * TOP_MM)
    top, root = state.top + above / TOP_MM, state.root + (entering - above) / ROOT_MM
    lost_top, lost_root = _evaporated(soil, top, root, forcing.evaporation_mm[step] * (snow < 1))
    top, root = top - lost_top / TOP_MM, root - lost_root / ROOT_MM
    down = _drainage(soil, top, TOP_MM) + EXCHANGE / STEPS * (top - root) * TOP_MM
    top, root = top - down / TOP_MM, root + down / ROOT_MM
    root = np.minimum(root - _drainage(soil, root, ROOT_MM) / ROOT_MM, soil.saturation)
    return State(top, root, snow)


def _snow(snow: Floats, falling: Floats, temperature_c: Floats) -> tuple[Floats, Floats]:
    """Return snow, and the water that reaches the ground, mm: precipitation below 0 degrees is snow."""
    snow = snow + np.where(temperature_c < 0, falling, 0)
    melt = np.minimum(snow, MELT_MM_DEGREE / STEPS * np.maximum(temperature_c, 0))
    return snow - melt, np.where(temperature_c < 0, 0, falling) + melt


def _evaporated(soil: Soil, top: Floats, root: Floats, demand: Floats) -> tuple[Floats, Floats]:
    """Return evaporation of bare soil (square of the available water) and of plants (linear) from each layer, mm."""
    moist_top, moist_root = (
        np.clip((content - soil.wilting) / (soil.reference - soil.wilting), 0, 1) for content in (top, root)
    )
    from_top = demand * ((1 - GREEN) * moist_top**2 + GREEN * TOP_ROOTS * moist_top)
    from_root = demand * GREEN * (1 - TOP_ROOTS) * moist_root
    return np.minimum(from_top, 0.5 * top * TOP_MM), np.minimum(from_root, 0.5 * root * ROOT_MM)


def _drainage(soil: Soil, content: Floats, depth_mm: float) -> Floats:
    """Return drainage of a layer in a step, mm: the exact solution of a conductivity that is a power law."""
    power = soil.power - 1
    rate = soil.conductivity_mm_day / STEPS / (depth_mm * soil.saturation)
    left = (1 + power * rate * (content / soil.saturation) ** power) ** (-1 / power)
    return np.asarray(content * (1 - left) * depth_mm)
