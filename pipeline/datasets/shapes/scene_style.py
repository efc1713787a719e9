"""How hard the synthetic scenes are: all settings of the default data set in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SceneStyle:
    """How hard the scenes are.

    Attributes:
        habit: probability that a class with a home ground is on it.
        guests: probability that a scene led by a free class is set on some home ground.
        crowd: probabilities of one, two and three objects.
        lead_span: length of the first object, as a share of the side.
        guest_span: length of the others.
        dullness: largest share of a body's colour taken from the ground under it, 0..1.
        contrast: least brightness difference between body and ground, 0..1.
        swap: probability that a body wears its twin class's pattern and palette.
        variation: spread of outline and body palette inside a class; 1 is usual.
        loud_shift: largest shift of a loud part's hues, in turns of the colour wheel.
        faded: probability that an object's loud part is not painted.
        clutter: mean number of pebbles and twigs.
        decoys: mean number of large nameless shapes in body colours.
        decoy_loud: probability that a decoy has a bold patch in colours of no class.
        lighting: strength of gain, gradient, cast and shadow; 1 is usual.
        blur: largest Gaussian radius in output pixels.
        noise: largest standard deviation of sensor noise, as a share of full scale.
    """

    habit: float = 0.94
    guests: float = 0.3
    crowd: tuple[float, float, float] = (0.55, 0.35, 0.1)
    lead_span: tuple[float, float] = (0.55, 0.9)
    guest_span: tuple[float, float] = (0.38, 0.6)
    dullness: float = 0.35
    contrast: float = 0.14
    swap: float = 0.1
    variation: float = 0.8
    loud_shift: float = 0.02
    faded: float = 0.0
    clutter: float = 3.0
    decoys: float = 0.4
    decoy_loud: float = 0.0
    lighting: float = 0.6
    blur: float = 0.4
    noise: float = 0.015
