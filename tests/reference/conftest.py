"""Keep pytest from importing the programs that made the stored references: they need packages that the tests do not."""

collect_ignore = ["brainiak_isc.py", "pingouin_icc.py", "face_api_nets.py", "mne_clusters.py"]
