"""How a process behaves on a machine: errors, stops, complete files, locks, downloads."""
