"""Predict the same box for every photo: the smallest complete submission."""

import os
from pathlib import Path

import polars as pl

# A box of a quarter of the frame's width and height in the middle, where most spacecraft would
# touch it. Edges are in pixels; xmax and ymax are one past the last pixel.
BOX = {"xmin": 480, "ymin": 384, "xmax": 800, "ymax": 640}

DATA = Path("../data")
OUT = Path("../submission/submission.csv")


def main() -> None:
    """Replace the boxes of submission_format.csv, keeping its order."""
    wanted = pl.read_csv(
        DATA / "submission_format.csv",
        columns=["image_id"],
        schema_overrides={"image_id": pl.String},
    )
    predictions = wanted.with_columns(pl.lit(edge).alias(name) for name, edge in BOX.items())

    # Under a temporary name first, so that submission.csv is never there half written.
    temporary = OUT.with_name(".submission.csv.part")
    with temporary.open("wb") as file:
        predictions.write_csv(file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(OUT)
    print(f"{len(predictions)}/{len(predictions)} images")


if __name__ == "__main__":
    main()
