"""Soil water balance in two layers, step by step: infiltration, freezing, runoff, drainage, lateral flow,
evaporation.
"""

from dataclasses import dataclass

import numpy as np

from vadose.simulation.fields import Floats
from vadose.simulation.land import CROPS, URBAN, Land
from vadose.simulation.points import SimulationPoints
from vadose.simulation.weather import STEPS

SURFACE_MM, ROOT_MM = 50.0, 450.0
"""Depths of the layers."""
STEP_HOURS = 24 / STEPS
EXCHANGE = 0.25
"""Fraction of the difference in relative saturation that capillarity removes in a day; our choice."""
SURFACE_ROOTS = 0.15
"""Fraction of the roots in the surface layer."""
DEPLETION = 0.5
"""Fraction p of the available water that plants take without stress (FAO 56, table 22)."""
SEALED = 0.6
"""Impervious fraction of a town."""
MELT_MM_DEGREE = 3.0
"""Snow melt per day and degree (Hock, J. Hydrol. 282:104-115, 2003)."""
IRRIGATION_MM = 30.0
GATHERED = 0.05
"""Fraction of the free water of a cell's root zone that moves within the cell in a step."""
FROST_RANGE_C, UNFROZEN = 1.0, 0.1
"""Degrees below zero at which most of the water is frozen; our choice, between sand and silt."""
FOLLOWING_DAYS, SNOWED_IN_DAYS, INSULATING_MM = 1.5, 20.0, 40.0
"""Time constant at which the soil follows the air, its increase under deep snow, and the depth of deep snow; our
choice.
"""
SOIL_HEAT, FUSION_HEAT = 2.1, 334.0
"""Heat capacity of moist soil, MJ m-3 K-1 (FAO 56, below equation 41), and heat of fusion, MJ m-3 of water."""
WARMED_M = 0.25
"""Depth of soil whose heat follows the air within `FOLLOWING_DAYS`: 1 / sqrt(2) of the damping depth of a wave of that
time constant, sqrt(2 a t) for the diffusivity a = 5e-7 m2 s-1 of moist soil."""


@dataclass(frozen=True, eq=False)
class State:
    """State of the soil and its cover; fine arrays as the places, coarse ones (unit,).

    Attributes:
        surface, root: water content of the layers, ice included, m3 m-3; fine.
        leaf_area: fine.
        roughness_m: fine.
        snow_mm: water equivalent; coarse.
        temperature_c: temperature of the surface layer; coarse.
    """

    surface: Floats
    root: Floats
    leaf_area: Floats
    roughness_m: Floats
    snow_mm: Floats
    temperature_c: Floats


@dataclass(frozen=True, eq=False)
class Air:
    """Forcing of a step, coarse, (unit,): precipitation and potential evaporation in mm, temperature."""

    rain_mm: Floats
    evaporation_mm: Floats
    temperature_c: Floats


@dataclass(frozen=True, eq=False)
class WaterFluxes:
    """Water fluxes of a step, mm, fine: the storage changes by supply minus all others."""

    supply: Floats
    runoff: Floats
    evaporated: Floats
    drained: Floats


def ice_share(temperature_c: Floats) -> Floats:
    """Return the frozen fraction of the water."""
    return np.asarray((1 - UNFROZEN) * np.clip(-temperature_c / FROST_RANGE_C, 0, 1))


def snow_step(snow_mm: Floats, air: Air) -> tuple[Floats, Floats]:
    """Return snow after a step and the water that reaches the ground, mm: a degree-day model."""
    snowing = np.clip(1 - air.temperature_c / 2, 0, 1) * air.rain_mm
    melt = np.minimum(snow_mm + snowing, MELT_MM_DEGREE * np.maximum(air.temperature_c, 0) / STEPS)
    return snow_mm + snowing - melt, air.rain_mm - snowing + melt


def soil_temperature_step(temperature_c: Floats, air_c: Floats, snow_mm: Floats, water: Floats) -> Floats:
    """Return the temperature of the surface layer after a step: it follows the air, slowly under snow, and stays at 0
    in freezing.

    The heat flux changes the soil's enthalpy, which gives the temperature (Voller & Cross, Int. J. Heat Mass Transfer
    24:545-556, 1981): divided by the soil's heat capacity, enthalpy is temperature - fusion * `ice_share`.

    Args:
        temperature_c: temperature of the layer before the step.
        air_c: air c of the air.
        snow_mm: water equivalent on the ground.
        water: water of the layer, ice included, m3 m-3.
    """
    fusion = FUSION_HEAT * SURFACE_MM / 1000 * water / (SOIL_HEAT * WARMED_M)
    days = FOLLOWING_DAYS + SNOWED_IN_DAYS * np.clip(snow_mm / INSULATING_MM, 0, 1)
    passed = (air_c - temperature_c) * (1 - np.exp(-1 / (STEPS * days)))
    heat = temperature_c - fusion * ice_share(temperature_c) + passed
    freezing = heat / (1 + fusion * (1 - UNFROZEN) / FROST_RANGE_C)
    frozen = heat + fusion * (1 - UNFROZEN)
    return np.asarray(np.where(heat >= 0, heat, np.where(freezing >= -FROST_RANGE_C, freezing, frozen)))


def irrigation(land: Land, state: State) -> Floats:
    """Return irrigation of growing crops on dry soil, mm."""
    soil = land.water
    dry = state.root < soil.wilting + 0.45 * (soil.field_capacity - soil.wilting)
    given = (land.cover == CROPS) & (state.leaf_area > 0.8) & dry
    return np.asarray(IRRIGATION_MM * given, np.float32)


def moistness(land: Land, root: Floats, depletion: float = DEPLETION) -> Floats:
    """Return the water stress coefficient of transpiration (FAO 56, equation 84).

    Ks = (TAW - Dr) / ((1 - p) TAW): available water divided by that at the onset of stress.

    Args:
        land: the soil.
        root: water content, m3 m-3.
        depletion: p, fraction of the available water that is taken without stress.
    """
    soil = land.water
    available = (root - soil.wilting) / (soil.field_capacity - soil.wilting)
    return np.asarray(np.clip(available / (1 - depletion), 0, 1))


def soil_step(
    land: Land,
    places: SimulationPoints,
    surface: Floats,
    root: Floats,
    supply_mm: Floats,
    ice: Floats,
    demand: tuple[Floats, Floats],
) -> tuple[Floats, Floats, WaterFluxes]:
    """Return both layers after a step, and its fluxes.

    Args:
        land: the soil.
        places: their units bound the lateral flow.
        surface, root: water content, m3 m-3.
        supply_mm: rain, melt and irrigation.
        ice: frozen fraction of the surface's water.
        demand: potential evaporation of the soil and of the leaves, mm.
    """
    surface, root, runoff = _infiltrated(land, surface, root, supply_mm, ice)
    surface, root = _sunk(land, surface, root, ice)
    surface, root, evaporated = _evaporated(land, surface, root, ice, demand)
    drained = _drainage(root, land, ROOT_MM, land.ease)
    root, spilled = _gathered(land, places, root - drained / ROOT_MM)
    return surface, root, WaterFluxes(supply_mm, runoff + spilled, evaporated, drained)


def _infiltrated(
    land: Land, surface: Floats, root: Floats, supply: Floats, ice: Floats
) -> tuple[Floats, Floats, Floats]:
    soil = land.water
    entering = np.minimum(
        supply * (1 - SEALED * (land.cover == URBAN).astype(np.float32)),
        soil.conductivity_mm_h * STEP_HOURS * (1 - ice),
    )
    above = np.minimum(entering, (soil.saturation - surface) * SURFACE_MM)
    below = np.minimum(entering - above, (soil.saturation - root) * ROOT_MM)
    return surface + above / SURFACE_MM, root + below / ROOT_MM, supply - above - below


def _sunk(land: Land, surface: Floats, root: Floats, ice: Floats) -> tuple[Floats, Floats]:
    """Return flow by gravity and capillarity between the layers; frozen water does not move."""
    soil = land.water
    down = _drainage(surface, land, SURFACE_MM, 1 - ice)
    pull = (root - surface) / soil.saturation
    up = EXCHANGE / STEPS * pull * soil.saturation * SURFACE_MM * (1 - ice)
    moved = np.clip(down - up, -np.maximum(root - soil.wilting, 0) * ROOT_MM, (soil.saturation - root) * ROOT_MM)
    moved = np.clip(moved, -(soil.saturation - surface) * SURFACE_MM, (surface - soil.residual) * SURFACE_MM)
    return surface - moved / SURFACE_MM, root + moved / ROOT_MM


def _evaporated(
    land: Land, surface: Floats, root: Floats, ice: Floats, demand: tuple[Floats, Floats]
) -> tuple[Floats, Floats, Floats]:
    """Return evaporation: bare soil as by Lee & Pielke, J. Appl. Meteorol. 31:480-484, 1992; leaves from both
    layers.
    """
    soil, (from_soil, from_leaves) = land.water, demand
    wet = np.clip(surface / soil.field_capacity, 0, 1)
    eased = 0.25 * (1 - np.cos(np.pi * wet)) ** 2
    above = from_soil * eased + from_leaves * SURFACE_ROOTS * moistness(land, surface)
    above = np.minimum(above * (1 - ice), np.maximum(surface - soil.residual, 0) * SURFACE_MM)
    below = from_leaves * (1 - SURFACE_ROOTS) * moistness(land, root)
    below = np.minimum(below, np.maximum(root - soil.wilting, 0) * ROOT_MM)
    return surface - above / SURFACE_MM, root - below / ROOT_MM, above + below


def _drainage(content: Floats, land: Land, depth_mm: float, ease: Floats) -> Floats:
    """Return drainage of a layer in a step, mm.

    The exact solution of depth d(content)/dt = -K, K = Ks (content / saturation)^m (Saxton & Rawls 2006, equation 17).
    """
    soil = land.water
    filled, power = content / soil.saturation, soil.steepness - 1
    rate = ease * soil.conductivity_mm_h * STEP_HOURS / (depth_mm * soil.saturation)
    left = np.exp(-np.log(1 + power * rate * np.exp(power * np.log(filled))) / power)
    return np.asarray(content * (1 - left) * depth_mm)


def _gathered(land: Land, places: SimulationPoints, root: Floats) -> tuple[Floats, Floats]:
    """Move free water of the root zone to the hollows of its cell; the excess is runoff, mm."""
    soil = land.water
    free = GATHERED * np.maximum(root - soil.field_capacity, 0)
    pooled = places.gathered(free) / places.gathered(land.draw)
    root = root - free + land.draw * places.to_places(pooled)
    spilled = np.maximum(root - soil.saturation, 0)
    return root - spilled, spilled * ROOT_MM
