"""The families of procedural spacecraft, by name: those to train on, and those held out."""

from __future__ import annotations

from typing import Final

from posebowl.render.families import held_out, satellites, stations, vehicles
from posebowl.render.parts import Family

TRAINING: Final[dict[str, Family]] = {
    "box-bus": satellites.box_bus,
    "dish-comsat": satellites.dish_comsat,
    "cubesat": satellites.cubesat,
    "telescope": satellites.telescope,
    "spinner": satellites.spinner,
    "radar": satellites.radar,
    "probe": satellites.probe,
    "hex-bus": satellites.hex_bus,
    "truss-station": stations.truss_station,
    "module-station": stations.module_station,
    "panel-platform": stations.panel_platform,
    "ring-station": stations.ring_station,
    "capsule": vehicles.capsule,
    "lander": vehicles.lander,
    "rocket-stage": vehicles.rocket_stage,
    "space-plane": vehicles.space_plane,
    "tug": vehicles.tug,
    "assembly": vehicles.assembly,
}
"""Each makes one spacecraft from random numbers, in a length unit of its own."""

HELD_OUT: Final[dict[str, Family]] = {
    "umbrella-antenna": held_out.umbrella_antenna,
    "solar-sail": held_out.solar_sail,
    "flat-pack": held_out.flat_pack,
    "inspector": held_out.inspector,
    "geodesic": held_out.geodesic,
    "starshade": held_out.starshade,
    "gravity-boom": held_out.gravity_boom,
    "inflatable": held_out.inflatable,
    "segmented-telescope": held_out.segmented_telescope,
    "reactor-ship": held_out.reactor_ship,
}
"""Never trained on: they measure how well a model finds spacecraft it has never seen."""

FAMILIES: Final[dict[str, Family]] = TRAINING | HELD_OUT
