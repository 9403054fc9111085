"""The families of procedural spacecraft, by name."""

from __future__ import annotations

from typing import Final

from posebowl.render.families import satellites, stations, vehicles
from posebowl.render.parts import Family

FAMILIES: Final[dict[str, Family]] = {
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
