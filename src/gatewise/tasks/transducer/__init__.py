"""The RNN transducer: the loss, the networks that make it up, decoders."""

from gatewise.tasks.transducer.beam import transducer_beam
from gatewise.tasks.transducer.greedy import TransducerStream, transducer_greedy
from gatewise.tasks.transducer.joint import AdditiveJoint, Joint, TanhJoint
from gatewise.tasks.transducer.loss import transducer_loss
from gatewise.tasks.transducer.network import Encoder, LayerEncoder, NextLabel, PredictionNetwork, Transducer

__all__ = [
    "AdditiveJoint",
    "Encoder",
    "Joint",
    "LayerEncoder",
    "NextLabel",
    "PredictionNetwork",
    "TanhJoint",
    "Transducer",
    "TransducerStream",
    "transducer_beam",
    "transducer_greedy",
    "transducer_loss",
]
