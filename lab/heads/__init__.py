"""What documents cut from their heads teach: a study in which a document's head defines the words of the rest."""
