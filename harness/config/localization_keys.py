"""What a run file says of localization: which stages there are beside naming files, and how they ask."""

from typing import Literal, Self

from pydantic import Field, model_validator

from harness.config.section import Section, Url
from harness.core.interfaces import Sampling


class FoldersConfig(Section):
    """Folders that the model finds irrelevant, for retrieval to leave out."""

    enabled: bool = False
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=300)


class EmbeddingsConfig(Section):
    """Retrieval's best documents put in another order by an embeddings endpoint: a further vote."""

    endpoint: Url  # base URL of an OpenAI-compatible server, ".../v1"
    model: str
    revision: str = ""  # of the endpoint's weights: what distinguishes their vectors from the last ones
    api_key_env: str | None = None  # environment variable that holds the endpoint's key
    documents: int = Field(default=100, ge=1)  # embedded for each instance
    characters: int = Field(default=2000, ge=1)  # of each of them, and of the issue


class RetrievalConfig(Section):
    """Files by BM25 over their text, combined with those that the model names by votes."""

    files: int = Field(default=0, ge=0)  # that retrieval votes for; none: switched off
    unit: Literal["file", "class", "function"] = "function"  # what is a document
    embeddings: EmbeddingsConfig | None = None  # votes for as many files


class ElementsConfig(Section):
    """Classes, functions and variables that the model names from the located files' skeletons."""

    enabled: bool = False
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=500)


class LinesConfig(Section):
    """Lines and elements to change that the model names from numbered source."""

    samples: int = Field(default=0, ge=0)  # none: switched off
    greedy: bool = False  # whether the first of them is drawn at temperature 0
    merged: bool = False  # one set of locations for repair, of all samples; otherwise one for each sample
    context_lines: int = Field(default=10, ge=0)  # around what is shown, and around what is named
    sampling: Sampling = Sampling(temperature=0.8, max_tokens=500)


class LocalizationConfig(Section):
    """The stages of localization beside naming files from the tree, which `SamplingConfig` has."""

    folders: FoldersConfig = FoldersConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    elements: ElementsConfig = ElementsConfig()
    lines: LinesConfig = LinesConfig()

    @model_validator(mode="after")
    def _folders_for_retrieval(self) -> Self:
        if (self.folders.enabled or self.retrieval.embeddings) and not self.retrieval.files:
            raise ValueError("folders and embeddings serve retrieval only: set retrieval.files, too")
        return self
