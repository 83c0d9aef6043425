"""How the work is run: devices, parallel work, seeds, whole files, executing notebooks."""
