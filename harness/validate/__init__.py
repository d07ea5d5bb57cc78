"""What candidates are tried on before one is selected."""
