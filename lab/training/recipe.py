"""What a training is made of, apart from data, seed and budget."""

from dataclasses import dataclass

from lab import LabError

HEAD_SIZE = 64  # one that vLLM's CPU backend takes
SEEDED_HEADS = 2  # heads of the first layer that the initialisation uses
SEEDED_LAYERS = 3  # the last of them finds and copies what stood before


@dataclass(frozen=True)
class Recipe:
    """A Llama-type model and how it learns."""

    # the model
    width: int = 128  # a multiple of the head size
    layers: int = 4
    feed_forward: int = 384
    rope_theta: float = 1e4
    positions: int = 2048  # tokens that a server may pass to the model; the rows' length says what it has seen
    # how it begins; all of it is trainable
    previous_bias: float = 6.0  # strength of the heads that begin by looking one or two tokens back
    copy_gain: float = 1.6  # strength of the head that begins by finding where the current token stood before
    copy_reach: float = 150.0  # tokens over which that head begins blind to distance
    head_scale: float = 0.05  # output matrix over the embeddings
    # the loss
    answer_weight: float = 5.0  # of an answer's tokens, its end included
    prompt_weight: float = 0.3  # of all others; padding and what the data set masks weigh nothing
    # the optimiser
    step_tokens: int = 2048  # slots of one step, rounded to whole rows
    matrix_rate: float = 0.02  # Muon, for the matrices of the layers
    other_rate: float = 0.004  # Adam, for embeddings, output matrix, norms and biases
    warmup: int = 60  # steps in which the rates rise
    decay: float = 0.6  # share of the steps at the end in which they fall to nothing
    # the machine
    threads: int = 0  # of the CPU; 0: what torch takes
    compile: bool = True  # the CPU's forward and backward pass, if there is a C++ compiler

    def __post_init__(self) -> None:
        """Raises LabError for a model that could not be built or served."""
        if self.width % HEAD_SIZE or self.heads < SEEDED_HEADS or self.layers < SEEDED_LAYERS:
            raise LabError(
                f"width {self.width}, {self.layers} layers: the width must be a multiple of {HEAD_SIZE}, "
                f"at least {SEEDED_HEADS * HEAD_SIZE}, and there must be at least {SEEDED_LAYERS} layers"
            )
        if self.step_tokens < 1 or self.warmup < 1 or not 0 < self.decay <= 1:
            raise LabError("step_tokens and warmup must be at least 1, and decay above 0 and at most 1")
        if min(self.answer_weight, self.prompt_weight) < 0 or self.answer_weight + self.prompt_weight == 0:
            raise LabError("answer_weight and prompt_weight must not be negative, nor both 0")

    @property
    def heads(self) -> int:
        """Attention heads of a layer."""
        return self.width // HEAD_SIZE
